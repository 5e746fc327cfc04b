"""What a network offers in each slot of the pipeline: one small protocol a slot.

A back end is a class. Importing its module is cheap; `weights` states the files it would load, without loading them;
its constructor loads, once a worker. The spec in the configuration is ``NAME`` or ``NAME:WEIGHTS``; the part after
the colon is the constructor's argument (a name in ``phq weights list`` or a path; '' for the back end's own choice).
Every picture is H × W × 3 uint8 RGB, upright. A back end is deterministic and writes nothing; it raises `WeightError`
for weights it cannot load and `MissingExtraError` where its package is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from phq.detect.boxes import Boxes
from phq.detect.candidates import Candidates
from phq.people.person import BodyPose, Face, HeadPose, Landmarks
from phq.photos.region import Region
from phq.system.arrays import Floats, Image
from phq.weights.embedded import Weight

SLOTS = ("detector", "skeleton", "landmarks", "face", "body", "headpose", "identity", "mask")


class Backend(Protocol):
    """Common to all back ends. A ``wants`` (`phq.system.resources.Resources`) may state what a worker needs for it."""

    name: str
    """Its name in the configuration, without weights."""

    def __init__(self, weights: str = "") -> None:
        """Load the network.

        Raises:
            WeightError: there are no such weights, or they cannot be read.
            MissingExtraError: its package is not installed.
        """

    @classmethod
    def weights(cls, weights: str = "") -> tuple[Weight, ...]:
        """The files it would load, with sha256 and licence; the same errors as the constructor."""


class Detector(Backend, Protocol):
    """Finds people as boxes."""

    threshold: float
    """Score from which a box is believed, unless the configuration sets ``detect.threshold``."""

    def detect(self, pictures: Sequence[Image], threshold: float, tiles: bool) -> list[Candidates]:
        """Candidates of each picture, best first, weaker ones included (the other network may believe in them too).

        Args:
            threshold: score from which a candidate is believed.
            tiles: whether to look at the tiles of a large photo too (`phq.detect.tiles.look_at_tiles`).

        Returns:
            Boxes in pixels of each picture; with keypoints where the network has them.
        """


class Skeleton(Backend, Protocol):
    """Finds 17 COCO keypoints a person, with boxes of its own or on the detector's."""

    threshold: float
    """Score from which a person is believed, unless the configuration sets ``detect.skeleton_threshold``."""

    def find(self, pixels: Image, boxes: Candidates, thresholds: tuple[float, float], tiles: bool) -> Candidates:
        """People with keypoints, best first.

        Args:
            boxes: the detector's candidates.
            thresholds: of the detector and of this network.
        """


class LandmarkNetwork(Backend, Protocol):
    """33 landmarks of BlazePose's kind in pixels and metres, with a mask, of the one person in a region."""

    def run(self, jobs: list[tuple[Image, Region, bool]]) -> list[Landmarks]:
        """One `Landmarks` a job (photo, region, mirrored); a mirrored job is run on the mirror image and mirrored back.

        Without a person, `presence` is 0.
        """


class FaceNetwork(Backend, Protocol):
    """The most face-like place of a square picture."""

    side: int
    """Pixels a side of the square that it is shown."""

    def detect(self, square: Image) -> Face:
        """Best face, in fractions of the side; a score from `phq.detect.centerface.FACE_FOUND` up is a face."""


class BodyNetwork(Backend, Protocol):
    """Pose and place of a body of the SMPL family, in place of phq's own fit."""

    def estimate(self, jobs: Sequence[tuple[Image, Boxes]]) -> list[BodyPose]:
        """The person in each box.

        Args:
            jobs: photo, and (4,) box of the person in its pixels.
        """


class HeadPoseNetwork(Backend, Protocol):
    """Yaw, pitch and roll of heads."""

    frontal: bool
    """It knows faces alone: it is not asked about a head that is seen from the side or from behind."""

    def estimate(self, jobs: Sequence[tuple[Image, Boxes]]) -> list[HeadPose]:
        """The head in each box.

        Args:
            jobs: photo, and (4,) box of the head in its pixels, from the crown to the chin, hair included; it may reach
                beyond the photo.
        """


class IdentityNetwork(Backend, Protocol):
    """Identity of a face: a direction in a space where pictures of one person are close together."""

    same: float
    """Cosine from which two embeddings count as one person."""

    def embed(self, pixels: Image, face: Face) -> Floats:
        """(D,) of unit length, from the photo and the face in it (photo pixels)."""


class MaskNetwork(Backend, Protocol):
    """The mask of one person."""

    def segment(self, crop: Image, hint: NDArray[np.float32]) -> NDArray[np.float32]:
        """Soft mask of the stored crop, size × size in 0..1, of the person in `hint`.

        Args:
            hint: size × size soft mask of that person by the landmark network: coarse, but of the right one.
        """
