"""The record of one person in typed parts, each written by one stage.

Attributes are named as the columns of `phq.schema.Sample` that they are stored in, whose descriptions state units,
axes and signs. In memory every array has its natural shape (`SHAPES`); a record stores it flat and rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from phq.schema import BOX, column_kind
from phq.system.arrays import Bools, Floats

if TYPE_CHECKING:
    from typing import Self

SHAPES = {
    "keypoints_2d": (33, 2),
    "keypoints_3d": (33, 3),
    "coco_keypoints": (17, 3),
    "smpl_pose": (24, 3),
    "neck_head_pose": (2, 3),
    "cam2world": (4, 4),
    "intrinsics": (3, 3),
    "crop_to_source": (2, 3),
    "face_points": (5, 2),
}
"""Shape in memory of the columns that are more than a vector."""
VISIBLE = 0.5
"""Visibility from which a landmark inside the photo counts as visible."""


@dataclass(frozen=True)
class Part:
    """Some columns of a record."""

    def columns(self) -> dict[str, Any]:
        """Values by name of the column."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """The part out of a stored row, whose lists may be flat."""
        return cls(**{field.name: _shaped(field.name, row[field.name]) for field in fields(cls)})

    @classmethod
    def unmeasured(cls) -> Self:
        """The part that claims nothing: every number 0, every text '', every flag false."""
        return cls.of({field.name: unmeasured(field.name) for field in fields(cls)})


def unmeasured(column: str) -> Any:
    """Value of a column that claims nothing: 0, '' or false."""
    kind, length = column_kind(column)
    return [kind()] * length if length else kind()


def _shaped(column: str, value: Any) -> Any:
    return np.reshape(value, SHAPES.get(column, -1)) if isinstance(value, (list, np.ndarray)) else value


@dataclass(frozen=True)
class Source(Part):
    """The photo's file. What is not known yet, or never was because the file is damaged, is '' or 0."""

    source_sha256: str = ""
    image_width: int = 0
    image_height: int = 0
    has_focal: bool = False
    focal_px: float = 0.0
    photo_turn_deg: int = 0
    photo_turn_score: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, pixels."""
        return self.image_width, self.image_height

    def columns(self) -> dict[str, Any]:
        """Only what is known."""
        known = {name: value for name, value in super().columns().items() if value}
        flags = {name: getattr(self, name) for name in ("has_focal", "photo_turn_deg", "photo_turn_score")}
        return known | (flags if self.focal_px else {})


@dataclass(frozen=True)
class Provenance(Part):
    """What is stated about a photo beside its file; '' where nothing is."""

    licence: str = ""
    author: str = ""
    source: str = ""
    identity: str = ""


@dataclass(frozen=True)
class PersonBox(Part):
    """Where the person is in the photo, and what the detection networks say."""

    box_x0: float
    box_y0: float
    box_x1: float
    box_y1: float
    detectors: str
    detection_score: float
    detector_score: float
    skeleton_score: float
    has_coco_keypoints: bool
    coco_keypoints: Floats
    """(17, 3) x, y in photo pixels, score."""

    @property
    def edges(self) -> Floats:
        """(4,) x0, y0, x1, y1 in photo pixels."""
        return np.array([getattr(self, name) for name in BOX])


@dataclass(frozen=True)
class Keypoints(Part):
    """Median of the landmark network's runs."""

    keypoints_2d: Floats
    """(33, 2) photo pixels."""
    keypoints_3d: Floats
    """(33, 3) metres, hip-centre origin, OpenCV axes."""
    keypoints_visibility: Floats
    """(33,) in 0..1."""
    pose_presence: float

    def visible(self, photo_size: tuple[int, int]) -> Bools:
        """(33,) whether a landmark is inside the photo (width, height) and the network calls it visible."""
        inside = ((self.keypoints_2d >= 0) & (self.keypoints_2d <= photo_size)).all(1)
        return np.asarray(inside & (self.keypoints_visibility > VISIBLE))


@dataclass(frozen=True)
class Agreement(Part):
    """How far the runs of the landmark network differ in the torso's yaw, degrees."""

    pass_disagreement_deg: float
    flip_disagreement_deg: float


@dataclass(frozen=True)
class Orientation(Part):
    """The orientation network fused with the landmarks: torso yaw before the fit, its spread, and the doubt."""

    orientation_sigma_deg: float
    orientation_p_flip: float
    orientation_yaw_deg: float


@dataclass(frozen=True)
class FitScores(Part):
    """How well the fitted body explains what was detected."""

    reprojection_error: float
    hypothesis_margin: float


@dataclass(frozen=True)
class CameraLabel(Part):
    """The camera over 360°, and the head's angles as it sees them."""

    camera_convention: str
    cam2world: Floats
    """(4, 4)."""
    intrinsics: Floats
    """(3, 3), normalised by the image side."""
    camera_yaw_deg: float
    camera_pitch_deg: float
    camera_roll_deg: float
    head_yaw_deg: float
    head_pitch_deg: float
    head_roll_deg: float


@dataclass(frozen=True)
class BodyLabel(Part):
    """The posed body in the camera's axes."""

    body_model: str
    smpl_pose: Floats
    """(24, 3) axis-angle, radians."""
    smpl_betas: Floats
    """(10,)."""
    smpl_transl: Floats
    """(3,) metres."""
    pose_observed: list[bool] | NDArray[np.bool_]
    """24 flags."""
    neck_head_pose: Floats
    """(2, 3) axis-angle of neck and head, radians."""


@dataclass(frozen=True)
class CropFrame(Part):
    """Where the stored image lies in the photo."""

    image_size: int
    crop_to_source: Floats
    """(2, 3) affine from crop to photo pixels."""
    crop_side_px: float
    photo_in_crop: Floats
    """(4,) x0, y0, x1, y1 in crop pixels."""
    source_px_per_px: float
    head_px: float
    padding_fraction: float


@dataclass(frozen=True)
class MaskScores(Part):
    """Extent and certainty of the person's mask."""

    mask_fraction: float
    mask_confidence: float


@dataclass(frozen=True)
class HeadFace(Part):
    """The face at the fitted head; zeros if there is none."""

    face_found: bool
    face_score: float
    face_box: Floats
    """(4,) crop pixels."""
    face_points: Floats
    """(5, 2) crop pixels."""


@dataclass(frozen=True)
class HiddenFace(Part):
    """How clearly a face that no network finds was pixelated, see `phq.quality.pixelation`; 0 where one was found."""

    face_pixelation: float


@dataclass(frozen=True)
class FaceIdentity(Part):
    """Embedding of that face, and the network that made it; '' if there is none."""

    face_embedding: str = ""
    face_network: str = ""


@dataclass(frozen=True)
class ImageScores(Part):
    """Scores of the stored pixels."""

    blur: float
    laplacian_var: float
    luminance: float
    underexposed: float
    overexposed: float
    noise: float
    niqe: float
    blockiness: float
    phash: str
    phash_mirror: str
    appearance: Floats
    """(24,)."""


@dataclass(frozen=True)
class Obstruction(Part):
    """What hides or cuts head and shoulders: other people, the photo's border, the person's own hands."""

    others_in_crop: float
    occluded_fraction: float
    second_face: float
    head_outside: float
    hand_on_head: float


@dataclass(frozen=True)
class Uncertainty(Part):
    """How sure the torso's yaw is."""

    p_flip: float
    yaw_sigma_deg: float


@dataclass(frozen=True)
class NearestThreshold(Part):
    """The threshold that rejected a person before the end; columns of `phq.schema.Row`."""

    score_name: str
    threshold: float
    margin: float
