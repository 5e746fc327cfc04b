"""Stage: one picture of a labelled set, with every field that follows from its label and its pixels.

From the label: camera, intrinsics, all angles, the root, neck and head of the pose, the height of the head in pixels.
From the pixels: key, sharpness, Laplacian, light, noise, perceptual hashes; with a mask also its fraction and certainty
and the person's box. The picture counts as the photo: ``source_path`` is its name in the set, ``crop_to_source`` is the
identity, nothing is padding. Everything else was never measured and is 0, '' or false: detectors, keypoints, face, body
shape and translation, other people, disagreements, ``p_flip``. Without a mask the stored mask is full, the box is the
picture, and ``mask_confidence`` is 0 for "not measured".
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil

from phq.align.crop import CropBox
from phq.align.soft_mask import binary, mask_scores
from phq.camera.convention import CONVENTION, FOCAL, RADIUS, WINDOW_CONVENTION, intrinsics, world2cam
from phq.camera.rotations import rotmat_to_rotvec
from phq.errors import InputError
from phq.exchange.archive import ORIGIN, LabelledSet
from phq.exchange.formats import View, label_format
from phq.people.person import Person, Photo, known
from phq.people.record import CropFrame, MaskScores, Source
from phq.photos.decode import Decoded, PhotoRejectError, decode_bytes
from phq.pose import template
from phq.pose.labels import camera_label
from phq.quality.image_scores import image_scores
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats, Image

MIRROR = "_mirror"
"""End of the stem of the mirrored copies that EG3D's tools store beside the pictures."""
FROM_LABEL = ("pelvis", "neck", "head")
_TOLERANCE = 1e-4
"""Largest difference from phq's own focal length and principal point; upstream writes float32."""


def labels_of(pictures: LabelledSet) -> dict[str, Any]:
    """Label by name of the picture.

    Raises:
        InputError: no ``dataset.json``, or no 'labels' in it.
    """
    labels = pictures.index().get("labels")
    if not isinstance(labels, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in labels):
        raise InputError(f"{pictures.path} has no labels: its dataset.json must hold 'labels': [[name, numbers], …]")
    return dict(labels)


class ReadLabelled:
    """Fills photo and person from a labelled set; a picture or label that cannot be used is a reject."""

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
        photo.source = Source(decoded.sha256, width, height)
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
        photo.source = Source(decoded.sha256, size, size, False, view.intrinsics[0, 0] * size)
        soft = self._soft_mask(photo.name, size)
        if soft is None:
            photo.reject("corrupt", "its mask is no picture of the same size")
            return
        person = labelled_person(photo, decoded.pixels, soft)
        label_person(person, view)
        if self.masks is None:
            person.mask_scores = MaskScores(1.0, 0.0)
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
    """Name of the picture that this one mirrors; '' if it is not a mirror image."""
    path = Path(name)
    if not path.stem.endswith(MIRROR):
        return ""
    return path.with_name(path.stem.removesuffix(MIRROR) + path.suffix).as_posix()


def labelled_person(photo: Photo, picture: Image, soft: Floats) -> Person:
    """The person of a picture that counts as the photo, as far as pixels tell; nothing else was measured.

    Args:
        photo: with its source set.
        picture: size × size × 3 RGB.
        soft: size × size mask, 0..1.
    """
    size, person = len(picture), Person.unmeasured(photo)
    person.crop, person.crop_mask, person.mask_scores = picture, binary(soft), mask_scores(soft)
    x0, y0, x1, y1 = mask_box(person.crop_mask)
    person.box = replace(person.box, box_x0=x0, box_y0=y0, box_x1=x1, box_y1=y1)
    whole = CropBox(0.0, 0.0, float(size))
    person.frame = CropFrame(
        size,
        whole.to_source(size),
        whole.side,
        whole.photo_part(size, size, size),
        1.0,
        head_px=0.0,
        padding_fraction=0.0,
    )
    person.image_scores = image_scores(picture, person.crop_mask, person.frame, (size, size))
    return person


def label_person(person: Person, view: View) -> None:
    """Set the fields that follow from a label: camera and pose, their angles, and the size of the head."""
    pose, frame = view.neck_head_pose.reshape(2, 3), known(person.frame)
    own = np.abs(view.intrinsics - intrinsics()).max() < _TOLERANCE * FOCAL
    convention = CONVENTION if own else WINDOW_CONVENTION
    person.camera = camera_label(view.cam2world, pose, view.intrinsics, convention)
    root = rotmat_to_rotvec(world2cam(view.cam2world)[:3, :3])
    labelled = dict(zip(FROM_LABEL, (root, *pose), strict=True))
    person.body = replace(
        known(person.body),
        smpl_pose=np.array([labelled.get(joint, np.zeros(3)) for joint in SMPL_JOINTS]),
        pose_observed=[joint in labelled and bool(pose.any()) for joint in SMPL_JOINTS],
        neck_head_pose=pose,
    )
    head_px = template.head_height(view.intrinsics[0, 0] * frame.image_size / RADIUS)
    person.frame = replace(frame, head_px=head_px)


def mask_box(mask: Image) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 round a mask, pixels; zeros if it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
