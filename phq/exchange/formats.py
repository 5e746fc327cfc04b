"""Four label formats: what their numbers mean, and how a phq camera becomes their label and comes back.

All four share axes (world y up, the subject faces +z, +x is the subject's left; OpenCV camera), a camera at radius 2.7,
and intrinsics normalised by the image side. They differ in what the world is fixed to, and in how large it is:

* **3DPortraitGAN** is the torso's world in metres, as phq's. Its label is phq's camera itself, and 6 numbers for the
  rotations of neck and head.
* **EG3D, PanoHead, SphereHead** use the *head's* world: its origin is inside the head, its axes are the head's, and
  one unit is 0.37 m (EG3D) or 0.42 m (the others). So their camera is about 1 m away, and their picture spans
  0.23 m or 0.26 m at the head. That is *less* than the 0.41 m of a phq crop: their picture is a part of phq's.

So a picture and its label change together. A phq camera C sees the origin of the head's world at a pixel o, at depth d.
Their camera is at the same place, turned to look straight at the origin and level with the image as C was, and their
picture is the square about o whose side spans their view at depth d (`LabelFormat.window`; an exact crop, nothing is
rotated). The way back is closed too: a label fixes the direction from which the head is seen and the image's up; with
phq's rules (radius 2.7 about the neck, look-at point) that is one camera C, and the window says which part of its image
plane the picture is. `encode` and `decode` are inverse to rounding.

Their labels cannot express the distance: a photo does not fix it, phq assumes 2.7 m and they assume 1 m. The two
agree at the origin; 0.1 m beside and 0.1 m in front of it they differ by 0.007 m, 3 % of the image side.

Sources (facts, no code): NVlabs/eg3d ``3dface2idr_mat.py`` and ``preprocess_face_cameras.py``; Deep3DFaceRecon_pytorch
``load_mats.py`` ("unify the scale to decimeter", camera 10 units away); SizheAn/PanoHead ``recrop_images.py``, which
WildHead.DatProc (SphereHead) repeats; cleardusk/3DDFA_V2. The derivation is in docs/labels.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phq.camera.convention import FOCAL, LOOK_AT, RADIUS, intrinsics, level_view, look_at, world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.errors import ConfigError
from phq.pose import template
from phq.system.arrays import Floats

NOT_A_ROTATION = 0.01
"""Largest entry of RᵀR − 1 that passes for rounding (float16 labels have 0.001)."""


@dataclass(frozen=True)
class View:
    """Camera and pose of a picture, in phq's convention."""

    cam2world: Floats
    """4×4, radius 2.7 about the neck, looking at (0, 0.0649, 0)."""
    intrinsics: Floats
    """3×3 normalised by the picture's side; other than phq's own where the picture is a part of that camera's image."""
    neck_head_pose: Floats
    """(6,) axis-angle of neck and head."""


@dataclass(frozen=True)
class LabelFormat(ABC):
    """One format; `encode` and `decode` are each other's inverse."""

    name: str
    numbers: int
    """Length of a label: cam2world (16), intrinsics (9) and, for 31, neck and head (6)."""
    focal: float
    """Focal length over image side."""
    file_name: str
    """Template of a picture's name, to be filled with folder and number."""
    text: bool = False
    """Write numbers as strings with six decimals."""
    zip_only: bool = False
    """The loader only reads zips."""

    @abstractmethod
    def window(self, cam2world: Floats, neck_head_pose: Floats) -> Floats:
        """3×3 intrinsics that make a phq camera's image plane the picture of this format."""

    @abstractmethod
    def encode(self, cam2world: Floats, neck_head_pose: Floats) -> Floats:
        """Label (numbers,) of the picture `window`.

        Args:
            cam2world: 4×4 phq camera.
            neck_head_pose: (6,) axis-angle of neck and head, radians.
        """

    @abstractmethod
    def decode(self, label: Sequence[float] | Floats, neck_head_pose: Floats | None = None) -> View:
        """The view that a label describes.

        Args:
            label: (numbers,), strings allowed.
            neck_head_pose: (6,) axis-angle, radians, where it is known and not in the label; without it, the head of
                a head format is taken as straight on its torso.

        Raises:
            ValueError: wrong length, not numbers, not a rotation, or a camera that does not see the origin.
        """

    def image_name(self, index: int) -> str:
        """Name of picture `index`; thousand a folder, so the order of the names is that of the numbers."""
        return self.file_name.format(index // 1000, index)

    def written(self, label: Floats) -> list[Any]:
        """The label as in ``dataset.json``."""
        plain = (np.asarray(label, dtype=np.float64) + 0.0).tolist()
        return [f"{round(v, 6) + 0.0:.6f}" for v in plain] if self.text else plain

    def _parse(self, label: Sequence[float] | Floats) -> tuple[Floats, Floats, Floats]:
        """cam2world with an exact rotation, intrinsics, and the rest."""
        values = np.asarray(label, dtype=np.float64).ravel()
        if len(values) != self.numbers:
            raise ValueError(f"a label of {self.name} has {self.numbers} numbers, not {len(values)}")
        if not np.isfinite(values).all():
            raise ValueError("a number of the label is not finite")
        return _rigid(values[:16].reshape(4, 4)), values[16:25].reshape(3, 3), values[25:]


@dataclass(frozen=True)
class TorsoFormat(LabelFormat):
    """3DPortraitGAN and 360°PHQ: phq's own camera and picture; neck and head are numbers 25 to 30."""

    def window(self, cam2world: Floats, neck_head_pose: Floats) -> Floats:
        """phq's own intrinsics."""
        return intrinsics()

    def encode(self, cam2world: Floats, neck_head_pose: Floats) -> Floats:
        """See `LabelFormat.encode`."""
        return np.concatenate([cam2world.ravel(), self.window(cam2world, neck_head_pose).ravel(), neck_head_pose])

    def decode(self, label: Sequence[float] | Floats, neck_head_pose: Floats | None = None) -> View:
        """See `LabelFormat.decode`; `neck_head_pose` is in the label and not looked at."""
        return View(*self._parse(label))


@dataclass(frozen=True)
class HeadFormat(LabelFormat):
    """EG3D, PanoHead, SphereHead: a camera that looks straight at the origin of the head's world."""

    metres: float = 1.0
    """Metres of the template body in one unit of the format's world."""
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Origin of the format's world in the rest-pose template, neck frame, metres."""

    def window(self, cam2world: Floats, neck_head_pose: Floats) -> Floats:
        """See `LabelFormat.window`: the square about the origin's pixel."""
        origin = self._seen(cam2world, neck_head_pose)[1]
        return _intrinsics(self.focal * origin[2] / (RADIUS * self.metres), np.array([0.5, 0.5]), origin)

    def encode(self, cam2world: Floats, neck_head_pose: Floats) -> Floats:
        """See `LabelFormat.encode`."""
        head_to_cam, origin = self._seen(cam2world, neck_head_pose)
        label = np.eye(4)
        label[:3, :3] = (level_view(origin) @ head_to_cam).T
        label[:3, 3] = -RADIUS * label[:3, 2]
        return np.concatenate([label.ravel(), _intrinsics(self.focal, np.array([0.5, 0.5]), np.zeros(3)).ravel()])

    def decode(self, label: Sequence[float] | Floats, neck_head_pose: Floats | None = None) -> View:
        """See `LabelFormat.decode`; a camera that looks past the origin (EG3D's own labels) is followed too."""
        theirs, K, _ = self._parse(label)
        pose = np.zeros(6) if neck_head_pose is None else np.asarray(neck_head_pose, dtype=np.float64)
        seen = world2cam(theirs)[:3, 3]
        if seen[2] < 0.1:
            raise ValueError("the camera of the label does not see the origin of its world")
        head, origin = self._head(pose)
        axes = head @ (level_view(seen) @ theirs[:3, :3].T).T
        cam2world = _camera_from_line(origin, axes[:, 2], axes[:, 0])
        mine = self._seen(cam2world, pose)[1]
        pixel = K[:2, 2] + K[[0, 1], [0, 1]] * seen[:2] / seen[2]
        focal = (K[0, 0] + K[1, 1]) / 2 * mine[2] / (seen[2] * self.metres)
        return View(cam2world, _intrinsics(focal, pixel, mine), pose)

    def _head(self, neck_head_pose: Floats) -> tuple[Floats, Floats]:
        """Rotation of the head's axes into phq's world, and the format's origin (3,) there."""
        neck, head = rotvec_to_rotmat(neck_head_pose.reshape(2, 3))
        joint = template.symmetric_points(("head",))[0]
        return neck @ head, neck @ joint + neck @ head @ (np.array(self.origin) - joint)

    def _seen(self, cam2world: Floats, neck_head_pose: Floats) -> tuple[Floats, Floats]:
        """Head axes to camera axes, and the origin (3,) in camera axes."""
        to_cam = world2cam(cam2world)
        rotation, origin = self._head(neck_head_pose)
        return to_cam[:3, :3] @ rotation, to_cam[:3, :3] @ origin + to_cam[:3, 3]


def _rigid(matrix: Floats) -> Floats:
    """The nearest rigid 4×4: labels are rounded to float32 or six decimals."""
    rotation = matrix[:3, :3]
    if np.abs(rotation.T @ rotation - np.eye(3)).max() > NOT_A_ROTATION or np.linalg.det(rotation) < 0:
        raise ValueError("the first three columns of the label's cam2world are no rotation")
    U, _, Vt = np.linalg.svd(rotation)
    rigid = np.eye(4)
    rigid[:3] = np.column_stack([U @ Vt, matrix[:3, 3]])
    return rigid


def _camera_from_line(target: Floats, forward: Floats, right: Floats) -> Floats:
    """The phq camera that sees `target` along `forward`, and whose image is level with `right` (unit vectors)."""
    along = target @ forward
    position = target - (along + np.sqrt(along**2 - target @ target + RADIUS**2)) * forward
    return look_at(position, np.cross(right, LOOK_AT - position))


def _intrinsics(focal: float, pixel: Floats, point: Floats) -> Floats:
    """3×3 of this focal length that shows `point` (3,) (camera axes; zeros: the optical axis) at `pixel` (2,)."""
    K = np.diag([focal, focal, 1.0])
    K[:2, 2] = pixel - (focal * point[:2] / point[2] if point.any() else 0.0)
    return K


_NOSE = template.symmetric_points(("nose",))[0]
_EG3D_UNIT = 1.0 / 2.7
"""Metres: Deep3DFaceRecon works in decimetres, and EG3D scales its camera distance of 10 of them to 2.7."""
_EG3D_NOSE = 0.27 * np.array([0.0, -0.0462, 0.5524]) + [0.0, 0.006, 0.161]
"""Nose tip of the mean face (decimetres, standard 3D landmarks of Deep3DFaceRecon) in EG3D's world."""
_PANOHEAD_UNIT = 0.24 * 1.1 / (RADIUS / 4.2647)
"""Metres: a crop of 0.24 m (3DDFA scale × 2000 = 1, 120 pixels, micrometres), made 10 % wider, is the view at 2.7."""
_PANOHEAD_NOSE = np.array([0.0, 0.0044 - 0.05 * 0.24, 0.1316 - 0.0390])
"""Nose tip (metres) from the middle of PanoHead's picture: the face model's nose is (0, 4.4, 131.6) mm, the middle half
the mean depth of its vertices (78 mm, from the same landmarks before and after centring) in front of the model's
origin and, since the crop is extended at the top alone, 5 % of 0.24 m above it."""


def _origin(nose: Floats) -> tuple[float, float, float]:
    x, y, z = (_NOSE - nose).tolist()
    return x, y, z


_EG3D_NAME = "{:05d}/img{:08d}.png"
_EG3D = (4.2647, _EG3D_NAME)
FORMATS: dict[str, LabelFormat] = {
    "3dportraitgan": TorsoFormat("3dportraitgan", 31, FOCAL, "{:010d}/{:010d}.png", zip_only=True),
    "eg3d": HeadFormat("eg3d", 25, *_EG3D, metres=_EG3D_UNIT, origin=_origin(_EG3D_NOSE * _EG3D_UNIT)),
    "panohead": HeadFormat("panohead", 25, *_EG3D, text=True, metres=_PANOHEAD_UNIT, origin=_origin(_PANOHEAD_NOSE)),
    "spherehead": HeadFormat("spherehead", 25, *_EG3D, metres=_PANOHEAD_UNIT, origin=_origin(_PANOHEAD_NOSE)),
}
"""Every format by the name of its ``--format``."""


def label_format(name: str) -> LabelFormat:
    """The format of that name.

    Raises:
        ConfigError: no such format.
    """
    if name not in FORMATS:
        raise ConfigError(f"unknown label format {name!r}; there are: {', '.join(FORMATS)}")
    return FORMATS[name]
