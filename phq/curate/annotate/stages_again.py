"""Stages that differ from the pipeline's because the stored picture is fixed, or all there is."""

from __future__ import annotations

from dataclasses import replace

from phq.curate.annotate.views import StoredPerson, stored_people, stored_runs
from phq.curate.annotate.window import state_camera, to_own_picture
from phq.people import Face, Person, Photo
from phq.photos.region import invert_affine
from phq.quality.flip import p_flip
from phq.quality.framing import hand_on_head, head_outside
from phq.quality.sigma import yaw_sigma_deg
from phq.stages.find_face import StoreFace, face_fields
from phq.stages.find_landmarks import FindLandmarks
from phq.stages.fit_body import FitBody
from phq.stages.score_person import ScorePerson


class FindLandmarksAgain(FindLandmarks):
    """In the raw photo; where only the crop is there, the landmarks of the record stand in for all three runs.

    A crop shows too little of a body. On the 25 people of the bundled photographs, the network run on crops took the
    torso's yaw 16° off at the median, turned four people round and lost two; with the landmarks that were found in the
    whole photo, and the other stages run on the crop, it is 3° and 11° at most.
    """

    def process(self, photos: list[Photo]) -> None:
        """Batched over all people of the batch."""
        people = stored_people(photos)
        for person in people:
            if person.keeps_landmarks:
                person.runs = stored_runs(person)
        others = [person for person in people if not person.keeps_landmarks]
        super().process([replace(person.photo, people=[person]) for person in others])


class FitBodyAgain(FitBody):
    """The fit, after which nobody is surer of a crop than the photo had made him."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        super().process(photos)
        for person in stored_people(photos):
            if person.keeps_landmarks:
                person.fields |= doubts(person)


def doubts(person: StoredPerson) -> dict[str, object]:
    """What the record says of how the runs agreed, which is not to be seen in a crop; of the rest, the worse."""
    row, fields = person.row, person.fields
    agreement = {name: row[name] for name in ("pass_disagreement_deg", "flip_disagreement_deg")}
    spread = {name: max(fields[name], row[name]) for name in ("orientation_sigma_deg", "orientation_p_flip")}
    return agreement | spread


class ScoreAgain(ScorePerson):
    """Without the score that takes a network: picture and mask are fixed, and so is a second face in them."""

    def setup(self) -> None:
        """Nothing to load."""

    def faces_scores(self, person: Person) -> dict[str, object]:
        """None."""
        return {}


class StateForStored:
    """A new camera's intrinsics, for the picture as it is stored."""

    name = "state"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every living person."""
        for person in stored_people(photos):
            state_camera(person)


class StoreFaceInStored(StoreFace):
    """The face in the stored picture; whether it is the fitted head's is judged where the head's camera sees it."""

    def process(self, photos: list[Photo]) -> None:
        """Every person whose face was looked for."""
        for person in stored_people(photos):
            if person.face is not None:
                person.fields |= stored_face_fields(person, person.face)


def stored_face_fields(person: StoredPerson, face: Face) -> dict[str, object]:
    """Record fields of a face in photo pixels."""
    stored = face.moved(invert_affine(person.fields["crop_to_source"]))
    own = stored.moved(to_own_picture(person.fields["intrinsics"], person.fields["image_size"]))
    fields = face_fields(own, person)
    if fields["face_found"]:
        fields |= {"face_box": stored.box, "face_points": stored.points.ravel()}
    return fields


class StateUncertainty:
    """What follows from the record as it now stands; of uncertainty nothing where an import left no evidence."""

    name = "uncertainty"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every living person."""
        for person in stored_people(photos):
            fields = person.fields
            fields |= {"head_outside": head_outside(fields), "hand_on_head": hand_on_head(fields)}
            if fields["orientation_sigma_deg"] > 0:
                fields |= {"p_flip": p_flip(fields), "yaw_sigma_deg": yaw_sigma_deg(fields)}
