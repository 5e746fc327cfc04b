"""From the numbers of a row to rotations in the axes of the photo's camera, by a stated convention."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.camera.convention import BODY_TO_CV, level_view, world2cam
from phq.camera.rotations import rotvec_to_rotmat
from phq.curate.predictions.conventions import Convention
from phq.curate.predictions.files import PredictedRow
from phq.curate.predictions.matches import stated_box
from phq.curate.predictions.stored_pose import StoredPose
from phq.people.person import known
from phq.photos.turn import from_turned, turned_axes
from phq.pose.closed_form import head_joint
from phq.pose.evidence import sight
from phq.pose.orient.angles import rotation_of
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Doubles, Floats
from phq.system.linear import length, nearest_rotation, product

BODY_JOINTS = {"smpl": 23, "smplx": 21}
"""Joints of ``body_pose``, without the root."""
ORTHOGONAL = 0.02
"""Most that the product of a rotation matrix with its transpose may differ from the identity."""
ROUNDS = 5
"""The place of the head joint, which its own line of sight depends on, has settled by then to 1e-8."""
LONGEST = 2 * np.pi * 1.01
"""Radians: no program turns a joint further."""
EULER = ("pitch", "yaw", "roll")
HALF_TURN = np.diag([-1.0, 1.0, -1.0])


class RowError(ValueError):
    """A row that cannot be read as this kind; the text says why."""


class UnitError(RowError):
    """A row whose unit is another one, and with it that of the whole file."""


@dataclass(frozen=True)
class Body:
    """A body as a row states it."""

    torso: Doubles
    """(3, 3) chest to the camera that looks at the neck, level with the photo."""
    joints: Doubles
    """(24, 3, 3) rotations about the parent joint; the first, the root, is part of `torso`."""
    betas: Doubles | None
    """(10,) shape numbers of the program's body."""


def decode_head(row: PredictedRow, convention: Convention, seen: StoredPose, rounds: int = ROUNDS) -> Doubles:
    """(3, 3) from head axes to the axes of the record's own camera.

    Args:
        row: as stated.
        convention: what it means.
        seen: the record.
        rounds: in which the place of the head follows its rotation, for one about the line of sight; 0 leaves it.

    Raises:
        RowError: it states no rotation of the head, or angles that are not in the stated unit (`UnitError`).
    """
    stated = _head_rotation(row, convention)
    if convention.camera == "headshot":
        return stated
    if convention.camera == "full-image":
        return np.asarray(product(seen.view_to_crop, seen.view, _turned(seen), stated))
    found = _straight(seen, stated, _head_place(seen, seen.head))
    for _ in range(rounds):
        found = _straight(seen, stated, _head_place(seen, found))
    return found


def decode_neck(row: PredictedRow) -> Doubles | None:
    """(3, 3) of the neck about the torso's axes, where a row on the head states it too; None if it does not.

    Raises:
        RowError: it is no rotation (`UnitError`: it is in degrees).
    """
    return rotations(row.numbers["neck"], 1, "neck")[0] if "neck" in row.numbers else None


def _straight(seen: StoredPose, stated: Doubles, at: Floats) -> Doubles:
    """A rotation about the line of sight to a place (3,) in the record's camera, as one in that camera."""
    if not seen.turn:
        return np.asarray(product(level_view(at).T, stated))
    back = product(_turned(seen).T, seen.view.T, seen.view_to_crop.T)  # level is meant in the photo as its file has it
    return np.asarray(product(back.T, level_view(product(back, at)).T, stated))


def _head_place(seen: StoredPose, head: Doubles) -> Floats:
    neck, _ = seen.neck_and_head(head)
    to_cam = world2cam(known(seen.person.camera).cam2world)
    return np.asarray(head_joint(to_cam[:3, :3], neck) + to_cam[:3, 3])


def _head_rotation(row: PredictedRow, convention: Convention) -> Doubles:
    numbers = row.numbers
    if "rotation" in numbers:
        return _of_the_camera(row, rotations(numbers["rotation"], 1, "rotation")[0], convention)
    missing = [name for name in ("yaw", "pitch", "roll") if name not in numbers or numbers[name].size != 1]
    if missing:
        raise RowError(f"it has no rotation, and no {' and no '.join(missing)} (all three angles are needed)")
    pitch, yaw, roll = (float(numbers[name].ravel()[0]) for name in EULER)
    largest, name = max((abs(value), name) for value, name in zip((pitch, yaw, roll), EULER, strict=True))
    if convention.unit == "radians" and largest > LONGEST:
        raise UnitError(
            f"{name} is {float(numbers[name].ravel()[0]):g}, which is more than a whole turn in radians; these look "
            "like degrees: --convention degrees"
        )
    if convention.order == "phq":
        factor = 1.0 if convention.unit == "degrees" else float(np.degrees(1.0))
        found = rotation_of(np.array([yaw, pitch, roll]) * convention.signs() * factor)
    else:
        factor = float(np.radians(1.0)) if convention.unit == "degrees" else 1.0
        found = convention.euler().rotation(pitch * factor, yaw * factor, roll * factor)
    return np.asarray(_faced(found, convention))


def decode_body(row: PredictedRow, kind: str, convention: Convention, seen: StoredPose) -> Body:
    """A body, with the rotation of its chest.

    Raises:
        RowError: it states no pose, or one of another number of joints.
    """
    joints = _joints(row, kind)
    joints = joints.swapaxes(1, 2) if convention.sense == "camera-to-body" else joints
    root = _of_the_camera(row, joints[0], convention, transposed=True)
    spine = [joints[SMPL_JOINTS.index(f"spine{i}")] for i in (1, 2, 3)]
    chest = product(root, *spine)
    betas = row.numbers.get("betas")
    shape = np.resize(betas.ravel(), 10) if betas is not None and betas.size >= 10 else None
    return Body(_to_view(row, np.asarray(chest), convention, seen), joints, shape)


def _to_view(row: PredictedRow, stated: Doubles, convention: Convention, seen: StoredPose) -> Doubles:
    if convention.camera == "headshot":
        return np.asarray(product(seen.view_to_crop.T, stated))
    if convention.camera == "full-image":
        return np.asarray(product(seen.view, _turned(seen), stated))
    width, height = seen.person.photo.source.size
    box, _ = stated_box(row)
    if box.size == 4:
        middle: Floats = (box[:2] + box[2:]) / 2
    else:
        own = seen.person.box.edges
        middle = from_turned((own[:2] + own[2:]) / 2, seen.turn, width, height)
    size = (height, width) if seen.turn % 180 else (width, height)
    focal = (
        float(row.numbers["focal_px"].ravel()[0]) if "focal_px" in row.numbers else seen.person.photo.source.focal_px
    )
    K = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1.0]])
    return np.asarray(product(seen.view, _turned(seen), sight(K, middle).T, stated))


def _turned(seen: StoredPose) -> Floats:
    return turned_axes(seen.turn)


def _of_the_camera(row: PredictedRow, stated: Doubles, convention: Convention, transposed: bool = False) -> Doubles:
    """A rotation as stated, as one from body axes (left, up, front) to OpenCV camera axes.

    Args:
        row: with the rotation of the camera, if the convention's frame is the world.
        stated: 3×3.
        convention: what it means.
        transposed: `stated` leads to the camera already.
    """
    found = stated.T if convention.sense == "camera-to-body" and not transposed else stated
    if convention.frame == "world":
        found = product(_camera_in_world(row), found)
    if convention.up == "y-up":
        found = product(BODY_TO_CV, found)
    return np.asarray(_faced(found, convention))


def _faced(rotation: Floats, convention: Convention) -> Floats:
    return np.asarray(product(rotation, HALF_TURN)) if convention.rest == "faces-z" else rotation


def _camera_in_world(row: PredictedRow) -> Doubles:
    for name in ("world2cam", "cam2world"):
        if name in row.numbers:
            matrix = row.numbers[name]
            if matrix.size not in (9, 12, 16):
                raise RowError(f"{name} is neither 3 × 3 nor 3 × 4 nor 4 × 4")
            rotation = rotations(matrix.reshape(-1, 3 if matrix.size == 9 else 4)[:3, :3], 1, name)[0]
            return np.asarray(rotation if name == "world2cam" else rotation.T)
    raise RowError("its rotation is of the world, and the row has no rotation of the camera (world2cam or cam2world)")


def _joints(row: PredictedRow, kind: str) -> Doubles:
    """(24, 3, 3); joints that the kind does not have stay at rest."""
    wanted, numbers = BODY_JOINTS[kind], row.numbers
    if "root" in numbers and "body_pose" in numbers:
        root = rotations(numbers["root"], 1, "global_orient")
        found = np.concatenate([root, rotations(numbers["body_pose"], wanted, "body_pose", _hint(kind))])
    elif "pose" in numbers:
        pose = numbers["pose"]
        more = kind == "smplx" and pose.size // 3 > wanted + 1 and pose.size in (159, 165, 3 * 159, 3 * 165)
        count = {159: 53, 165: 55, 477: 53, 495: 55}[pose.size] if more else wanted + 1
        found = rotations(pose, count, "pose", _hint(kind))[: wanted + 1]
    else:
        raise RowError("it has neither global_orient with body_pose nor pose")
    joints = np.tile(np.eye(3), (24, 1, 1))
    joints[: len(found)] = found
    return joints


def _hint(kind: str) -> str:
    return "SMPL-X has 21: --as smplx" if kind == "smpl" else "SMPL has 23: --as smpl"


def rotations(values: Doubles, count: int, name: str, hint: str = "") -> Doubles:
    """(count, 3, 3) from axis-angle vectors or matrices in any shape.

    Raises:
        UnitError: vectors in degrees.
        RowError: another number of them, or matrices that are no rotations.
    """
    if values.size == 3 * count:
        vectors = values.reshape(count, 3)
        if length(vectors).max() > LONGEST:
            raise UnitError(
                f"{name} has vectors longer than a whole turn; axis-angle is taken in radians, these look like degrees"
            )
        return rotvec_to_rotmat(vectors)
    if values.size != 9 * count:
        more = f" ({hint})" if hint else ""
        if count == 1 or values.size % 3:
            raise RowError(
                f"{name} has {values.size} numbers; {3 * count} (axis-angle) or {9 * count} (matrices) are wanted{more}"
            )
        joints = values.shape[0] if values.ndim > 1 else values.size / 3
        raise RowError(f"{name} has {joints:g} rotations, {count} are wanted{more}")
    matrices = values.reshape(count, 3, 3)
    if np.abs(product(matrices, matrices.swapaxes(1, 2)) - np.eye(3)).max() > ORTHOGONAL:
        raise RowError(f"{name} has matrices that are no rotations")
    if (np.cross(matrices[:, 0], matrices[:, 1]) * matrices[:, 2]).sum(1).min() < 0:
        raise RowError(f"{name} has matrices that mirror (determinant −1)")
    return np.asarray(nearest_rotation(matrices))
