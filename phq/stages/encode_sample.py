"""Stage: the three encoded members of a sample."""

from __future__ import annotations

import hashlib
import io

from PIL import Image as Pil

from phq.people import Person, Photo, living
from phq.schema import PROVENANCE, SCHEMA_VERSION, make_sample, sample_to_json


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
    """Fill `person.members` and the key.

    Raises:
        pydantic.ValidationError: a stage left a field out.
    """
    assert person.crop is not None
    assert person.crop_mask is not None
    jpg = io.BytesIO()
    Pil.fromarray(person.crop).save(jpg, "JPEG", quality=jpeg_quality, subsampling=0)
    mask = io.BytesIO()
    Pil.fromarray(person.crop_mask).save(mask, "PNG")
    person.fields |= {
        "schema_version": SCHEMA_VERSION,
        "key": hashlib.sha256(jpg.getvalue()).hexdigest()[:16],
        "person_index": person.index,
    }
    sample = make_sample(photo_fields(person.photo) | person.fields)
    person.members = {"jpg": jpg.getvalue(), "json": sample_to_json(sample), "mask.png": mask.getvalue()}


def photo_fields(photo: Photo) -> dict[str, object]:
    """Record fields that belong to the photo; what nobody stated about it is ''."""
    return {"source_path": photo.name, **dict.fromkeys(PROVENANCE, ""), **photo.fields}
