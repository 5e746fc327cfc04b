"""The closed-form fit gives back the body that the landmarks were made from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from phq.camera.angles import wrap_deg
from phq.camera.convention import BODY_TO_CV, MIRROR
from phq.camera.rotations import rotvec_to_rotmat
from phq.detect.blazepose import LEFT_RIGHT
from phq.people.person import Landmarks
from phq.photos.region import Region
from phq.pose import closed_form
from phq.pose.closed_form import (
    FACE,
    TORSO,
    fit_torso,
    head_joint,
    landmark_table,
    place,
    split_neck_head,
    torso_yaw,
    unflattened,
)
from phq.pose.evidence import deep_torso
from phq.pose.limbs import arm_pose, observed_joints, swing
from phq.pose.orient.angles import rotation_of
from phq.schema import SMPL_JOINTS
from phq.stages.orient_people import belief_of_landmarks

angles = st.tuples(st.floats(-180, 180), st.floats(-40, 40), st.floats(-40, 40))
BOX = np.array([300.0, 100, 700, 900])


def body(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Body axes to camera axes."""
    return Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True).as_matrix() @ BODY_TO_CV


def picture(torso: np.ndarray, head: np.ndarray, scale: float, neck: np.ndarray) -> np.ndarray:
    """(33, 2) landmarks that the table puts on such a person."""
    table = landmark_table()
    joint = head_joint(torso, split_neck_head(torso, head)[0])
    points = np.zeros((33, 3))
    points[:11] = table.placed[:11] @ head.T + joint
    points[11:13] = table.placed[11:] @ torso.T
    return neck + scale * points[:, :2]


def run_of(torso: np.ndarray, head: np.ndarray) -> Landmarks:
    world = np.zeros((33, 3))
    world[list(TORSO)] = landmark_table().torso @ torso.T + [0.1, -0.4, 0]
    world[list(FACE)] = landmark_table().face @ head.T + [0.1, -0.6, 0]
    seen = picture(torso, head, 800.0, np.array([500.0, 300.0]))
    blank = np.zeros((256, 256), np.float32)
    return Landmarks(Region(0, 0, 1), seen, world, np.ones(33), 1.0, np.zeros((2, 2)), blank)


@given(angles, st.floats(-60, 60))
def test_torso_head_and_place_come_back(turn, twist):
    torso = body(*turn)
    head = torso @ Rotation.from_euler("y", twist, degrees=True).as_matrix()
    fit = fit_torso([run_of(torso, head)] * 3, BOX)
    np.testing.assert_allclose(fit.torso_to_cam, torso, atol=1e-6)
    np.testing.assert_allclose(fit.head_to_cam, head, atol=1e-6)
    np.testing.assert_allclose(fit.neck_px, [500, 300], atol=1e-3)
    assert fit.px_per_metre == pytest.approx(800, rel=1e-5)
    assert fit.residual < 1e-4


@given(angles)
def test_a_flipped_run_among_three_is_left_out(turn):
    torso = body(*turn)
    behind = torso @ np.diag([-1.0, 1, -1])
    fit = fit_torso([run_of(torso, torso), run_of(behind, behind), run_of(torso, torso)], BOX)
    np.testing.assert_allclose(fit.torso_to_cam, torso, atol=1e-6)


@given(angles)
def test_the_mirror_image_gives_the_mirrored_torso(turn):
    run = run_of(body(*turn), body(*turn))
    run.world = run.world[list(LEFT_RIGHT)] * [-1, 1, 1]
    mirrored = closed_form.torso_rotation(run.world)
    np.testing.assert_allclose(mirrored, MIRROR @ body(*turn) @ MIRROR, atol=1e-6)


@settings(max_examples=30)
@given(angles, st.integers(0, 12), st.floats(-200, 200))
def test_one_wild_landmark_hardly_moves_the_person(turn, index, shift):
    torso = body(*turn)
    seen = picture(torso, torso, 800.0, np.array([500.0, 300.0]))
    seen[index] += [shift, -shift]
    scale, neck, _ = place(torso, torso, seen)
    assert np.linalg.norm(neck - [500, 300]) < 0.06 * 800
    assert 0.7 < scale / 800 < 1.3


def test_placement_falls_back_to_the_box_when_landmarks_collapse():
    run = run_of(body(0, 0, 0), body(0, 0, 0))
    run.points[:] = 7.0
    fit = fit_torso([run] * 3, BOX)
    assert fit.residual == 1.0
    assert BOX[0] < fit.neck_px[0] < BOX[2]
    assert BOX[1] < fit.neck_px[1] < BOX[3]


@given(angles, angles)
def test_neck_and_head_together_make_the_turn(a, b):
    torso, head = body(*a), body(*b)
    neck, top = rotvec_to_rotmat(split_neck_head(torso, head))
    np.testing.assert_allclose(torso @ neck @ top, head, atol=1e-6)


direction = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)


@given(direction, direction)
def test_swing_turns_one_direction_into_the_other_the_short_way(a, b):
    r = swing(a, b)
    np.testing.assert_allclose(r @ r.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(r @ a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-6)
    between = np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
    assert Rotation.from_matrix(r).magnitude() == pytest.approx(between, abs=1e-5)


def test_swing_half_a_turn():
    np.testing.assert_allclose(swing(np.array([1.0, 0, 0]), np.array([-1.0, 0, 0])) @ [1, 0, 0], [-1, 0, 0], atol=1e-9)


def test_arms_follow_their_landmarks_and_hang_when_unseen():
    world = np.zeros((33, 3))
    world[11], world[13], world[15] = (0.2, 0, 0), (0.2, 0.3, 0), (0.2, 0.3, -0.3)  # down, then towards the camera
    seen = np.zeros(33, bool)
    seen[[11, 13, 15]] = True
    pose = arm_pose(world, {"left": BODY_TO_CV, "right": BODY_TO_CV}, seen)
    upper = rotvec_to_rotmat(pose["left_shoulder"])
    fore = upper @ rotvec_to_rotmat(pose["left_elbow"])
    np.testing.assert_allclose(BODY_TO_CV @ upper @ [1, 0, 0], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(BODY_TO_CV @ fore @ [1, 0, 0], [0, 0, -1], atol=1e-6)
    hanging = rotvec_to_rotmat(pose["right_shoulder"]) @ [-1, 0, 0]
    assert hanging[1] < -0.9
    observed = dict(zip(SMPL_JOINTS, observed_joints(seen), strict=True))
    assert observed["left_shoulder"]
    assert observed["left_elbow"]
    assert observed["pelvis"]
    assert not observed["right_shoulder"]
    assert not observed["left_knee"]


@given(angles)
def test_a_flat_torso_is_turned_away_from_the_nearer_of_front_and_back(turn):
    torso = body(*turn)
    yaw, deep = torso_yaw(torso), unflattened(torso, 6.5)
    assert wrap_deg(torso_yaw(deep) - yaw) == pytest.approx(6.5 * np.sin(2 * np.radians(yaw)), abs=1e-6)
    np.testing.assert_allclose(deep[:, 1], torso[:, 1], atol=1e-12)  # it stays as upright as it was
    mirrored = MIRROR @ torso @ MIRROR
    np.testing.assert_allclose(unflattened(mirrored, 6.5), MIRROR @ deep @ MIRROR, atol=1e-9)


@pytest.mark.parametrize(("yaw", "turned"), [(0, 0.0), (45, 6.5), (90, 0.0), (135, -6.5), (-45, -6.5), (180, 0.0)])
def test_whole_people_are_seen_deeper_than_the_landmark_network_sees_them(yaw, turned):
    torso = rotation_of(np.array([yaw, 0.0, 0.0]))
    run = run_of(torso, torso)
    world = run.world.copy()
    world[list(TORSO)] = deep_torso(run)
    start = fit_torso([run], BOX)
    for deep in (closed_form.torso_rotation(world), belief_of_landmarks(start).torso):
        assert wrap_deg(torso_yaw(deep) - yaw) == pytest.approx(turned, abs=1e-6)
