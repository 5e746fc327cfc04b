"""Stage: every score of a person that needs pixels or the finished labels."""

from __future__ import annotations

from functools import cached_property

from phq.detect.centerface import CenterFace
from phq.people.person import Faces, Person, Photo, known, living
from phq.people.record import Obstruction, Uncertainty
from phq.photos.region import invert_affine
from phq.quality.flip import p_flip
from phq.quality.framing import hand_on_head, head_outside
from phq.quality.image_scores import image_scores
from phq.quality.occlusion import occluded, others_in_crop
from phq.quality.second_face import faces_of, second_face
from phq.quality.sigma import yaw_sigma_deg


class ScorePerson:
    """Scores only; deciding is done over stored scores."""

    name = "score"

    def setup(self) -> None:
        """Nothing to load: the face network is opened for the first person whom the stage before did not show it."""

    @cached_property
    def faces(self) -> CenterFace:
        """The network that the scores are calibrated for."""
        return CenterFace()

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop and its mask."""
        for person in living(photos):
            if person.crop is not None and person.crop_mask is not None:
                size = person.photo.source.size
                person.image_scores = image_scores(person.crop, person.crop_mask, known(person.frame), size)
                self.score_labels(person)

    def score_labels(self, person: Person) -> None:
        """Scores that follow from the labels, or take a network."""
        person.obstruction = Obstruction(
            others_in_crop=others_in_crop(person),
            occluded_fraction=occluded(person),
            second_face=second_face(self._faces(person), known(person.crop_mask)),
            head_outside=head_outside(person),
            hand_on_head=hand_on_head(person),
        )
        record = person.record()
        person.uncertainty = Uncertainty(p_flip(record), yaw_sigma_deg(record))

    def _faces(self, person: Person) -> Faces:
        """Of the look at nearly the same square that was for the fit; without one, of a look at the crop."""
        if person.faces is not None:
            return person.faces.moved(invert_affine(known(person.frame).crop_to_source))
        return faces_of(self.faces, known(person.crop))
