"""What is stated of a possible flip follows the evidence."""

from __future__ import annotations

import numpy as np
import pytest

from phq.quality.flip import FlipEvidence, p_flip, rate, shoulder_order


def evidence(yaw: float, prior: float, face: bool | None = None, order: int = 0) -> FlipEvidence:
    """Of a label whose head and torso are turned alike; order +1: MoveNet sees a front, −1 a back, 0 nobody."""
    keypoints = np.zeros((17, 3))
    keypoints[[5, 6]] = [[order, 0, abs(order)], [-order, 0, abs(order)]]
    found = rate("face", yaw) > 0.5 if face is None else face
    return FlipEvidence(prior, yaw, yaw, yaw, found, keypoints)


@pytest.mark.parametrize("yaw", [0, 30, 180, -150])
def test_a_face_where_none_should_be_or_none_where_one_should_be_raises_it(yaw):
    expected = abs(yaw) < 90
    agreeing, contrary = (p_flip(evidence(yaw, 0.2, face)) for face in (expected, not expected))
    assert agreeing < 0.05
    assert contrary > 0.6


@pytest.mark.parametrize("yaw", [0, 30, 180, -150])
def test_shoulders_in_the_order_of_the_other_side_raise_it(yaw):
    right = 1 if abs(yaw) < 90 else -1
    silent, agreeing, contrary = (p_flip(evidence(yaw, 0.2, order=order)) for order in (0, right, -right))
    assert agreeing < silent < contrary


def test_in_profile_neither_sign_says_much():
    for face in (True, False):
        assert p_flip(evidence(90, 0.3, face, order=1)) == pytest.approx(0.3, abs=0.12)


def test_it_is_a_probability_whatever_the_evidence():
    for prior in (0.0, 1.0):
        for order in (-1, 0, 1):
            assert 0 <= p_flip(evidence(0, prior, False, order)) <= 1


def test_movenet_is_asked_only_where_it_saw_both_shoulders():
    points = [evidence(0, 0.1, order=order).coco_keypoints for order in (0, 1, -1)]
    sure, front = shoulder_order(np.array(points))
    assert sure.tolist() == [False, True, True]
    assert front[1:].tolist() == [True, False]


def test_the_face_is_judged_by_the_heads_yaw_and_the_shoulders_by_the_torsos():
    keypoints = evidence(0, 0.2, order=1).coco_keypoints
    over_the_shoulder = FlipEvidence(0.2, 180, 180, 20, True, keypoints * 0)
    assert p_flip(over_the_shoulder) < 0.05
    assert p_flip(FlipEvidence(0.2, 0, 0, 180, False, keypoints)) < 0.05
