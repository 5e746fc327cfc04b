"""Stage: the people of a photo, as fused boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phq.detect.backends.offers import open_backend, wants_of
from phq.detect.candidates import Candidates, united
from phq.detect.fuse import Detection, fuse
from phq.people.person import Person, Photo
from phq.system.arrays import Image
from phq.system.resources import summed

if TYPE_CHECKING:
    from phq.config.build import Detect, Models
    from phq.detect.backends.protocols import Detector, Skeleton


class DetectPeople:
    """Sets the people of a photo; a photo without people is rejected as ``no_person``."""

    name = "detect"

    def __init__(self, options: Detect, models: Models) -> None:
        self.options, self.models = options, models
        self.wants = summed([wants_of("detector", models.detector), wants_of("skeleton", models.skeleton)])

    def setup(self) -> None:
        """Load the detector and the skeleton network, if there is one."""
        self.detector: Detector = open_backend("detector", self.models.detector)
        self.skeleton: Skeleton | None = open_backend("skeleton", self.models.skeleton)
        skeleton = self.skeleton.threshold if self.skeleton else self.detector.threshold
        self.thresholds = self.options.threshold or self.detector.threshold, self.options.skeleton_threshold or skeleton

    def process(self, photos: list[Photo]) -> None:
        """Detect in every photo of the batch."""
        decoded = [(photo, photo.pixels) for photo in photos if photo.rejected is None and photo.pixels is not None]
        detections = self.detect([pixels for _, pixels in decoded])
        for (photo, _), people in zip(decoded, detections, strict=True):
            photo.people = [Person(photo, i, p.part()) for i, p in enumerate(people)]
            if not people:
                photo.reject("no_person", "no detector saw anybody")

    def detect(self, pictures: list[Image]) -> list[list[Detection]]:
        """People in each H × W × 3 RGB image, left to right."""
        boxes = self.detector.detect(pictures, self.thresholds[0], self.options.tiles)
        return [self._people(pixels, own) for pixels, own in zip(pictures, boxes, strict=True)]

    def _people(self, pixels: Image, boxes: Candidates) -> list[Detection]:
        height, width = pixels.shape[:2]
        skeletons = united([])
        if self.skeleton:
            skeletons = self.skeleton.find(pixels, boxes, self.thresholds, self.options.tiles)
        networks = self.detector.name, self.skeleton.name if self.skeleton else ""
        return fuse(boxes, skeletons, self.thresholds, width, height, networks)
