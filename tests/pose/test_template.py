"""The rest-pose template lands in the crop where the published labels have it."""

from __future__ import annotations

import numpy as np
import pytest

from phq.camera.convention import LOOK_AT, orbit, project
from phq.pose import template

VIEWS = {"front": (0, 0), "left": (90, 0), "rear": (180, 0), "above": (0, 20)}
NAMES = ("neck", "head", "nose", "left_shoulder", "right_shoulder", "left_ear", "head_top")
PIXELS = {
    "front": [
        (256.0, 336.1), (262.4, 254.3), (257.7, 161.7), (469.3, 412.3),
        (40.2, 413.2), (350.1, 167.5), (256.0, 3.4),
    ],
    "left": [
        (256.0, 336.1), (192.6, 255.7), (66.2, 171.6), (256.1, 417.5),
        (261.7, 408.7), (230.6, 163.9), (230.0, 6.0),
    ],
    "rear": [
        (256.0, 336.1), (249.8, 257.4), (254.5, 180.5), (42.7, 412.3),
        (472.6, 413.5), (163.3, 169.9), (256.0, 8.5),
    ],
    "above": [
        (256.0, 331.9), (262.5, 276.7), (257.7, 235.4), (467.6, 402.9),
        (41.9, 401.8), (351.7, 179.3), (256.0, 17.5),
    ],
}  # fmt: skip
"""Published positions in a 512² crop."""


@pytest.mark.parametrize("view", PIXELS)
def test_points_land_where_the_published_crop_has_them(view: str) -> None:
    landed = project(template.points(NAMES), orbit(*VIEWS[view]), 512)
    np.testing.assert_allclose(landed, PIXELS[view], atol=0.16)


def test_torso_is_almost_flat() -> None:
    torso = template.points(template.TORSO)
    centred = torso - torso.mean(0)
    singular = np.linalg.svd(centred.T @ centred, compute_uv=False)
    assert np.allclose(singular, [0.169, 0.060, 5e-5], atol=1e-3)


def test_symmetric_points_mirror_into_each_other() -> None:
    symmetric = dict(zip(template.POINTS, template.symmetric_points(), strict=True))
    for name, mirrored in template.MIRRORED_POINTS.items():
        assert np.array_equal(symmetric[name] * [-1, 1, 1], symmetric[mirrored])
    assert symmetric["left_shoulder"][0] > 0, "+x is the subject's left"


def test_symmetric_points_stay_near_the_published_ones() -> None:
    assert np.linalg.norm(template.points() - template.symmetric_points(), axis=1).max() < 0.0052


def test_cameras_look_at_the_height_of_the_head_joint() -> None:
    assert abs(LOOK_AT[1] - template.HEAD[1]) < 2e-4


def test_unknown_point_is_an_error() -> None:
    with pytest.raises(KeyError):
        template.points(("left_knee",))
