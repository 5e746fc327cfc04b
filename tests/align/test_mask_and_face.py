"""The mask is of one person alone; a face is evidence and nothing more."""

from __future__ import annotations

import numpy as np
import pytest
from bundled_photos import pixels

from phq.align.soft_mask import guided_filter
from phq.config.build import load_config
from phq.detect.centerface import decode
from phq.stages.annotator import Annotator


def slow_guided_filter(guide: np.ndarray, soft: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """He et al. 2010, window by window, with windows that end at the border of the picture."""
    height, width = soft.shape
    slope, offset = np.zeros((height, width, 3)), np.zeros((height, width))

    def window(i: int, j: int) -> tuple[slice, slice]:
        return slice(i - radius, i + radius + 1), slice(j - radius, j + radius + 1)

    inner = [(i, j) for i in range(radius, height - radius) for j in range(radius, width - radius)]
    for i, j in inner:
        colours, values = guide[window(i, j)].reshape(-1, 3), soft[window(i, j)].ravel()
        spread = np.cov(colours.T, bias=True) + epsilon * np.eye(3)
        shared = (colours * values[:, None]).mean(0) - colours.mean(0) * values.mean()
        slope[i, j] = np.linalg.solve(spread, shared)
        offset[i, j] = values.mean() - slope[i, j] @ colours.mean(0)
    out = np.full((height, width), np.nan)
    for i, j in inner:
        if 2 * radius <= i < height - 2 * radius and 2 * radius <= j < width - 2 * radius:
            out[i, j] = slope[window(i, j)].reshape(-1, 3).mean(0) @ guide[i, j] + offset[window(i, j)].mean()
    return out


def test_guided_filter_equals_its_slow_twin():
    rng = np.random.default_rng(0)
    guide, soft = rng.random((24, 20, 3)).astype(np.float32), rng.random((24, 20)).astype(np.float32)
    slow = slow_guided_filter(guide, soft, 3, 1e-2)
    fast = guided_filter(guide, soft, 3, 1e-2)
    inside = ~np.isnan(slow)
    np.testing.assert_allclose(fast[inside], slow[inside], atol=2e-4)


def test_guided_filter_moves_a_blurred_edge_to_the_edge_of_the_picture():
    guide = np.zeros((64, 64, 3), np.float32)
    guide[:, 30:] = 0.8
    soft = np.tile(np.clip((np.arange(64, dtype=np.float32) - 22) / 16, 0, 1), (64, 1))  # 0 to 1 over 16 pixels
    sharp = guided_filter(guide, soft, 6, 1e-4)[32]
    assert sharp[29] < 0.35
    assert sharp[30] > 0.65


@pytest.fixture(scope="module")
def annotator() -> Annotator:
    return Annotator(load_config("everything", size=256))


def test_face_of_a_portrait_and_none_of_a_back(annotator):
    (front,) = annotator.annotate(pixels("scikit-image-0.26.0__astronaut.png"))
    (back,) = annotator.annotate(pixels("pose2sim-0.10.49__Single_cam4_f000.jpg"))
    assert front.sample.face_found
    x0, y0, x1, y1 = front.sample.face_box
    points = np.array(front.sample.face_points).reshape(5, 2)
    assert ((points > [x0, y0]) & (points < [x1, y1])).all()
    assert points[0, 1] < points[2, 1] < points[3, 1]  # eyes above nose above mouth
    assert not back.sample.face_found
    assert back.sample.face_box == [0, 0, 0, 0]


def test_the_mask_covers_the_head_and_not_the_background(annotator):
    (front,) = annotator.annotate(pixels("scikit-image-0.26.0__astronaut.png"))
    x0, y0, x1, y1 = (int(v) for v in front.sample.face_box)
    assert (front.mask[y0:y1, x0:x1] == 255).mean() > 0.95
    assert front.mask[:40, :40].max() == 0
    assert set(np.unique(front.mask)) == {0, 255}


def test_two_people_do_not_share_a_mask(annotator):
    photo = pixels("pose2sim-0.10.49__Single_cam2_f000.jpg")
    man, woman, *_ = annotator.annotate(photo)
    boxes = [np.array([a.sample.box_x0, a.sample.box_x1]) for a in (man, woman)]
    assert boxes[0][1] < boxes[1][0]
    affine = np.array(woman.sample.crop_to_source).reshape(2, 3)
    columns = np.flatnonzero(woman.mask.any(0)) * affine[0, 0] + affine[0, 2]
    assert columns.min() > boxes[0][1] - 10


def test_face_decoding_of_a_planted_peak():
    heat, scale, offset, marks = (np.zeros((1, c, 8, 8)) for c in (1, 2, 2, 10))
    heat[0, 0, 3, 5] = 0.9
    scale[0, :, 3, 5] = np.log([4.0, 2.0])  # height 16, width 8
    marks[0, :2, 3, 5] = 0.25, 0.5  # y, x of the first point inside the box
    face = decode(heat, scale, offset, marks)
    np.testing.assert_allclose(face.box * 320, [22 - 4, 14 - 8, 22 + 4, 14 + 8])
    np.testing.assert_allclose(face.points[0] * 320, [18 + 0.5 * 8, 6 + 0.25 * 16])
    assert face.score == 0.9
