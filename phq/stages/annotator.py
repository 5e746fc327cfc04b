"""`Annotator`: the people of one image in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from phq.config.build import Config, load_config
from phq.detect.boxes import Boxes, area, clip
from phq.detect.fuse import Detection
from phq.errors import RejectError
from phq.people.person import Person, Photo, known
from phq.people.record import Source
from phq.photos.exif import assumed_focal_px
from phq.schema import Sample
from phq.stages.detect_people import DetectPeople
from phq.stages.gate import Gate
from phq.stages.pipeline import Pipeline, stages
from phq.stages.read_photos import ReadPhotos
from phq.stages.turn_upright import TurnUpright
from phq.system.arrays import Image


@dataclass(frozen=True)
class Annotation:
    """One person: the record, the stored image and its mask."""

    sample: Sample
    image: Image
    """size × size × 3 RGB."""
    mask: Image
    """size × size, 0 or 255."""


class Annotator:
    """Loads the networks once; then `annotate` for each picture."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or load_config("everything")
        chain = [s for s in stages(self.config) if not isinstance(s, (ReadPhotos, DetectPeople, Gate, TurnUpright))]
        self._rest = Pipeline(chain)
        self._rest.open()
        self._detect = DetectPeople(self.config.detect, self.config.models)
        self._detect.setup()

    def annotate(self, image: Image, box: Sequence[float] | None = None, name: str = "array") -> list[Annotation]:
        """Annotate every person of an upright H × W × 3 uint8 RGB image, left to right.

        Args:
            box: x0, y0, x1, y1 in pixels; only this person, and no detection.
            name: the ``source_path`` of the records.

        Raises:
            ValueError: not an H × W × 3 uint8 array, or a box wholly outside the image.
            RejectError: no person could be annotated; with the reason of the first.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"expected H × W × 3 uint8 RGB, got {image.dtype} of shape {image.shape}")
        photo = Photo(Path(name), name, image, _source(image))
        if box is None:
            self._detect.process([photo])
        else:
            given = Detection(_box_in(image, box), 1.0, networks=("given", ""))
            photo.people = [Person(photo, 0, given.part())]
        (annotations,) = map(_annotations, self._rest.each([photo]))
        return annotations


def _box_in(image: Image, box: Sequence[float]) -> Boxes:
    """(4,) the box cut at the image's borders, as detected boxes are."""
    edges = clip(np.asarray(box, float), image.shape[1], image.shape[0]) if len(box) == 4 else np.zeros(4)
    if not (np.isfinite(edges).all() and area(edges) > 0):
        raise ValueError(f"expected a box x0, y0, x1, y1 with a part of the image in it, got {tuple(box)}")
    return edges


def _source(image: Image) -> Source:
    height, width = image.shape[:2]
    digest = hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
    return Source(digest, width, height, False, assumed_focal_px(width, height))


def _annotations(photo: Photo) -> list[Annotation]:
    found = []
    for person in photo.people:
        if "json" in person.members and person.crop is not None and person.crop_mask is not None:
            found.append(Annotation(Sample.model_validate_json(person.members["json"]), person.crop, person.crop_mask))
    if not found:
        reject = known(photo.rejected or photo.people[0].rejected)
        raise RejectError(reject.reason, reject.detail)
    return found
