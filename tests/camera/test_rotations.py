"""Rotations against slow, obvious twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from phq.camera.rotations import kabsch, mirror_pose, mirror_rotvec, rotation_log, rotmat_to_rotvec, rotvec_to_rotmat
from phq.pose import template
from phq.schema import SMPL_JOINTS

Doubles = NDArray[np.float64]
M = np.diag([-1.0, 1.0, 1.0])
coordinate = st.floats(-3, 3, allow_nan=False)


def slow_rotmat(rotvec: Doubles) -> Doubles:
    """Matrix exponential of the cross-product matrix, by its series."""
    x, y, z = rotvec
    W = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    term, total = np.eye(3), np.eye(3)
    for k in range(1, 60):
        term = term @ W / k
        total = total + term
    return total


def random_points(seed: int, count: int = 6) -> Doubles:
    return np.random.default_rng(seed).normal(size=(count, 3))


@pytest.mark.parametrize("angle", [0, 1e-14, 1e-9, 1e-5, 0.3, 2, *(math.pi - off for off in (1e-2, 3e-4, 1e-6, 0))])
def test_the_unchecked_logarithm_is_its_checked_twin(angle: float) -> None:
    axes = random_points(3)
    rotations = rotvec_to_rotmat(angle * axes / np.linalg.norm(axes, axis=1, keepdims=True))
    assert np.allclose(rotation_log(rotations), rotmat_to_rotvec(rotations), atol=1e-10)


@given(coordinate, coordinate, coordinate)
def test_rotmat_is_the_matrix_exponential(x: float, y: float, z: float) -> None:
    assert np.allclose(rotvec_to_rotmat([x, y, z]), slow_rotmat(np.array([x, y, z])), atol=1e-9)


def test_quarter_turn_about_y_takes_z_to_x() -> None:
    assert np.allclose(rotvec_to_rotmat([0, math.pi / 2, 0]) @ [0, 0, 1], [1, 0, 0])


@pytest.mark.parametrize("angle", [0.0, 1e-300, 1e-12, 1e-7, 1e-3, 1.0, 3.0, math.pi - 1e-6, math.pi - 1e-9])
def test_rotvec_survives_the_round_trip_at_every_angle(angle: float) -> None:
    axis = np.array([0.36, -0.48, 0.8])
    back = rotmat_to_rotvec(rotvec_to_rotmat(angle * axis))
    assert np.abs(back - angle * axis).max() < 1e-9


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0, -0.8), (0.6, 0.8, 0)])
def test_half_turn_gives_the_same_matrix_back(axis: tuple[float, float, float]) -> None:
    R = rotvec_to_rotmat(math.pi * np.array(axis))
    rotvec = rotmat_to_rotvec(R)
    assert np.linalg.norm(rotvec) == pytest.approx(math.pi)
    assert np.allclose(rotvec_to_rotmat(rotvec), R, atol=1e-12)


@given(st.integers(0, 1000), st.floats(0, math.pi), st.sampled_from([0.0, 1e-9, 1e-7]))
def test_rotvecs_are_those_of_scipy_and_of_the_nearest_rotation(seed: int, angle: float, noise: float) -> None:
    axes = random_points(seed)
    matrices = rotvec_to_rotmat(angle * axes / np.linalg.norm(axes, axis=1, keepdims=True))
    matrices = matrices + noise * np.random.default_rng(seed).normal(size=matrices.shape)
    back = rotvec_to_rotmat(rotmat_to_rotvec(matrices))
    assert np.allclose(back, Rotation.from_matrix(matrices).as_matrix(), atol=1e-12)


@pytest.mark.parametrize("matrix", [np.diag([1.0, 1, -1]), np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_what_is_no_rotation_is_refused(matrix: Doubles) -> None:
    with pytest.raises(ValueError, match="not a rotation"):
        rotmat_to_rotvec(matrix)


def test_batches_keep_their_shape() -> None:
    rotvecs = np.random.default_rng(1).normal(size=(2, 5, 3)) * 0.5
    R = rotvec_to_rotmat(rotvecs)
    assert R.shape == (2, 5, 3, 3)
    assert np.allclose(rotmat_to_rotvec(R), rotvecs)
    assert np.allclose(R[1, 3], rotvec_to_rotmat(rotvecs[1, 3]))
    assert rotvec_to_rotmat(np.zeros((0, 3))).shape == (0, 3, 3)


def test_a_reflection_is_no_rotation() -> None:
    with pytest.raises(ValueError):
        rotmat_to_rotvec(M)


@given(coordinate, coordinate, coordinate, st.integers(0, 1000))
def test_kabsch_finds_the_rotation_whatever_the_shift(x: float, y: float, z: float, seed: int) -> None:
    R = rotvec_to_rotmat([x, y, z])
    a = random_points(seed)
    assert np.allclose(kabsch(a, a @ R.T + [5, -3, 2]), R, atol=1e-8)


def test_kabsch_is_better_than_every_rotation_near_it() -> None:
    a, b = random_points(2), random_points(3)
    weights = np.array([1.0, 2.0, 0.5, 1.0, 3.0, 1.0])

    def loss(R: Doubles) -> float:
        a0, b0 = (p - (weights[:, None] * p).sum(0) / weights.sum() for p in (a, b))
        return float((weights[:, None] * (b0 - a0 @ R.T) ** 2).sum())

    best = kabsch(a, b, weights)
    for step in np.random.default_rng(4).normal(size=(200, 3)) * 0.05:
        assert loss(best) <= loss(rotvec_to_rotmat(step) @ best)
    assert np.linalg.det(best) == pytest.approx(1)


def test_kabsch_never_mirrors_the_flat_torso() -> None:
    # The four torso points are coplanar to a few millimetres: without the sign of the determinant half come mirrored.
    torso = template.points(template.TORSO)
    rng = np.random.default_rng(5)
    for rotvec in rng.normal(size=(50, 3)):
        R = rotvec_to_rotmat(rotvec)
        found = kabsch(torso, torso @ R.T + rng.normal(size=(4, 3)) * 0.003)
        assert np.linalg.det(found) == pytest.approx(1)
        assert np.degrees(np.linalg.norm(rotmat_to_rotvec(found.T @ R))) < 10


def test_kabsch_ignores_a_point_of_weight_zero() -> None:
    R = rotvec_to_rotmat([0.3, -1.0, 0.2])
    a = random_points(6)
    b = a @ R.T
    b[2] += 100
    weights = np.ones(6)
    weights[2] = 0
    assert np.allclose(kabsch(a, b, weights), R)


def test_kabsch_of_a_batch_is_kabsch_of_each() -> None:
    a, b = np.random.default_rng(7).normal(size=(2, 4, 6, 3))
    batch = kabsch(a, b)
    assert np.allclose(batch, [kabsch(a[i], b[i]) for i in range(4)])
    assert np.allclose(kabsch(a[0], b), [kabsch(a[0], b[i]) for i in range(4)])


@pytest.mark.parametrize("weights", [np.zeros(6), np.array([1.0, 1, 1, 1, 1, -1])])
def test_kabsch_refuses_weights_without_meaning(weights: Doubles) -> None:
    with pytest.raises(ValueError, match="weights"):
        kabsch(random_points(8), random_points(9), weights)


@given(coordinate, coordinate, coordinate)
def test_mirrored_rotvec_is_the_mirrored_matrix(x: float, y: float, z: float) -> None:
    R = rotvec_to_rotmat([x, y, z])
    assert np.allclose(rotvec_to_rotmat(mirror_rotvec([x, y, z])), M @ R @ M, atol=1e-12)


def test_mirrored_pose_swaps_sides_and_comes_back() -> None:
    pose = np.random.default_rng(10).normal(size=(3, 72))
    mirrored = mirror_pose(pose)
    left, right = SMPL_JOINTS.index("left_elbow"), SMPL_JOINTS.index("right_elbow")
    assert np.array_equal(mirrored.reshape(3, 24, 3)[:, left], mirror_rotvec(pose.reshape(3, 24, 3)[:, right]))
    assert np.array_equal(mirrored[:, 36:39], mirror_rotvec(pose[:, 36:39])), "the neck stays the neck"
    assert np.array_equal(mirror_pose(mirrored), pose)
    assert np.array_equal(mirror_pose(pose.reshape(3, 24, 3)).reshape(3, 72), mirrored)
    assert np.array_equal(mirror_pose(pose[0]), mirrored[0])


def test_every_joint_is_mirrored_onto_its_namesake() -> None:
    marked = np.zeros((24, 3))
    marked[:, 0] = np.arange(24)
    for joint, source in zip(SMPL_JOINTS, mirror_pose(marked)[:, 0].astype(int), strict=True):
        swapped = joint.replace("left", "?").replace("right", "left").replace("?", "right")
        assert SMPL_JOINTS[source] == swapped
