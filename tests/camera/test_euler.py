"""Head angles in the conventions of others, against the formulas their programs use, written out by hand."""

from __future__ import annotations

from math import asin, atan2, cos, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from phq.camera.convention import BODY_TO_CV, orbit
from phq.camera.euler import from_sixdrepnet, from_tddfa, from_whenet, head_to_cam, to_sixdrepnet, to_tddfa, to_whenet

side = st.floats(-88, 88)
round_about = st.floats(-179, 179)
off_profile = round_about.filter(lambda a: abs(abs(a) - 90) > 0.5)
"""At exactly ±90° of yaw a profile's pitch and roll turn about one axis."""


def axes_drawn_by_hopenet(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Image direction (right, down) of the three lines that Hopenet, WHENet and 6DRepNet draw: left, down, front."""
    p, y, r = radians(pitch), -radians(yaw), radians(roll)
    left = cos(y) * cos(r), cos(p) * sin(r) + cos(r) * sin(p) * sin(y)
    down = -cos(y) * sin(r), cos(p) * cos(r) - sin(p) * sin(y) * sin(r)
    front = sin(y), -cos(y) * sin(p)
    return np.array([left, down, front])


def angles_of_sixdrepnet(matrix: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch, roll that 6DRepNet reads from the matrix its network gives (Rz Ry Rx of roll, yaw, pitch)."""
    length = np.hypot(matrix[0, 0], matrix[1, 0])
    pitch = atan2(matrix[2, 1], matrix[2, 2])
    return tuple(np.degrees([atan2(-matrix[2, 0], length), pitch, atan2(matrix[1, 0], matrix[0, 0])]))


def angles_of_tddfa(affine: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch, roll that 3DDFA_V2 reads from the rotation of its affine camera (right, up, towards the viewer)."""
    yaw = asin(affine[2, 0])
    pitch = atan2(affine[2, 1] / cos(yaw), affine[2, 2] / cos(yaw))
    return tuple(np.degrees([yaw, pitch, atan2(affine[1, 0] / cos(yaw), affine[0, 0] / cos(yaw))]))


def angles_of_whenet(compound: np.ndarray) -> tuple[float, float, float]:
    """Yaw, pitch, roll that WHENet's data preparation reads from (head to OpenCV camera) · diag(1, −1, −1)."""
    first = asin(-compound[0, 2])
    for y in (first, np.pi - first):
        pitch = np.degrees(atan2(compound[1, 2] / cos(y), compound[2, 2] / cos(y)))
        roll = np.degrees(atan2(compound[0, 1] / cos(y), compound[0, 0] / cos(y)))
        yaw = (np.degrees(y) + 180) % 360 - 180
        if abs(pitch) < 90 and abs(roll) < 90:
            return -yaw, pitch, -roll
    raise AssertionError


def random_heads() -> list[np.ndarray]:
    return list(Rotation.random(50, random_state=3).as_matrix() @ BODY_TO_CV)


@given(round_about, side, side)
def test_the_drawn_axes_are_the_heads_own(yaw, pitch, roll):
    head = from_whenet(yaw, pitch, roll)
    expected = np.stack([head[:2, 0], -head[:2, 1], head[:2, 2]])  # left, down, front in the image
    np.testing.assert_allclose(axes_drawn_by_hopenet(yaw, pitch, roll), expected, atol=1e-12)


def test_sixdrepnet_reads_the_same_angles_from_its_own_matrix():
    for head in random_heads():
        its_matrix = (BODY_TO_CV @ head).T
        np.testing.assert_allclose(to_sixdrepnet(head), angles_of_sixdrepnet(its_matrix), atol=1e-9)


def test_tddfa_reads_the_same_angles_from_its_affine_camera():
    for head in random_heads():
        np.testing.assert_allclose(to_tddfa(head), angles_of_tddfa(BODY_TO_CV @ head), atol=1e-9)


@given(off_profile, side, side)
def test_whenet_reads_the_same_angles(yaw, pitch, roll):
    compound = from_whenet(yaw, pitch, roll) @ BODY_TO_CV
    np.testing.assert_allclose(angles_of_whenet(compound), [yaw, pitch, roll], atol=1e-6)


@given(side, round_about, round_about)
def test_round_trips(yaw, pitch, roll):
    np.testing.assert_allclose(to_sixdrepnet(from_sixdrepnet(yaw, pitch, roll)), [yaw, pitch, roll], atol=1e-6)
    np.testing.assert_allclose(to_tddfa(from_tddfa(yaw, pitch, roll)), [yaw, pitch, roll], atol=1e-6)


@given(off_profile, side, side)
def test_whenet_goes_all_the_way_round(yaw, pitch, roll):
    np.testing.assert_allclose(to_whenet(from_whenet(yaw, pitch, roll)), [yaw, pitch, roll], atol=1e-6)


@pytest.mark.parametrize("yaw", [90.0, -90.0])
@pytest.mark.parametrize(("read", "write"), [(to_sixdrepnet, from_sixdrepnet), (to_tddfa, from_tddfa)])
def test_a_profile_keeps_its_rotation(read, write, yaw):
    head = write(yaw, 20.0, 5.0)
    angles = read(head)
    assert angles[0] == pytest.approx(yaw)
    assert angles[2] == 0
    np.testing.assert_allclose(write(*angles), head, atol=1e-7)


def test_signs():
    """A head that turns to image left, then looks up, then leans its crown to image right."""
    turned, up, leaning = (from_sixdrepnet(*a) for a in ((30, 0, 0), (0, 20, 0), (0, 0, 10)))
    assert (turned @ [0, 0, 1])[0] < 0
    assert (up @ [0, 0, 1])[1] < 0
    assert (leaning @ [0, 1, 0])[0] > 0
    np.testing.assert_allclose(
        [to_tddfa(head) for head in (turned, up, leaning)], [[30, 0, 0], [0, -20, 0], [0, 0, -10]], atol=1e-9
    )


def test_a_head_from_behind():
    back = BODY_TO_CV @ np.diag([-1.0, 1.0, -1.0])
    np.testing.assert_allclose(np.abs(to_whenet(back)), [180, 0, 0], atol=1e-9)
    np.testing.assert_allclose(np.abs(to_sixdrepnet(back)), [0, 180, 180], atol=1e-9)


def test_whenet_has_no_angles_for_a_head_upside_down():
    with pytest.raises(ValueError, match="±90°"):
        to_whenet(from_sixdrepnet(0, 0, 170))


@pytest.mark.parametrize(("yaw", "pose_yaw"), [(0, 0), (40, 0), (-150, 0), (20, 35)])
def test_a_sample_gives_the_angles_of_its_head(yaw, pose_yaw):
    # the camera goes round to the subject's left; the head then turns to the same side, half in the neck
    turn = [0, np.radians(pose_yaw) / 2, 0]
    head = head_to_cam(orbit(yaw).ravel().tolist(), [*turn, *turn])
    assert to_whenet(head)[0] == pytest.approx(yaw - pose_yaw, abs=1e-6)
    assert abs(to_whenet(head)[2]) < 1e-6
    # the camera looks up by 1.4°, so a level head looks over it by as much
    assert to_whenet(head)[1] == pytest.approx(np.degrees(np.arctan2(0.0649, 2.7)), abs=1e-6)
