"""Stages that differ from the pipeline's because the stored picture is fixed, or all there is."""

from __future__ import annotations

from dataclasses import replace

from phq.curate.annotate.views import StoredPerson, stored_people, stored_runs
from phq.curate.annotate.window import state_camera, to_own_picture
from phq.people.person import Face, Person, Photo, known
from phq.people.record import Agreement, FaceIdentity, HeadFace, Orientation, Uncertainty
from phq.photos.region import invert_affine
from phq.quality.flip import p_flip
from phq.quality.framing import hand_on_head, head_outside
from phq.quality.head_face import head_centre, head_face
from phq.quality.sigma import yaw_sigma_deg
from phq.stages.find_face import StoreFace
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
    """The fit; a crop never makes a label more certain than the photo did."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        super().process(photos)
        for person in stored_people(photos):
            if person.keeps_landmarks:
                state_doubts(person)


def state_doubts(person: StoredPerson) -> None:
    """Keep the record's agreement of the runs, which a crop does not show; of the other doubts, the larger."""
    person.agreement, before, now = Agreement.of(person.row), Orientation.of(person.row), known(person.orientation)
    person.orientation = replace(
        now,
        orientation_sigma_deg=max(now.orientation_sigma_deg, before.orientation_sigma_deg),
        orientation_p_flip=max(now.orientation_p_flip, before.orientation_p_flip),
    )


class ScoreAgain(ScorePerson):
    """Scores of the stored pixels; a second face in them, and other people, are as fixed as they are."""

    def setup(self) -> None:
        """Nothing to load."""

    def score_labels(self, person: Person) -> None:
        """Left to `StateUncertainty`."""


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
                person.head_face, person.identity = stored_face(person, person.face), FaceIdentity()


def stored_face(person: StoredPerson, face: Face) -> HeadFace:
    """The record's part about a face in photo pixels."""
    frame, camera = known(person.frame), known(person.camera)
    stored = face.moved(invert_affine(frame.crop_to_source))
    own = stored.moved(to_own_picture(camera.intrinsics, frame.image_size))
    found = head_face(own, frame.image_size, head_centre(camera.cam2world, known(person.body).neck_head_pose))
    return replace(found, face_box=stored.box, face_points=stored.points) if found.face_found else found


class StateUncertainty:
    """What follows from the record as it now stands; of uncertainty nothing where an import left no evidence."""

    name = "uncertainty"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every living person."""
        for person in stored_people(photos):
            outside, hand = head_outside(person), hand_on_head(person)
            person.obstruction = replace(known(person.obstruction), head_outside=outside, hand_on_head=hand)
            if known(person.orientation).orientation_sigma_deg > 0:
                person.uncertainty = Uncertainty(p_flip(person.record()), yaw_sigma_deg(person.record()))
