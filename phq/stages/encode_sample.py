"""Stage: the three encoded members of a sample."""

from __future__ import annotations

import hashlib
import io

from PIL import Image as Pil

from phq.people.person import Person, Photo, known, living
from phq.schema import make_sample, sample_to_json


class EncodeSample:
    """jpg (4:4:4, so that colour edges survive), json, mask.png; the key is the hash of the jpg's bytes."""

    name = "encode"

    def __init__(self, jpeg_quality: int) -> None:
        self.jpeg_quality = jpeg_quality

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every person whose record is complete."""
        for person in living(photos):
            encode_person(person, self.jpeg_quality)


def encode_person(person: Person, jpeg_quality: int) -> None:
    """Set the key and the members.

    Raises:
        pydantic.ValidationError: a stage left a part of the record out.
    """
    jpg, mask = io.BytesIO(), io.BytesIO()
    Pil.fromarray(known(person.crop)).save(jpg, "JPEG", quality=jpeg_quality, subsampling=0)
    Pil.fromarray(known(person.crop_mask)).save(mask, "PNG")
    person.key = hashlib.sha256(jpg.getvalue()).hexdigest()[:16]
    sample = make_sample(person.photo.record() | person.record())
    person.members = {"jpg": jpg.getvalue(), "json": sample_to_json(sample), "mask.png": mask.getvalue()}
