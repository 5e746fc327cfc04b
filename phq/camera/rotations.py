"""Rotations: axis-angle vectors, 3×3 matrices, the best rotation between two point sets, and mirroring.

All functions are batched over leading axes and compute in float64. A rotation matrix R turns column vectors,
x' = R·x. Mirroring is by M = diag(−1, 1, 1), the reflection in the body's left-right plane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from phq.system.arrays import Doubles, Floats
from phq.system.elementary import arctan2, sin_cos
from phq.system.linear import length, nearest_rotation, product

MIRROR_SIGNS = np.array([1.0, -1.0, -1.0])
"""Signs of an axis-angle vector under M: a rotation vector is axial, so its x keeps the sign and y, z lose it."""

MIRRORED_JOINTS = np.array([0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22])
"""For each SMPL joint, the joint that takes its place in the mirror (order of `phq.schema.SMPL_JOINTS`)."""

ORTHOGONAL = 1e-12 + 1e-5 * np.eye(3)
"""What R·Rᵀ may differ from 1 by before R is taken for no rotation: hardly in angles, a little in lengths."""


def rotvec_to_rotmat(rotvec: ArrayLike) -> Doubles:
    """Axis-angle vectors (…, 3) in radians to rotation matrices (…, 3, 3), by the unit quaternion; exact at zero."""
    vectors = np.asarray(rotvec, dtype=np.float64)
    square = (vectors * vectors).sum(-1)
    half = np.sqrt(square) / 2
    sine, cosine = sin_cos(half)
    sinc = np.divide(sine, half, out=np.ones_like(half), where=half > 0)  # of half the angle
    w, (x, y, z) = cosine, np.moveaxis(vectors * (sinc / 2)[..., None], -1, 0)
    xx, yy, zz, xy, xz, yz, wx, wy, wz = x * x, y * y, z * z, x * y, x * z, y * z, w * x, w * y, w * z
    rows = (1 - 2 * (yy + zz), 2 * (xy - wz), 2 * (xz + wy),
            2 * (xy + wz), 1 - 2 * (xx + zz), 2 * (yz - wx),
            2 * (xz - wy), 2 * (yz + wx), 1 - 2 * (xx + yy))  # fmt: skip
    found = np.empty((*vectors.shape[:-1], 3, 3))
    for number, row in enumerate(rows):
        found[..., number // 3, number % 3] = row
    return found


def rotmat_to_rotvec(rotmat: ArrayLike) -> Doubles:
    """Rotation matrices (…, 3, 3) to axis-angle vectors (…, 3), angle in [0, π].

    Goes through the quaternion whose largest component is the pivot, so it is stable near 0 and near π. At exactly
    π the axis is known only up to its sign. In place of a matrix that is bent by more than `ORTHOGONAL`, the rotation
    nearest to it.

    Raises:
        ValueError: a matrix mirrors or flattens (determinant not positive), or is not finite.
    """
    matrices = np.asarray(rotmat, dtype=np.float64).reshape(-1, 3, 3)
    quaternions = _quaternions(_orthogonal(matrices))
    size = length(quaternions[:, :3])
    angle = 2 * arctan2(size, quaternions[:, 3])
    scale = np.divide(angle, size, out=np.full(size.shape, 2.0), where=size > 0)
    return np.asarray(quaternions[:, :3] * scale[:, None]).reshape(*np.shape(rotmat)[:-2], 3)


def _orthogonal(matrices: Doubles) -> Doubles:
    """(N, 3, 3) as they are where they are rotations but for rounding; in place of others the nearest rotation."""
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(matrices, 0, -1)
    if not (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g) > 0).all():
        raise ValueError("a matrix that mirrors, or flattens, is not a rotation")
    off = np.abs(product(matrices, matrices.swapaxes(1, 2)) - np.eye(3))
    bent = (off > ORTHOGONAL).any((1, 2))
    if bent.any():
        matrices = matrices.copy()
        matrices[bent] = nearest_rotation(matrices[bent])
    return matrices


def _quaternions(matrices: Doubles) -> Doubles:
    """(N, 4) unit quaternions x, y, z, w ≥ 0 of rotations (N, 3, 3) by their largest component (Shepperd 1978)."""
    r, every = np.moveaxis(matrices, 0, -1), np.arange(len(matrices))
    trace = r[0, 0] + r[1, 1] + r[2, 2]
    largest = np.argmax([r[0, 0], r[1, 1], r[2, 2], trace], 0)
    parts = np.empty((4, 4, len(matrices)))  # by largest component
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        parts[i, i] = 1 - trace + 2 * r[i, i]
        parts[i, j], parts[i, k] = r[j, i] + r[i, j], r[k, i] + r[i, k]
        parts[3, i] = parts[i, 3] = r[k, j] - r[j, k]
    parts[3, 3] = 1 + trace
    found = parts[largest, :, every]
    found /= np.sqrt((found * found).sum(1))[:, None]
    x, y, z, w = found.T
    first = np.select([w != 0, x != 0, y != 0], [w, x, y], z)  # half turns have two quaternions with w = 0
    return np.asarray(np.where(first[:, None] < 0, -found, found))


def rotation_log(rotations: Doubles) -> Doubles:
    """`rotmat_to_rotvec` of (…, 3, 3) that are known to be rotations: unchecked, and several times as fast.

    The skew part has length 2·sin(angle), trace − 1 is 2·cos(angle). Within 1e-4 of half a turn, where the skew part
    hardly determines the axis, `rotmat_to_rotvec` is used.
    """
    r = rotations
    skew = np.stack([r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1)
    sine, cosine = np.sqrt((skew * skew).sum(-1)), r[..., 0, 0] + r[..., 1, 1] + r[..., 2, 2] - 1
    if ((sine < 1e-4) & (cosine < 0)).any():
        return rotmat_to_rotvec(r)
    scale = np.divide(arctan2(sine, cosine), sine, out=np.full(sine.shape, 0.5), where=sine > 1e-12)
    return np.asarray(skew * scale[..., None])


def between(one: Floats, other: Floats, share: float) -> Doubles:
    """(…, 3, 3) on the shortest way from one rotation to another, at this share of it."""
    turn = rotation_log(product(np.swapaxes(one, -1, -2), other))
    return np.asarray(product(one, rotvec_to_rotmat(share * turn)))


def kabsch(a: ArrayLike, b: ArrayLike, weights: ArrayLike | None = None) -> Doubles:
    """Rotation R (…, 3, 3) that brings the points a (…, N, 3) nearest to b (…, N, 3): b − mean b ≈ R·(a − mean a).

    Kabsch 1976, with the sign of the last singular direction chosen so that R never mirrors; without it a nearly
    flat point set (shoulders, neck, pelvis) comes out mirrored half of the time. `weights` (…, N) ≥ 0 count in the
    means and in the sum; the default is one each.

    Raises:
        ValueError: the weights of a set do not sum to more than zero.
    """
    source, target = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    share = _shares(weights, source.shape[:-1])
    source = source - (share * source).sum(-2, keepdims=True)
    target = target - (share * target).sum(-2, keepdims=True)
    return nearest_rotation(product(np.swapaxes(target, -1, -2), share * source))


def _shares(weights: ArrayLike | None, shape: tuple[int, ...]) -> Doubles:
    raw = np.ones(shape) if weights is None else np.broadcast_to(np.asarray(weights, dtype=np.float64), shape)
    total = raw.sum(-1, keepdims=True)
    if not np.all(total > 0) or np.any(raw < 0):
        raise ValueError("weights of a point set must be non-negative and not all zero")
    return np.asarray((raw / total)[..., None], dtype=np.float64)


def mirror_rotvec(rotvec: ArrayLike) -> Doubles:
    """Axis-angle vectors (…, 3) of M·R·M: (a, b, c) becomes (a, −b, −c)."""
    return np.asarray(np.asarray(rotvec, dtype=np.float64) * MIRROR_SIGNS)


def mirror_pose(pose: ArrayLike) -> Doubles:
    """SMPL pose of the mirrored person: (…, 72) or (…, 24, 3), same shape back; left and right joints change places."""
    array = np.asarray(pose, dtype=np.float64)
    by_joint = array if array.shape[-2:] == (24, 3) else array.reshape(*array.shape[:-1], 24, 3)
    return mirror_rotvec(by_joint[..., MIRRORED_JOINTS, :]).reshape(array.shape)
