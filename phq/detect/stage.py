"""Stage: the people of a photo, as fused boxes."""

from __future__ import annotations

from phq.detect.fuse import Detection, fuse
from phq.detect.movenet import MoveNet
from phq.detect.nanodet import NanoDet
from phq.resources import Resources
from phq.schema import plain
from phq.work import Image, Person, Photo


class DetectPeople:
    """Fills `photo.people`; a photo without anybody is rejected as ``no_person``."""

    name = "detect"
    wants = Resources(memory=200 << 20)
    """Two networks and the largest of their layers."""

    def __init__(self, nanodet_threshold: float, movenet_threshold: float, tiles: bool) -> None:
        self._options = nanodet_threshold, movenet_threshold, tiles

    def setup(self) -> None:
        """Load both detectors."""
        nanodet_threshold, movenet_threshold, tiles = self._options
        self.nanodet = NanoDet(nanodet_threshold, tiles)
        self.movenet = MoveNet(movenet_threshold, tiles)

    def process(self, photos: list[Photo]) -> None:
        """Detect in every photo of the batch."""
        for photo in photos:
            if photo.rejected is not None or photo.pixels is None:
                continue
            people = self.detect(photo.pixels)
            photo.people = [Person(photo, i, fields_of(p)) for i, p in enumerate(people)]
            if not people:
                photo.reject("no_person", "neither detector saw anybody")

    def detect(self, pixels: Image) -> list[Detection]:
        """People in an H × W × 3 RGB image, left to right."""
        height, width = pixels.shape[:2]
        boxes = self.nanodet.detect(pixels)
        skeletons = self.movenet.detect(pixels, boxes, self.nanodet.threshold)
        return fuse(boxes, skeletons, self._options[:2], width, height)


def fields_of(person: Detection) -> dict[str, object]:
    """Record fields of a detection; the box as it is stored, so that annotating again starts from the very same."""
    edges = plain(dict(zip(("box_x0", "box_y0", "box_x1", "box_y1"), person.box.tolist(), strict=True)))
    return {
        **edges,
        "detectors": person.detectors,
        "detection_score": person.score,
        "nanodet_score": person.nanodet_score,
        "movenet_score": person.movenet_score,
        "has_movenet_keypoints": person.movenet_score > 0,
        "movenet_keypoints": person.keypoints.ravel(),
    }
