"""What is stated of a possible flip follows the evidence."""

from __future__ import annotations

import numpy as np
import pytest

from phq.quality.flip import p_flip, rate, shoulder_order


def record(yaw: float, prior: float, face: bool | None = None, order: int = 0) -> dict[str, object]:
    """A record whose head and torso are turned alike; order +1: MoveNet sees a front, −1 a back, 0 nobody."""
    keypoints = np.zeros((17, 3))
    keypoints[[5, 6]] = [[order, 0, abs(order)], [-order, 0, abs(order)]]
    found = rate("face", yaw) > 0.5 if face is None else face
    return {
        "orientation_p_flip": prior,
        "head_yaw_deg": yaw,
        "camera_yaw_deg": yaw,
        "face_found": found,
        "coco_keypoints": keypoints.ravel().tolist(),
    }


@pytest.mark.parametrize("yaw", [0, 30, 180, -150])
def test_a_face_where_none_should_be_or_none_where_one_should_be_raises_it(yaw):
    expected = abs(yaw) < 90
    agreeing, contrary = (p_flip(record(yaw, 0.2, face)) for face in (expected, not expected))
    assert agreeing < 0.05
    assert contrary > 0.6


@pytest.mark.parametrize("yaw", [0, 30, 180, -150])
def test_shoulders_in_the_order_of_the_other_side_raise_it(yaw):
    right = 1 if abs(yaw) < 90 else -1
    silent, agreeing, contrary = (p_flip(record(yaw, 0.2, order=order)) for order in (0, right, -right))
    assert agreeing < silent < contrary


def test_a_face_is_expected_by_the_yaw_of_the_head_not_of_the_torso():
    over_the_shoulder = {**record(120, 0.2, face=True), "head_yaw_deg": 20.0}
    assert p_flip(over_the_shoulder) < 0.05
    assert p_flip({**over_the_shoulder, "face_found": False}) > 0.6
    looking_away = {**record(60, 0.2, face=False), "head_yaw_deg": 160.0}
    assert p_flip(looking_away) < 0.05
    assert p_flip({**looking_away, "face_found": True}) > 0.6


def test_in_profile_neither_sign_says_much():
    for face in (True, False):
        assert p_flip(record(90, 0.3, face, order=1)) == pytest.approx(0.3, abs=0.12)


def test_it_is_a_probability_whatever_the_evidence():
    for prior in (0.0, 1.0):
        for order in (-1, 0, 1):
            assert 0 <= p_flip(record(0, prior, False, order)) <= 1


def test_movenet_is_asked_only_where_it_saw_both_shoulders():
    assert shoulder_order(record(0, 0.1)) is None
    assert shoulder_order(record(0, 0.1, order=1)) is True
    assert shoulder_order(record(0, 0.1, order=-1)) is False
