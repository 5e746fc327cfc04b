"""A body network in place of the fit: what is taken of it, and what its trial finds wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phq.camera.convention import BODY_TO_CV
from phq.detect.backends.body_trial import BodyTrial
from phq.detect.backends.head_trial import HeadTrial
from phq.detect.fuse import Detection
from phq.people.person import BodyPose, HeadPose, Person, Photo
from phq.people.record import Keypoints, Orientation, Source
from phq.pose.closed_form import landmark_table
from phq.pose.orient.angles import angles_of, rotation_of
from phq.stages.estimate_body import take_body

NECK, SCALE = np.array([320.0, 240.0]), 500.0


def person(yaw: float = 0.0) -> Person:
    """Somebody in the middle of a photo, whose landmarks are those of a front at rest."""
    photo = Photo(Path(), "a.jpg", None, Source("0" * 64, 640, 480, False, 700.0))
    found = Person(photo, 0, Detection(np.array([220.0, 100.0, 420.0, 380.0])).part())
    points = np.zeros((33, 2))
    table = landmark_table()
    head = np.array([0.0, 0.065, 0.0513])
    places = np.concatenate([table.placed[:11] + head, table.placed[11:]]) @ BODY_TO_CV
    points[:13] = NECK + SCALE * places[:, :2]
    found.keypoints = Keypoints(points, np.zeros((33, 3)), np.ones(33), 1.0)
    found.orientation = Orientation(8.0, 0.02, yaw)
    return found


def body(yaw: float = 0.0, **changes: Any) -> BodyPose:
    joints = np.tile(np.eye(3), (24, 1, 1))
    joints[0] = rotation_of(np.array([yaw, 0.0, 0.0]))
    return replace(BodyPose(joints, np.zeros(10), NECK, SCALE, 12.0, 0.01), **changes)


def test_the_body_of_the_network_is_the_fit() -> None:
    found = person()
    take_body(found, body(0.0))
    assert found.rejected is None
    assert angles_of(found.fit.torso_to_cam)[0] == pytest.approx(0, abs=0.1)
    np.testing.assert_array_equal(found.fit.neck_px, NECK)
    assert found.fit_scores.reprojection_error < 0.05
    assert found.orientation == Orientation(12.0, 0.02, found.orientation.orientation_yaw_deg)


def test_two_networks_that_disagree_about_the_side_are_in_doubt() -> None:
    found = person(yaw=170.0)
    take_body(found, body(0.0))
    assert found.orientation.orientation_p_flip == pytest.approx(0.98)


def test_numbers_that_are_none_reject_the_person() -> None:
    for change in ({"px_per_metre": 0.0}, {"neck_px": np.array([np.nan, 0.0])}):
        found = person()
        take_body(found, body(0.0, **change))
        assert found.rejected.reason == "degenerate_pose"


def test_the_trials_name_what_is_wrong() -> None:
    mirrored = np.tile(np.diag([1.0, 1.0, -1.0]), (24, 1, 1))
    wrong = list(BodyTrial(None).wrong(body(0.0, joints=mirrored, sigma_deg=0.0, betas=np.zeros(3))))
    assert "joints has matrices that are no rotations" in wrong
    assert "sigma_deg is not above 0" in wrong
    assert any(line.startswith("betas has the shape (3,)") for line in wrong)
    assert list(BodyTrial(None).wrong(body())) == []
    head = HeadPose(np.diag([1.0, 1.0, -1.0]), 5.0, 2.0)
    said = list(HeadTrial(None).wrong(head))
    assert "rotation is no rotation matrix" in said
    assert any(line.startswith("p_flip is not within 0..1") for line in said)
    with pytest.raises(TypeError, match=r"not a phq\.people\.person\.HeadPose"):
        HeadTrial(_Silent()).ask(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(TypeError, match=r"not a phq\.people\.person\.BodyPose"):
        BodyTrial(_Silent()).ask(np.zeros((64, 64, 3), np.uint8))


class _Silent:
    def estimate(self, jobs: list[Any]) -> list[None]:
        return [None for _ in jobs]
