"""Errors of poses are angles between rotations, and those of masks are of their overlap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from phq.camera.rotations import rotvec_to_rotmat
from phq.generator.evaluate.masks import iou
from phq.generator.evaluate.poses import compared, mean_pose, pose_errors


def slow_angle(a: np.ndarray, b: np.ndarray) -> float:
    """Degrees between two rotation matrices, by the trace."""
    return float(np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))))


def test_errors_are_the_angles_of_neck_head_and_both_together():
    poses, truth = np.random.default_rng(0).normal(0, 0.4, (2, 9, 6))
    found = pose_errors(poses, truth)
    parts = [np.moveaxis(rotvec_to_rotmat(rows.reshape(9, 2, 3)), 1, 0) for rows in (poses, truth)]
    (neck, head), (true_neck, true_head) = parts
    pairs = {"neck": (neck, true_neck), "head": (head, true_head), "neck_head": (neck @ head, true_neck @ true_head)}
    for part, (a, b) in pairs.items():
        angles = [slow_angle(x, y) for x, y in zip(a, b, strict=True)]
        assert found[part] == {"mean": pytest.approx(np.mean(angles)), "median": pytest.approx(np.median(angles))}


def test_a_head_that_undoes_its_neck_is_right_on_the_torso():
    turn = [0.0, 0.5, 0.0]
    found = pose_errors(np.array([[*turn, *np.negative(turn)]]), np.zeros((1, 6)))
    assert found["neck"]["mean"] == found["head"]["mean"] == pytest.approx(np.degrees(0.5))
    assert found["neck_head"]["mean"] == pytest.approx(0, abs=1e-9)


def test_the_mean_pose_is_the_one_in_the_middle():
    middle = np.array([0.3, -0.2, 0.1, 0.0, 0.7, 0.2])
    sides = np.random.default_rng(1).normal(0, 0.2, (40, 2, 3))
    around = Rotation.from_rotvec(np.concatenate([sides, -sides]).reshape(-1, 3))
    poses = (Rotation.from_rotvec(np.tile(middle.reshape(2, 3), (80, 1))) * around).as_rotvec().reshape(80, 6)
    np.testing.assert_allclose(mean_pose(poses), middle, atol=1e-9)


def test_predictor_labels_and_a_constant_are_held_against_the_truth():
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 0.2, (200, 6))
    labels, seen = truth + rng.normal(0, 0.17, truth.shape), truth + 0.01
    labels.flags.writeable = seen.flags.writeable = False  # as columns of a table are
    found = compared(seen, labels, mean_pose(labels), truth)
    errors = {name: parts["head"]["mean"] for name, parts in found["to_truth"].items()}
    assert errors["predictor"] < 2
    assert errors["labels"] > 10
    assert found["images"] == 200
    # a constant is off by the spread of the truth, not by the noise of the labels it was made from
    assert errors["constant"] == pytest.approx(pose_errors(truth, np.zeros_like(truth))["head"]["mean"], rel=0.05)
    assert "to_truth" not in compared(seen, labels, mean_pose(labels), None)


def test_iou_of_masks():
    a, b = np.zeros((2, 3, 4, 4), bool)
    a[0, :2], b[0, 1:3] = True, True
    a[1], b[1] = True, True
    np.testing.assert_allclose(iou(a, b), [4 / 12, 1, 1])  # of two empty ones, 1
