"""The one record type: what phq knows about one person in one photo.

`Sample` is the json member of every sample in the shards; `Row` adds what only the dataset as a whole knows
(split, decision, place in the shards) and is one row of ``manifest.parquet`` or ``rejects.parquet``.
Format rules (no null, no empty list, no field of two types) come from the shard format "phq/1".

Frames: *photo pixels* are pixels of the upright (EXIF-rotated) source photo, *crop pixels* those of the stored
image; in both, (0, 0) is the outer corner of the first pixel and its centre is (0.5, 0.5). Axes and angle signs
are those of `phq.camera` (docs/conventions.md).
"""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from typing import Any, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "phq/1"

SMPL_JOINTS = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip

LANDMARKS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)  # fmt: skip

HEAD_DIRECTIONS = (
    "front", "right-front", "right-side", "right-back", "back", "left-back", "left-side", "left-front",
)  # fmt: skip
"""Names of a head's direction, an eighth of a turn from one to the next, as DEIMv2-Wholebody orders its classes; whose
right is meant is not documented, so only the distance from the front is used."""
HEADPOSE_GATES = ("used", "small", "no-face", "turned", "unsure", "disagrees")
"""What became of a head pose network's statement: the labels follow it, or why not. Not asked: the head is too small,
or shows a network of faces no face. Asked, and left out: it is turned away, the network doubts itself, or it is too far
from the fit."""

BOX = ("box_x0", "box_y0", "box_x1", "box_y1")
"""Columns of the person's box, photo pixels."""
GROUPS = ("duplicate_of", "duplicate_group", "scene_group", "identity_group")
"""Columns that name the sample which another repeats, and the groups that it is in; '' where it is in none."""
DECISION = ("decision", "reason", "detail", "score_name", "threshold", "margin", *GROUPS)
"""Columns that a decision sets, but for the split."""

PROVENANCE = ("licence", "author", "source", "identity", "consent")
"""Fields that nobody can see in a photo; a sidecar states them (`phq.dataset`)."""
CONSENT = {"yes": 1.0, "limited": 0.5, "": 0.0, "no": -1.0}
"""Values of ``consent``, and the number of each that a threshold is compared with (``consent_level``)."""

Fields = dict[str, Any]
"""Fields of a `Row` by name, perhaps not all."""


def _floats(n: int, text: str) -> Any:
    return Field(min_length=n, max_length=n, description=text)


class Sample(BaseModel):
    """Facts, labels and scores of one person; every list is flat, row-major, and of fixed length."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    # what this is
    schema_version: str = Field(description="version of this schema")
    key: str = Field(pattern="^[0-9a-f]{16}$", description="first 16 hex digits of the sha256 of the stored image")
    # the photo
    source_path: str = Field(description="path of the photo relative to the folder that was built from")
    source_sha256: str = Field(description="sha256 of the photo's bytes")
    person_index: int = Field(description="number of the person in the photo, from 0, left to right")
    image_width: int = Field(description="width of the upright photo, photo pixels")
    image_height: int = Field(description="height of the upright photo, photo pixels")
    has_focal: bool = Field(description="the photo's EXIF states a focal length")
    focal_px: float = Field(description="focal length used for the photo, photo pixels")
    photo_turn_deg: int = Field(
        description="degrees counter-clockwise that the upright photo was turned by, since its people stand so: 0, 90, "
        "180, 270; photo pixels are those of the turned picture; phq.photos.turn.from_turned leads back"
    )
    photo_turn_score: float = Field(description="lead of the turned picture's evidence of people, 0 if not turned")
    photo_phash: str = Field(
        pattern="^([0-9a-f]{64})?$",
        description="256-bit perceptual (DCT) hash of the whole upright photo; phq.quality.hashes; '' not computed",
    )
    licence: str = Field(description="licence of the photo, as stated by whoever built the dataset; '' unknown")
    author: str = Field(description="who made the photo, as stated; '' unknown")
    source: str = Field(description="where the photo came from, such as a URL, as stated; '' unknown")
    identity: str = Field(description="who is in the photo, as stated; several joined by ';'; '' unknown")
    consent: str = Field(
        pattern="^(yes|limited|no)?$",
        description="whether the people in the photo agreed to its use in such a dataset, as stated: yes, limited (in "
        "part, or on conditions), no; '' unknown",
    )
    # detection
    box_x0: float = Field(description="left edge of the person's box, photo pixels")
    box_y0: float = Field(description="upper edge of the person's box, photo pixels")
    box_x1: float = Field(description="right edge of the person's box, photo pixels")
    box_y1: float = Field(description="lower edge of the person's box, photo pixels")
    detectors: str = Field(description="names of the networks that saw the person, joined by '+'")
    detection_score: float = Field(description="best score of any detector, 0..1")
    detector_score: float = Field(description="the detector's score, 0 where it did not see the person")
    skeleton_score: float = Field(description="the skeleton network's score, 0 where it did not see the person")
    # keypoints
    keypoints_2d: list[float] = _floats(66, "33 BlazePose landmarks x, y; photo pixels; order of LANDMARKS")
    keypoints_3d: list[float] = _floats(99, "33 landmarks x, y, z; metres, hip centre origin, OpenCV axes")
    keypoints_visibility: list[float] = _floats(33, "network's visibility of each landmark, 0..1 (not proof)")
    has_coco_keypoints: bool = Field(description="a network saw this person and gave 17 COCO keypoints")
    coco_keypoints: list[float] = _floats(51, "17 COCO keypoints x, y (photo pixels), score; zeros if none")
    head_direction: str = Field(
        description="direction of the head by the detector's own name for it, of HEAD_DIRECTIONS; '' if it states none"
    )
    head_direction_score: float = Field(description="score of that direction, 0..1; 0 if none")
    # body
    body_model: str = Field(description="name of the body model the pose belongs to")
    smpl_pose: list[float] = _floats(72, "24 × axis-angle of SMPL's joints, radians; root: body to crop camera")
    smpl_betas: list[float] = _floats(10, "shape numbers of body_model")
    smpl_transl: list[float] = _floats(3, "translation of the body model into the crop camera's axes, metres")
    pose_observed: list[bool] = _floats(24, "which joints were seen; the others are the prior")
    neck_head_pose: list[float] = _floats(6, "axis-angle of SMPL joints 12 (neck) and 15 (head)")
    # camera
    camera_convention: str = Field(description="id and version of the camera convention")
    cam2world: list[float] = _floats(16, "camera to world, 4×4 row-major, OpenCV axes, neck origin, radius 2.7")
    intrinsics: list[float] = _floats(9, "3×3 row-major, normalised by the image side")
    camera_yaw_deg: float = Field(description="0 = in front of the torso, + = on the subject's left, (−180, 180]")
    camera_pitch_deg: float = Field(description="+ = camera above the torso's horizontal plane")
    camera_roll_deg: float = Field(description="+ = the torso's up axis leans to image right")
    head_yaw_deg: float = Field(description="as camera_yaw_deg, in the head's frame")
    head_pitch_deg: float = Field(description="+ = the face looks up, against the line of sight")
    head_roll_deg: float = Field(description="+ = the crown tilts to the subject's own left")
    p_flip: float = Field(description="probability that front and back are confused, 0..1")
    orientation_p_flip: float = Field(description="share of the fused orientation beyond 90° of its peak, 0..1")
    orientation_sigma_deg: float = Field(description="spread of the fused orientation about its peak, torso yaw")
    orientation_yaw_deg: float = Field(description="torso yaw that the fit began from, as camera_yaw_deg")
    yaw_sigma_deg: float = Field(description="standard deviation of camera_yaw_deg if they are not")
    headpose_network: str = Field(
        description="head pose network and its weights' hash, or the program whose predictions were taken; '' if none"
    )
    headpose_gate: str = Field(description="what became of its statement, of HEADPOSE_GATES; '' if there was none")
    headpose_yaw_deg: float = Field(description="head yaw as it states it, as head_yaw_deg; 0 where it was not asked")
    headpose_pitch_deg: float = Field(description="head pitch as it states it, as head_pitch_deg")
    headpose_roll_deg: float = Field(description="head roll as it states it, as head_roll_deg")
    headpose_sigma_deg: float = Field(description="standard deviation of its yaw as it states it, 0 if not asked")
    headpose_p_flip: float = Field(description="its own probability that front and back are confused, 0..1")
    # crop
    image_size: int = Field(description="side of the stored square image, crop pixels")
    crop_to_source: list[float] = _floats(6, "2×3 affine row-major: crop pixels to photo pixels")
    crop_side_px: float = Field(description="side of the crop, photo pixels")
    photo_in_crop: list[float] = _floats(4, "x0, y0, x1, y1 of the part that is photo, not padding; crop pixels")
    # face evidence, crop pixels
    face_found: bool = Field(description="a face detector fired inside the head region of the crop")
    face_score: float = Field(description="score of that face, 0 if none")
    face_box: list[float] = _floats(4, "x0, y0, x1, y1 in crop pixels, zeros if none")
    face_points: list[float] = _floats(10, "eyes, nose, mouth corners x, y in crop pixels, zeros if none")
    face_pixelation: float = Field(
        description="how clearly a grid of flat squares hides the face, from 0.85 on surely; 0 if a face was found"
    )
    face_embedding: str = Field(
        pattern="^[A-Za-z0-9+/]*={0,2}$",
        description="base64 of little-endian float16, unit length; '' where there is no identity network or no face",
    )
    face_network: str = Field(description="identity network and its weights' hash; '' where face_embedding is ''")
    # scores
    source_px_per_px: float = Field(description="photo pixels per stored pixel along one axis; < 1 is magnified")
    head_px: float = Field(description="height of the head, photo pixels")
    blur: float = Field(description="sharpness, larger is sharper; see phq.quality.blur")
    laplacian_var: float = Field(description="variance of the Laplacian of the stored image (360°PHQ's blur score)")
    luminance: float = Field(description="mean luminance over the person, 0..1")
    underexposed: float = Field(description="fraction of the person's pixels that are crushed to black")
    overexposed: float = Field(description="fraction of the person's pixels that are blown to white")
    noise: float = Field(description="standard deviation of the noise, grey levels 0..255")
    niqe: float = Field(description="distance from good photographs' statistics, larger is worse; 0 if not measured")
    blockiness: float = Field(description="excess of steps across the photo's 8 × 8 blocks of compression; 0 is none")
    padding_fraction: float = Field(description="fraction of the stored image that lies beyond the photo")
    pose_presence: float = Field(description="BlazePose's own confidence that a person is there, 0..1 (weak)")
    reprojection_error: float = Field(description="mean distance of fitted to detected joints, fraction of head size")
    hypothesis_margin: float = Field(description="cost of the second best hypothesis of the fit above the best")
    pass_disagreement_deg: float = Field(description="torso yaw, first against second BlazePose region")
    flip_disagreement_deg: float = Field(description="torso yaw, image against its mirror image")
    mask_fraction: float = Field(description="fraction of the stored image inside the mask")
    mask_confidence: float = Field(description="mean certainty of the soft mask over its support, 0..1")
    others_in_crop: float = Field(description="fraction of the stored image covered by other people's boxes")
    occluded_fraction: float = Field(description="fraction of head and shoulders covered by another person's mask")
    second_face: float = Field(description="score of a second face inside the person's mask, 0..1; 0 if none")
    head_outside: float = Field(description="fraction of the fitted head's disc that lies beyond the photo")
    hand_on_head: float = Field(description="how far an own hand lies before the head: 0 not, 1 over its middle")
    phash: str = Field(pattern="^[0-9a-f]{16}$", description="64-bit perceptual (DCT) hash of the stored image")
    phash_mirror: str = Field(pattern="^[0-9a-f]{16}$", description="the same of its mirror image")
    appearance: list[float] = _floats(24, "colours of head, clothes, background left and right; phq.quality.appearance")


class Row(Sample):
    """One row of the manifest: a sample, what was decided about it, and where its bytes are."""

    split: str = Field(description="train, val, or '' for a reject")
    decision: str = Field(description="kept or rejected")
    reason: str = Field(description="name of the reason of a reject, '' if kept")
    detail: str = Field(description="the reason in words, '' if kept")
    score_name: str = Field(description="score that decided, '' if none")
    threshold: float = Field(description="threshold that decided, 0 if none")
    margin: float = Field(description="distance from the nearest threshold, in units of it; negative for a reject")
    duplicate_of: str = Field(description="key of the sample this one repeats, '' if none")
    duplicate_group: str = Field(description="key of the best of all samples that look alike; '' if alone")
    scene_group: str = Field(description="key of the best sample of this person in this scene; '' if alone")
    identity_group: str = Field(description="key of the first sample of the same face; '' if alone or unknown")
    shard: str = Field(description="path of the shard inside the dataset, '' for a reject")
    jpg_offset: int = Field(description="offset of the image's first byte in the shard")
    jpg_size: int = Field(description="bytes of the image")
    json_offset: int = Field(description="offset of the json's first byte")
    json_size: int = Field(description="bytes of the json")
    mask_offset: int = Field(description="offset of the mask's first byte")
    mask_size: int = Field(description="bytes of the mask")


DIGITS = {"cam2world": 9, "intrinsics": 9, "crop_to_source": 9}
"""Decimals kept of a float field; 6 where nothing is said."""


def rounded(name: str, value: Any) -> Any:
    """Plain Python value of a field: arrays become flat lists, floats are rounded, −0 becomes 0."""
    if isinstance(value, (np.ndarray, list, tuple)):
        flat = np.asarray(value).ravel()
        if flat.dtype.kind != "f":
            return [rounded(name, v) for v in flat.tolist()]
        digits = DIGITS.get(name, 6)
        return [round(v, digits) + 0.0 for v in flat.tolist()]  # most of a record: no call for each number
    if isinstance(value, (float, np.floating)):
        return round(float(value), DIGITS.get(name, 6)) + 0.0
    return value.item() if isinstance(value, np.generic) else value


_FLOATS, _AS_THEY_ARE = {float}, {str, int, bool, type(None)}


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """`rounded` over a whole record; its floats at once, which takes an eighth of the time."""
    found = dict(fields)
    floats: dict[int, tuple[list[str], list[float]]] = {}
    for name, value in fields.items():
        kind = type(value)
        if kind is float or (kind is list and set(map(type, value)) == _FLOATS):
            names, numbers = floats.setdefault(DIGITS.get(name, 6), ([], []))
            names.append(name)
            numbers.extend(value if kind is list else (value,))
        elif kind not in _AS_THEY_ARE:
            found[name] = rounded(name, value)
    for digits, (names, numbers) in floats.items():
        rest = iter(rounded_floats(numbers, digits))
        for name in names:
            value = fields[name]
            found[name] = list(islice(rest, len(value))) if type(value) is list else next(rest)
    return found


def rounded_floats(numbers: list[float], digits: int) -> list[float]:
    """What `round` gives of each, and 0 for −0.

    A product with a power of ten is off by 1e-4 at most where it is below 1e12, so its nearest whole number is right
    unless it is that near to a half; a quotient of whole numbers is the double nearest to the decimal, as with `round`.
    """
    values, scale = np.array(numbers, np.float64), 10.0**digits
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = values * scale
        whole = np.rint(scaled)
        sure = (np.abs(np.abs(scaled - whole) - 0.5) > 1e-3) & (np.abs(scaled) < 1e12)
        found: list[float] = (whole / scale + 0.0).tolist()
    for i in np.flatnonzero(~sure).tolist():
        found[i] = round(numbers[i], digits) + 0.0
    return found


def make_sample(fields: dict[str, Any]) -> Sample:
    """Validate a complete record.

    Raises:
        pydantic.ValidationError: a field is missing, unknown, or of the wrong shape.
    """
    return Sample.model_validate(plain(fields))


def sample_to_json(sample: Sample) -> bytes:
    """The json member of a sample: sorted keys, no spaces, UTF-8."""
    record = sample.model_dump()
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def json_schema() -> dict[str, Any]:
    """JSON Schema of a sample's json, as stored in ``schemas/sample.schema.json`` and in each dataset."""
    schema = Sample.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "phq/1/sample.schema.json", **schema}


@cache
def column_kind(name: str) -> tuple[type, int]:
    """(element type, length) of a field of `Row`; length 0 for a scalar."""
    field = Row.model_fields[name]
    args = get_args(field.annotation)
    if not args:
        assert isinstance(field.annotation, type)
        return field.annotation, 0
    return args[0], next(m.max_length for m in field.metadata if hasattr(m, "max_length"))


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
