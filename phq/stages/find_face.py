"""Stages: is there a face where the head should be? Evidence only; having none rejects no person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phq.align.crop import start_region
from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.centerface import FACE_FOUND, CenterFace
from phq.detect.neighbours import own_pixels
from phq.people.person import Person, Photo, known, living
from phq.people.record import FaceIdentity, HiddenFace
from phq.photos.region import Region, invert_affine, sample
from phq.pose.orient.crop import orientation_region
from phq.quality.head_face import head_centre, head_face
from phq.quality.pixelation import pixelation

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
                self._look(person, start_region(person.start))

    def _look(self, person: Person, region: Region) -> None:
        pixels = own_pixels(person)
        square, to_photo = sample(pixels, region, self.network.side), region.to_photo(1)
        if isinstance(self.network, CenterFace) and pixels is person.photo.pixels:
            face, faces = self.network.look(square)
            person.faces = faces.moved(to_photo)
        else:
            face, person.faces = self.network.detect(square), None
        person.face = face.moved(to_photo)
        skull = orientation_region(known(person.start)).head
        person.hidden_face = HiddenFace(0.0 if face.score > FACE_FOUND else pixelation(pixels, skull))


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
