"""A pipeline without networks: each photo is a line of text that says how many people are in it.

Builds with it take milliseconds, so that they can be killed, extended and restarted many times.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from phq.building import build as building
from phq.building.finalise import dataset
from phq.camera.angles import camera_angles
from phq.camera.convention import CONVENTION, intrinsics, orbit
from phq.config.build import Config
from phq.people.person import Person, Photo
from phq.people.record import Source
from phq.photos.archives import TarMember, ZipMember
from phq.schema import Sample, column_kind
from phq.stages.encode_sample import EncodeSample
from phq.stages.pipeline import Pipeline

SIDE = 64


def content_of(photo: Photo) -> bytes:
    """The file, the member of an archive, or of another entry a line that follows from its digest."""
    if isinstance(photo.entry, ZipMember):
        return zipfile.ZipFile(photo.path).read(photo.entry.name)
    if isinstance(photo.entry, TarMember):
        content = photo.path.read_bytes()
        return content[photo.entry.offset : photo.entry.offset + photo.entry.size]
    if photo.entry is not None:
        return f"people 1 {photo.entry.sha256(photo.path)}".encode()
    return photo.path.read_bytes()


class Invent:
    """People with a crop and a record that follow from the photo's bytes alone."""

    name = "invent"

    def setup(self) -> None:
        """Nothing to load."""

    def process(self, photos: list[Photo]) -> None:
        """Every photo that is not rejected."""
        for photo in photos:
            if photo.rejected is None:
                self._one(photo)

    def _one(self, photo: Photo) -> None:
        data = content_of(photo)
        digest = hashlib.sha256(data)
        photo.source = Source(digest.hexdigest())
        if not data.startswith(b"people "):
            photo.reject("not_an_image", "no people in it")
            return
        for index in range(int(data.split()[1])):
            photo.people.append(self._person(photo, index, digest.digest()))

    def _person(self, photo: Photo, index: int, seed: bytes) -> Person:
        rng = np.random.default_rng([index, *seed])
        crop = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
        mask = np.where(rng.random((SIDE, SIDE)) < 0.5, 0, 255).astype(np.uint8)
        row = {name: value(name, rng) for name in Sample.model_fields}
        # what a decoded file would have said
        photo.source = replace(photo.source, image_width=120, image_height=240, focal_px=300.0)
        camera = orbit(float(rng.integers(-179, 180)), 4.0)
        angles = zip(("camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg"), camera_angles(camera), strict=True)
        row |= {
            "person_index": index, "box_x0": 0.0, "box_y0": 0.0, "box_x1": 100.0, "box_y1": 200.0, "image_size": SIDE,
            "camera_convention": CONVENTION, "cam2world": camera, "intrinsics": intrinsics(), **dict(angles),
            "crop_to_source": [4.0, 0.5, 10.0, -0.5, 4.0, 20.0],
            "mask_fraction": float((mask > 0).mean()),
            "phash": f"{rng.integers(0, 2**63):016x}", "phash_mirror": f"{rng.integers(0, 2**63):016x}",
        }  # fmt: skip
        person = Person.of(photo, row)
        person.crop, person.crop_mask = crop, mask
        return person


def value(name: str, rng: np.random.Generator) -> Any:
    """Some value of a field."""
    kind, length = column_kind(name)
    if kind is str:
        return ""
    numbers = [kind(n) for n in rng.integers(0, 2, length or 1)]
    return numbers if length else numbers[0]


def stages(config: Config, sidecar: object = None) -> list[Any]:
    """In place of `phq.stages.pipeline.stages`."""
    return [Invent(), EncodeSample(config.crop.jpeg_quality)]


def pipeline(config: Config, sidecar: object = None) -> Pipeline:
    """In place of `phq.building.carrying.pipeline_of`."""
    return Pipeline(stages(config, sidecar))


def use_networkless_pipeline(patch: Any) -> None:
    """Let builds of this process and of its workers use the networkless pipeline."""
    patch.setattr(building, "pipeline_of", pipeline)
    patch.setattr(building, "weights_used", lambda config: [])
    patch.setattr(dataset, "draw_sheet", lambda *_: None)  # half of the time of such a build


def photos(folder: Path, names: Sequence[str], people: int = 2) -> Path:
    """Photos whose content follows from their names; every tenth has nobody in it."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        number = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16)
        path.write_bytes(b"nothing " + name.encode() if number % 10 == 0 else f"people {people} {name}".encode())
    return folder


def names(count: int, first: int = 0) -> list[str]:
    """Names of photos."""
    return [f"{number:04d}.jpg" for number in range(first, first + count)]


def digests(out: Path) -> dict[str, str]:
    """sha256 of every file but the record of the run, which has times in it."""
    files = (p for p in sorted(out.rglob("*")) if p.is_file() and p.name != "run.json")
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
