"""The input for annotating a stored person again: the raw photo, the stored crop, or the record alone.

All of it is in the photo's own pixels: a stored crop is put back where it was cut, and beyond it the photo is
black, as beyond any photo's border. So boxes, landmarks, focal length and the photo's middle stay what
they are, and the stages need not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from phq.align.crop import CropBox, cut
from phq.detect.fuse import Detection
from phq.people.person import Landmarks, Person, Photo, living
from phq.people.record import Keypoints, Source
from phq.photos.decode import Decoded
from phq.photos.region import Region, between_centres
from phq.photos.turn import turned
from phq.schema import Fields
from phq.system.arrays import Floats, Image

RAW, CROP, RECORD = "raw", "crop", "record"
"""What is looked at: the raw photo, the stored crop, no pixels at all."""
RUNS = 3
"""Runs of the landmark network on a person."""


@dataclass
class View(Photo):
    """What a person is looked at in, in the photo's pixels."""

    kind: str = RECORD
    """`RAW`, `CROP` or `RECORD`."""


@dataclass
class StoredPerson(Person):
    """A person with the record as it stands."""

    row: Fields = field(default_factory=dict)
    """Fields of `phq.schema.Row`, as the overlays below the new one leave them."""

    @property
    def view(self) -> View:
        """What the person is looked at in."""
        return cast(View, self.photo)

    @property
    def keeps_landmarks(self) -> bool:
        """The record has landmarks, which were found in the whole photo, and less than that is to be seen now."""
        return self.view.kind != RAW and self.row["pose_presence"] > 0


@dataclass
class StoredPhoto(Photo):
    """A photo with stored people, each with a `View` of their own."""

    samples: tuple[int, ...] = ()
    """Numbers of its samples in the dataset."""
    found: bool = False
    """`path` is the raw photo."""
    boxes: tuple[tuple[float, ...], ...] = ()
    """Of everybody in the raw photo, photo pixels."""


def stored_people(photos: list[Photo]) -> list[StoredPerson]:
    """People that no stage has rejected, in order."""
    return [cast(StoredPerson, person) for person in living(photos)]


def view_of(row: Fields, kind: str = RECORD, pixels: Image | None = None) -> View:
    """The photo's frame, with its pixels if there are any."""
    return View(Path(row["source_path"]), row["source_path"], pixels, Source.of(row), kind=kind)


def raw_view(row: Fields, decoded: Decoded) -> View | None:
    """The photo itself; None if it is not the picture that the record speaks of."""
    if decoded.sha256 != row["source_sha256"]:
        return None
    pixels = turned(decoded.pixels, row["photo_turn_deg"])
    same = pixels.shape[:2] == (row["image_height"], row["image_width"])
    return view_of(row, RAW, pixels) if same else None


def crop_view(row: Fields, crop: Image) -> View:
    """The photo as far as the stored crop shows it, black elsewhere."""
    affine = np.reshape(row["crop_to_source"], (2, 3))
    return view_of(row, CROP, laid_back(crop, affine, row["image_width"], row["image_height"]))


def laid_back(crop: Image, crop_to_source: Floats, width: int, height: int) -> Image:
    """height × width × 3: a crop (N × N × 3) where it was cut, as large as it was; black elsewhere."""
    scale, origin = crop_to_source[0, 0], np.floor(crop_to_source[:, 2])
    small = max(1, round(len(crop) * min(scale, 1.0)))
    picture = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA) if small < len(crop) else crop
    per_px = small / (len(crop) * scale)
    to_picture = np.column_stack([np.eye(2), origin - crop_to_source[:, 2]]) * per_px
    side = int(np.ceil(scale * len(crop))) + 1
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(picture, between_centres(to_picture), (side, side), flags=flags)
    canvas = np.zeros((height, width, 3), np.uint8)
    x, y = (int(v) for v in origin)
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    canvas[y0:y1, x0:x1] = patch[y0 - y : max(y1 - y, 0), x0 - x : max(x1 - x, 0)]
    return canvas


def cut_again(row: Fields, pixels: Image) -> Image:
    """size × size × 3: the stored picture from the raw photo, without the losses of JPEG."""
    (scale, _, x0), (_, _, y0) = np.reshape(row["crop_to_source"], (2, 3))
    return cut(pixels, CropBox(float(x0), float(y0), float(scale * row["image_size"])), row["image_size"])


def person_in(row: Fields, view: View) -> StoredPerson:
    """The person with every part of the record, as the stages have them."""
    person = StoredPerson.of(view, row)
    person.row = row
    return person


def bystanders(person: StoredPerson, boxes: tuple[tuple[float, ...], ...]) -> list[Person]:
    """The others in the raw photo, as boxes alone: neighbours of the person (`phq.detect.neighbours`)."""
    own = person.box.edges
    others = [np.array(box) for box in boxes if not np.allclose(box, own)]
    return [Person(Photo(Path(), ""), number, Detection(box).part()) for number, box in enumerate(others)]


def stored_runs(person: StoredPerson) -> list[Landmarks]:
    """The landmarks of the record in place of the runs whose median they are; without regions and masks."""
    stored, nowhere = Keypoints.of(person.row), Region(0.0, 0.0, 1.0)
    found = stored.keypoints_2d, stored.keypoints_3d, stored.keypoints_visibility, stored.pose_presence
    return [Landmarks(nowhere, *found, np.zeros((2, 2)), np.zeros((1, 1), np.float32))] * RUNS
