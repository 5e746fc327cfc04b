"""What is stated of a possible flip follows the evidence."""

from __future__ import annotations

import numpy as np
import pytest

from phq.quality.flip import EVIDENCE, p_flip, p_flips, rate, shoulder_order


def record(yaw: float, prior: float, face: bool | None = None, order: int = 0) -> dict[str, object]:
    """A record whose head and torso are turned alike; order +1: MoveNet sees a front, −1 a back, 0 nobody."""
    keypoints = np.zeros((17, 3))
    keypoints[[5, 6]] = [[order, 0, abs(order)], [-order, 0, abs(order)]]
    found = rate("face", yaw) > 0.5 if face is None else face
    return {
        "orientation_p_flip": prior,
        "head_yaw_deg": yaw,
        "camera_yaw_deg": yaw,
        "orientation_yaw_deg": yaw,
        "face_found": found,
        "face_pixelation": 0.0,
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


def test_in_profile_neither_sign_says_much():
    for face in (True, False):
        assert p_flip(record(90, 0.3, face, order=1)) == pytest.approx(0.3, abs=0.12)


def test_it_is_a_probability_whatever_the_evidence():
    for prior in (0.0, 1.0):
        for order in (-1, 0, 1):
            assert 0 <= p_flip(record(0, prior, False, order)) <= 1


def test_the_face_is_judged_by_the_head_and_the_shoulders_by_the_torso():
    """Somebody who looks over the shoulder: the torso faces away, the head the camera."""
    over_the_shoulder = record(180, 0.2, face=True, order=-1) | {"head_yaw_deg": 0}
    assert p_flip(over_the_shoulder) < 0.05
    assert p_flip(over_the_shoulder | {"face_found": False}) > 0.1
    away_from_the_camera = record(0, 0.2, face=False, order=1) | {"head_yaw_deg": 180}
    assert p_flip(away_from_the_camera) < 0.05
    shoulders_of_a_front = record(180, 0.2, face=True, order=1) | {"head_yaw_deg": 0}
    assert p_flip(shoulders_of_a_front) > 0.1


def test_a_label_that_faces_away_from_the_observed_orientation_is_doubted():
    unseen = record(0, 0.1, face=True)
    turned = unseen | {"orientation_yaw_deg": 170}
    assert p_flip(unseen) < 0.05 < p_flip(turned)


def test_many_records_have_the_probabilities_of_each_alone():
    rng = np.random.default_rng(0)
    rows = [record(rng.uniform(-180, 180), rng.random(), bool(rng.random() < 0.5), n % 3 - 1) for n in range(50)]
    columns = {name: [row[name] for row in rows] for name in EVIDENCE}
    assert p_flips(columns) == pytest.approx([p_flip(row) for row in rows], rel=1e-12)


def test_movenet_is_asked_only_where_it_saw_both_shoulders():
    rows = [record(0, 0.1), record(0, 0.1, order=1), record(0, 0.1, order=-1)]
    front, known = shoulder_order([row["coco_keypoints"] for row in rows])
    assert known.tolist() == [False, True, True]
    assert front[known].tolist() == [True, False]


@pytest.mark.parametrize("yaw", [0, 180])
def test_no_face_is_no_sign_where_it_was_pixelated(yaw):
    assert p_flip(record(yaw, 0.2, face=False) | {"face_pixelation": 2.0}) == pytest.approx(0.2)
