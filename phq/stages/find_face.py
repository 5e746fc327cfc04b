"""Stages: is there a face where the head should be? Evidence only; having none rejects no person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phq.align.crop import start_region
from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.neighbours import own_pixels
from phq.people.person import Photo, known, living
from phq.people.record import FaceIdentity
from phq.photos.region import invert_affine, sample
from phq.quality.head_face import head_centre, head_face

if TYPE_CHECKING:
    from phq.detect.backends.protocols import FaceNetwork


class FindFace:
    """A face network on the headshot that the closed-form fit would cut."""

    name = "face"

    def __init__(self, spec: str = "centerface") -> None:
        self.spec = spec
        self.wants = wants_of("face", spec)

    def setup(self) -> None:
        """Load the network."""
        self.network: FaceNetwork = open_backend("face", self.spec)

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a start."""
        for person in living(photos):
            if person.start is not None:
                region = start_region(person.start)
                face = self.network.detect(sample(own_pixels(person), region, self.network.side))
                person.face = face.moved(region.to_photo(1))


class StoreFace:
    """The face in the stored picture, if it is that of the fitted head."""

    name = "store_face"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person that has a crop."""
        for person in living(photos):
            if person.face is not None and person.frame is not None:
                in_crop = person.face.moved(invert_affine(person.frame.crop_to_source))
                centre = head_centre(known(person.camera).cam2world, known(person.body).neck_head_pose)
                person.head_face = head_face(in_crop, person.frame.image_size, centre)
                person.identity = FaceIdentity()
