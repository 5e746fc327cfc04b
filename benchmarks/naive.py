"""The afternoon's script: the same networks, one photo after the other, one picture at a time, in one process.

    python benchmarks/naive.py PHOTOS OUT

What a competent person writes first, and `benchmarks/build.py` compares `phq build` with: ONNX Runtime as it opens a
session by default (a thread a core), both detectors on the photo and on all its tiles, three runs of the landmark
network a person, everything of a photo computed and its files written before the next is opened. No plan, no resume, no
scores, no duplicates, no shards. Crops, masks and labels are those of phq's own functions: the script is not made slow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import onnxruntime as ort
from PIL import Image as Pil

from phq.align.mask_from_landmarks import LandmarkMask
from phq.detect.candidates import Candidates, united
from phq.detect.fuse import fuse
from phq.detect.movenet import MAX_IOU, MoveNet
from phq.detect.nanodet import NanoDet
from phq.detect.tiles import look_at_tiles
from phq.people.person import Person, Photo, living
from phq.photos.decode import PhotoRejectError, decode
from phq.schema import plain
from phq.stages.crop_headshot import crop_person
from phq.stages.find_face import FindFace
from phq.stages.find_landmarks import FindLandmarks
from phq.stages.fit_body import FitBody, StartBody
from phq.stages.mask_person import mask_person
from phq.stages.orient_people import OrientPeople
from phq.stages.place_camera import PlaceCamera
from phq.stages.read_photos import source_of
from phq.system.arrays import Image
from phq.weights.embedded import checked_path

SIZE = 512


def default_session(name: str) -> Any:
    """As everybody opens a network."""
    return ort.InferenceSession(str(checked_path(name)), providers=["CPUExecutionProvider"])


class Networks:
    """All five, and the steps between them."""

    def __init__(self) -> None:
        self.thresholds = NanoDet.threshold, MoveNet.threshold
        self.nanodet, self.movenet = NanoDet(), MoveNet()
        self.steps = [FindLandmarks(), StartBody(), FindFace(), OrientPeople(), FitBody(), PlaceCamera()]
        for step in self.steps:
            step.setup()
        self.nanodet.session, self.movenet.session = default_session("nanodet"), default_session("movenet")
        for step, name in ((0, "blazepose-heavy"), (2, "centerface"), (3, "orientation")):
            self.steps[step].network.session = default_session(name)  # type: ignore[attr-defined]

    def people(self, photo: Photo) -> None:
        """Fill `photo.people`."""
        assert photo.pixels is not None
        height, width = photo.pixels.shape[:2]
        (boxes,) = self.nanodet.detect([photo.pixels], self.thresholds[0], tiles=True)
        found = fuse(boxes, self.skeletons(photo.pixels), self.thresholds, width, height)
        photo.people = [Person(photo, i, person.part()) for i, person in enumerate(found)]

    def skeletons(self, pixels: Image) -> Candidates:
        """MoveNet on the photo and on every tile."""
        whole, (inside, parts) = self.movenet.look(pixels), look_at_tiles(pixels, self.movenet.look)
        return united([whole, inside]).with_parts(parts, self.thresholds[1]).distinct(MAX_IOU)

    def annotate(self, photo: Photo) -> None:
        """From pixels to crops, masks and labels."""
        self.people(photo)
        for step in self.steps:
            step.process([photo])
        for person in living([photo]):
            if person.fit is not None:
                crop_person(person, SIZE)
                mask_person(person, LandmarkMask())


def open_photo(path: Path) -> Photo | None:
    """A decoded photo; None if the file is not one."""
    try:
        decoded = decode(path)
    except PhotoRejectError:
        return None
    return Photo(path, path.name, decoded.pixels, source_of(decoded))


def save(person: Person, stem: Path) -> None:
    """Crop, mask and labels as three files."""
    assert person.crop is not None
    assert person.crop_mask is not None
    Pil.fromarray(person.crop).save(f"{stem}.jpg", quality=95, subsampling=0)
    Pil.fromarray(person.crop_mask).save(f"{stem}.mask.png")
    Path(f"{stem}.json").write_text(json.dumps(plain(person.record())))


def main(photos: Path, out: Path) -> None:
    """Annotate a folder."""
    out.mkdir(parents=True, exist_ok=True)
    networks = Networks()
    for path in sorted(path for path in photos.rglob("*") if path.is_file()):
        photo = open_photo(path)
        if photo is None:
            continue
        networks.annotate(photo)
        for person in living([photo]):
            if person.crop is not None:
                save(person, out / f"{path.stem}_{person.index}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
