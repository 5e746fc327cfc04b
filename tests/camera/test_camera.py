"""The camera convention: published test vectors, mirror identities, where joints land, and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from camera_vectors import VECTORS
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from phq.camera import FOCAL, RADIUS, VISIBLE_HEIGHT, intrinsics
from phq.camera.angles import apart_deg, camera_angles, part_angles, wrap_deg
from phq.camera.convention import BODY_TO_CV, camera_from_torso, look_at, mirror_camera, orbit, project, world2cam

angle = st.floats(-179, 179)
tilt = st.floats(-60, 60)


@pytest.mark.parametrize("view", VECTORS)
def test_published_camera_vectors(view):
    np.testing.assert_allclose(orbit(*view).ravel(), VECTORS[view], atol=2e-6)


def test_the_angle_between_directions_is_the_short_way_round():
    assert apart_deg([170, -90, 0, 10], [-170, 90, 360, 10]).tolist() == [20, 180, 0, 0]


def test_constants():
    np.testing.assert_allclose(FOCAL, 6.510416667, atol=1e-9)
    np.testing.assert_allclose(VISIBLE_HEIGHT, 0.41472, atol=1e-9)
    np.testing.assert_allclose(2 * np.degrees(np.arctan(0.5 / FOCAL)), 8.7834, atol=1e-4)
    assert intrinsics()[0, 2] == 0.5


@given(angle, tilt)
def test_orbit_angles_round_trip(yaw, pitch):
    got = camera_angles(orbit(yaw, pitch))
    np.testing.assert_allclose(got, [yaw, pitch, 0], atol=1e-6)


@given(angle, tilt, st.floats(-80, 80))
def test_camera_from_torso_keeps_position_and_roll(yaw, pitch, roll):
    camera = camera_from_torso(orbit_torso(yaw, pitch, roll))
    got = camera_angles(camera)
    np.testing.assert_allclose(got[:2], [yaw, pitch], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(camera[:3, 3]), RADIUS)
    # re-aiming from the neck to the look-at point tilts the camera by 1.4°, which turns a rolled image a little
    np.testing.assert_allclose(wrap_deg(got[2] - roll), 0, atol=0.5 + abs(np.tan(np.radians(pitch))) * 1.5)


def orbit_torso(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Body-to-camera rotation seen by a camera that looks at the neck itself from (yaw, pitch), then is rolled."""
    level = look_at(orbit(yaw, pitch)[:3, 3], np.array([0.0, 1.0, 0.0]), np.zeros(3))
    return Rotation.from_euler("z", roll, degrees=True).as_matrix() @ level[:3, :3].T


@given(angle, tilt, st.floats(-60, 60))
def test_mirror_negates_yaw_and_roll(yaw, pitch, roll):
    camera = camera_from_torso(orbit_torso(yaw, pitch, roll))
    mirrored = mirror_camera(camera)
    flat, expected = mirrored.ravel(), camera.ravel().copy()
    expected[[1, 2, 3, 4, 8]] *= -1
    np.testing.assert_allclose(flat, expected, atol=1e-12)
    y, p, r = camera_angles(camera)
    np.testing.assert_allclose(camera_angles(mirrored), [-y, p, -r], atol=1e-9)


@given(angle, tilt)
def test_mirrored_camera_sees_the_mirrored_body(yaw, pitch):
    points = np.array([[0.1, 0.2, 0.15], [-0.17, -0.06, 0.0], [0.02, 0.1, -0.1]])
    seen = project(points, orbit(yaw, pitch))
    mirrored = project(points * [-1, 1, 1], mirror_camera(orbit(yaw, pitch)))
    np.testing.assert_allclose(mirrored, seen * [-1, 1] + [1, 0], atol=1e-12)


@given(angle, st.floats(-70, 70), st.floats(-70, 70))
def test_part_angles_are_the_euler_angles(yaw, pitch, roll):
    r = Rotation.from_euler("YXZ", [yaw, -pitch, roll], degrees=True).as_matrix() @ BODY_TO_CV
    got = part_angles(r, np.array([0.0, 0.0, 2.7]))
    np.testing.assert_allclose(got[1:], [pitch, roll], atol=1e-6)


def test_signs_of_a_head():
    # turned to its own right: the face points to image left, the camera is on its left side
    r = Rotation.from_euler("Y", 30, degrees=True).as_matrix() @ BODY_TO_CV
    assert (r @ [0, 0, 1])[0] < 0
    assert part_angles(r, np.array([0, 0, 1.0]))[0] == pytest.approx(30)
    # face up: the front axis points up in the image
    up = Rotation.from_euler("X", -20, degrees=True).as_matrix() @ BODY_TO_CV
    assert (up @ [0, 0, 1])[1] < 0
    assert part_angles(up, np.array([0, 0, 1.0]))[1] == pytest.approx(20)
    # crown to the subject's own left, which is image right when he faces the camera
    left = Rotation.from_euler("Z", 10, degrees=True).as_matrix() @ BODY_TO_CV
    assert (left @ [0, 1, 0])[0] > 0
    assert part_angles(left, np.array([0, 0, 1.0]))[2] == pytest.approx(10)


def test_an_off_centre_person_is_seen_along_the_ray():
    camera = camera_from_torso(BODY_TO_CV, np.array([1.0, 0.0, 1.0]))
    assert camera_angles(camera)[0] == pytest.approx(-45)


def test_world2cam_inverts():
    camera = orbit(123, -17)
    np.testing.assert_allclose(world2cam(camera) @ camera, np.eye(4), atol=1e-12)


def test_looking_along_up_is_refused():
    with pytest.raises(ValueError, match="up direction"):
        look_at(np.array([0, 2.7, 0.0]), np.array([0, 1.0, 0.0]), np.zeros(3))


def test_yaw_of_the_back_is_plus_180():
    assert wrap_deg(-180.0) == 180.0
    assert wrap_deg(540.0) == 180.0
