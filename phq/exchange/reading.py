"""Stage: one picture of a labelled set with everything that can be said about it, and no more.

From the label: camera, intrinsics, all angles, the root, neck and head of the pose, the height of the head in pixels.
From the pixels: key, sharpness, Laplacian, light, noise, perceptual hashes; with a mask also its fraction and certainty
and the person's box. The picture counts as the photo: ``source_path`` is its name in the set, ``crop_to_source`` is the
identity, nothing is padding. Everything else was never measured and is 0, '' or false: detectors, keypoints, face, body
shape and translation, other people, disagreements, ``p_flip``. Without a mask the stored mask is full, the box is the
picture, and ``mask_confidence`` 0 says that nobody has looked.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from phq.camera.angles import camera_angles, part_angles
from phq.camera.convention import CONVENTION, FOCAL, RADIUS, WINDOW_CONVENTION, intrinsics, world2cam
from phq.camera.euler import head_to_cam
from phq.camera.rotations import rotmat_to_rotvec
from phq.errors import InputError
from phq.exchange.archive import ORIGIN, LabelledSet
from phq.exchange.formats import View, label_format
from phq.people import Person, Photo
from phq.photos.decode import Decoded, PhotoRejectError, decode_bytes
from phq.pose import template
from phq.pose.closed_form import head_joint
from phq.schema import BOX, SMPL_JOINTS, Sample, column_kind
from phq.stages.encode_sample import photo_fields
from phq.stages.score_person import image_scores
from phq.system.arrays import Floats, Image

MIRROR = "_mirror"
"""End of the stem of the mirrored copies that EG3D's tools store beside the pictures."""
FROM_LABEL = ("pelvis", "neck", "head")
SUPPORT = 0.05
"""Mask values above this take part in its certainty, as in `phq.stages.mask_person`."""
_TOLERANCE = 1e-4
"""Of the focal length and principal point that count as phq's own; upstream writes float32."""


def labels_of(pictures: LabelledSet) -> dict[str, Any]:
    """Label by name of the picture.

    Raises:
        InputError: there is no ``dataset.json``, or no 'labels' in it.
    """
    labels = pictures.index().get("labels")
    if not isinstance(labels, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in labels):
        raise InputError(f"{pictures.path} has no labels: its dataset.json must hold 'labels': [[name, numbers], …]")
    return dict(labels)


class ReadLabelled:
    """Fills photo, person and record from a labelled set; a picture or label that cannot be used is a reject."""

    name = "read"

    def __init__(self, source: Path, format: str, masks: Path | None) -> None:
        self.source = source
        self.format = label_format(format)
        self.mask_source = masks

    def setup(self) -> None:
        """Open the set and read its labels."""
        self.pictures = LabelledSet(self.source)
        self.labels = labels_of(self.pictures)
        noted = self.pictures.index().get(ORIGIN, {}).get("samples", [])
        self.poses = {name: np.array(pose, dtype=np.float64) for name, _, pose in noted}
        self.masks = LabelledSet(self.mask_source) if self.mask_source else None
        self.mask_names = {_stem(name): name for name in self.masks.names()} if self.masks else {}

    def process(self, photos: list[Photo]) -> None:
        """Every picture that is not rejected yet, in place."""
        for photo in photos:
            if photo.rejected is not None:
                continue
            twin = _mirrored(photo.name)
            if twin in self.labels:
                photo.reject("duplicate", f"mirror image of {twin}")
            else:
                self._read(photo)

    def _read(self, photo: Photo) -> None:
        try:
            decoded = decode_bytes(self.pictures.read(photo.name))
        except PhotoRejectError as error:
            photo.reject(error.reason, error.detail)
            return
        height, width = decoded.pixels.shape[:2]
        photo.fields |= {"source_sha256": decoded.sha256, "image_width": width, "image_height": height}
        if height != width:
            photo.reject("unsupported_format", f"{width} × {height}: pictures of a labelled set are square")
            return
        try:
            view = self.format.decode(self.labels[photo.name], self.poses.get(photo.name))
        except ValueError as error:
            photo.reject("degenerate_pose", f"the label is no camera: {error}")
            return
        self._describe(photo, decoded, view)

    def _describe(self, photo: Photo, decoded: Decoded, view: View) -> None:
        size = len(decoded.pixels)
        photo.fields |= {"has_focal": False, "focal_px": view.intrinsics[0, 0] * size}
        person = Person(photo, 0, crop=decoded.pixels)
        soft = self._soft_mask(photo.name, size)
        if soft is None:
            photo.reject("corrupt", "its mask is no picture of the same size")
            return
        person.crop_mask = np.where(soft > 0.5, 255, 0).astype(np.uint8)
        unknown = {name: value for name, value in unknown_fields().items() if name not in photo_fields(photo)}
        person.fields = unknown | view_fields(view, size) | whole_picture_fields(size)
        person.fields |= mask_fields(soft, person.crop_mask, known=self.masks is not None)
        person.fields |= image_scores(person)
        photo.people = [person]

    def _soft_mask(self, name: str, size: int) -> Floats | None:
        """size × size, 0..1; full where the set has no masks, None where the mask cannot be used."""
        if self.masks is None:
            return np.ones((size, size))
        try:
            mask = Pil.open(io.BytesIO(self.masks.read(self.mask_names[_stem(name)]))).convert("L")
        except (OSError, ValueError):
            return None
        return np.asarray(mask) / 255.0 if mask.size == (size, size) else None


def _stem(name: str) -> str:
    return str(Path(name).with_suffix(""))


def _mirrored(name: str) -> str:
    """Name of the picture that this one mirrors; '' if it is no mirror image."""
    path = Path(name)
    if not path.stem.endswith(MIRROR):
        return ""
    return path.with_name(path.stem.removesuffix(MIRROR) + path.suffix).as_posix()


def unknown_fields() -> dict[str, Any]:
    """Every field of a sample at the value that claims nothing: 0, '' or false."""
    fields: dict[str, Any] = {}
    for name in Sample.model_fields:
        kind, length = column_kind(name)
        fields[name] = [kind()] * length if length else kind()
    return fields


def view_fields(view: View, size: int) -> dict[str, Any]:
    """What a label says: camera and pose, their angles, and how large the head is."""
    to_cam, pose = world2cam(view.cam2world), view.neck_head_pose
    head_angles = part_angles(head_to_cam(view.cam2world, pose), head_joint(to_cam[:3, :3], pose[:3]) + to_cam[:3, 3])
    own = np.abs(view.intrinsics - intrinsics()).max() < _TOLERANCE * FOCAL
    known = dict(zip(FROM_LABEL, (rotmat_to_rotvec(to_cam[:3, :3]), pose[:3], pose[3:]), strict=True))
    px_per_metre = view.intrinsics[0, 0] * size / RADIUS
    fields = {
        "camera_convention": CONVENTION if own else WINDOW_CONVENTION,
        "cam2world": view.cam2world,
        "intrinsics": view.intrinsics,
        "smpl_pose": np.array([known.get(joint, np.zeros(3)) for joint in SMPL_JOINTS]),
        "pose_observed": [joint in known and bool(pose.any()) for joint in SMPL_JOINTS],
        "neck_head_pose": pose,
        "head_px": px_per_metre * (template.HEAD_TOP[1] - template.HEAD[1]),
    }
    fields |= zip(("camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg"), camera_angles(view.cam2world), strict=True)
    return fields | dict(zip(("head_yaw_deg", "head_pitch_deg", "head_roll_deg"), head_angles, strict=True))


def whole_picture_fields(size: int) -> dict[str, Any]:
    """Where the crop lies in the photo, when the stored picture is the photo."""
    return {
        "image_size": size,
        "crop_to_source": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "crop_side_px": float(size),
        "photo_in_crop": [0.0, 0.0, float(size), float(size)],
        "source_px_per_px": 1.0,
    }


def mask_fields(soft: Floats, mask: Image, known: bool) -> dict[str, Any]:
    """Fraction, certainty, and the person's box in pixels; the whole picture where there is no mask."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    corners = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else (0, 0, 0, 0)
    support = soft[soft > SUPPORT]
    certainty = float(np.abs(2 * support - 1).mean()) if known and support.size else 0.0
    box = dict(zip(BOX, map(float, corners), strict=True))
    return {"mask_fraction": float((mask > 0).mean()), "mask_confidence": certainty, **box}
