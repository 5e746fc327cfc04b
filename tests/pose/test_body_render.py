"""The drawn body: what is in front hides what is behind, and the subject's left is on image right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from phq.pose import render
from phq.pose.body import Body, load_body
from phq.pose.render import draw_body, draw_skeleton, project

Doubles = NDArray[np.float64]
SIZE = 256
K = np.array([[5000 / 768 * SIZE, 0, SIZE / 2], [0, 5000 / 768 * SIZE, SIZE / 2], [0, 0, 1]])
BLACK = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
SMALL_K = np.array([[20.0, 0, 10], [0, 20, 8], [0, 0, 1]])


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def seen_from(points: Doubles, yaw_deg: float) -> Doubles:
    """Points in the axes of a camera at 2.7 m about the neck, on the subject's left for positive yaw."""
    yaw = np.radians(yaw_deg)
    p = 2.7 * np.array([np.sin(yaw), 0, np.cos(yaw)])
    z = np.array([0, 0.0649, 0]) - p
    z /= np.linalg.norm(z)
    x = np.cross(z, [0, 1, 0])
    x /= np.linalg.norm(x)
    return np.asarray((points - p) @ np.stack([x, np.cross(z, x), z]).T)


def covered(body: Body, yaw_deg: float) -> NDArray[np.bool_]:
    drawn = draw_body(BLACK, seen_from(body.v_template, yaw_deg), body.faces, K, opacity=1)
    return np.asarray(drawn.any(2), dtype=np.bool_)


def slow_nearest(vertices: Doubles, faces: NDArray[np.int64], width: int, height: int) -> NDArray[np.int64]:
    """Face hit first by the ray through each pixel centre (Möller and Trumbore), −1 for none; back faces culled."""
    out = np.full((height, width), -1)
    for row in range(height):
        for column in range(width):
            ray = np.linalg.inv(SMALL_K) @ [column + 0.5, row + 0.5, 1]
            best = np.inf
            for i, (a, b, c) in enumerate(vertices[faces]):
                system = np.stack([a - b, a - c, ray], axis=1)
                if abs(np.linalg.det(system)) < 1e-12 or np.cross(b - a, c - a) @ a >= 0:
                    continue
                beta, gamma, depth = np.linalg.solve(system, a)
                if beta >= 0 and gamma >= 0 and beta + gamma <= 1 and 0 < depth < best:
                    best, out[row, column] = depth, i
    return out


@pytest.mark.parametrize("chunk", [1 << 20, 50])
def test_nearest_face_is_drawn_in_every_pixel(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(render, "MAX_CANDIDATES", chunk)
    rng = np.random.default_rng(1)
    vertices = rng.uniform([-0.6, -0.5, 1.0], [0.6, 0.5, 2.0], size=(36, 3))
    faces = np.arange(36).reshape(12, 3)
    truth = slow_nearest(vertices, faces, 20, 16)
    assert len(np.unique(truth)) > 4
    blank = np.full((16, 20, 3), 7, dtype=np.uint8)
    for i in np.unique(truth[truth >= 0]):
        with_it = draw_body(blank, vertices, faces, SMALL_K, opacity=1)
        without = draw_body(blank, vertices, np.delete(faces, i, axis=0), SMALL_K, opacity=1)
        assert np.array_equal((with_it != without).any(2) | (truth != i), np.ones_like(truth, dtype=bool))
        assert not (with_it != without).any(2)[truth != i].any()
    drawn = (draw_body(blank, vertices, faces, SMALL_K, opacity=1) != blank).any(2)
    assert np.array_equal(drawn, truth >= 0)


def test_front_view_is_a_quarter_headshot(body: Body) -> None:
    mask = covered(body, 0)
    rows = np.flatnonzero(mask.any(1))
    assert rows[0] <= 4, "the skull's top is at the upper border"
    assert rows[-1] == SIZE - 1
    assert mask[int(0.8 * SIZE)].all(), "shoulders fill the width"
    assert not mask[: SIZE // 2, : SIZE // 4].any(), "nothing beside the head"


def test_front_and_rear_are_symmetric(body: Body) -> None:
    for yaw in (0, 180):
        mask = covered(body, yaw)
        assert (mask != mask[:, ::-1]).mean() < 0.001


def test_left_and_right_views_mirror_each_other(body: Body) -> None:
    assert (covered(body, 60) != covered(body, -60)[:, ::-1]).mean() < 0.001


def test_subjects_left_is_on_image_right_and_the_nose_points_left_from_there(body: Body) -> None:
    _, joints, points = body.forward(np.zeros(72))
    nose = points[list(body.face_points).index("nose")]
    assert project(seen_from(joints, 0), K)[16, 0] > SIZE / 2, "left shoulder"
    assert project(seen_from(nose, 90), K)[0] < SIZE / 4


@pytest.mark.parametrize(("yaw", "visible"), [(0, True), (45, True), (135, False), (180, False)])
def test_face_is_seen_from_the_front_only(body: Body, yaw: float, visible: bool) -> None:
    nose = body.face_points["nose"]
    vertices = seen_from(body.v_template, yaw)
    around = (body.faces == nose).any(1)
    with_it = draw_body(BLACK, vertices, body.faces, K, opacity=1)
    without = draw_body(BLACK, vertices, body.faces[~around], K, opacity=1)
    assert bool((with_it != without).any()) is visible


def test_opacity_mixes_and_the_picture_given_is_kept(body: Body) -> None:
    picture = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    before = picture.copy()
    vertices = seen_from(body.v_template, 30)
    solid = draw_body(picture, vertices, body.faces, K, opacity=1).astype(float)
    half = draw_body(picture, vertices, body.faces, K, opacity=0.5).astype(float)
    assert np.array_equal(draw_body(picture, vertices, body.faces, K, opacity=0), picture)
    assert np.abs(half - (solid + picture) / 2).max() <= 1
    assert np.array_equal(picture, before)


def test_colour_is_the_one_asked_for(body: Body) -> None:
    vertices = seen_from(body.v_template, 0)
    red = draw_body(BLACK, vertices, body.faces, K, colour=(250, 0, 0), opacity=1)
    assert red[..., 0].max() > 200
    assert not red[..., 1:].any()


@pytest.mark.parametrize("shift", [(0, 0, -10), (0, 0, -2.2), (50, 0, 0), (0, np.nan, 0), (0, 0, np.inf)])
def test_body_behind_around_or_beside_the_camera_does_not_raise(body: Body, shift: tuple[float, float, float]) -> None:
    vertices = seen_from(body.v_template, 0) + np.array(shift)
    drawn = draw_body(BLACK, vertices, body.faces, K, opacity=1)
    assert drawn.any() == (shift == (0, 0, -2.2))
    assert draw_skeleton(BLACK, vertices[:24], body.parents, K).shape == BLACK.shape


def test_skeleton_joins_each_joint_to_its_parent() -> None:
    joints = np.array([[-0.3, -0.2, 2.0], [0.3, -0.2, 2.0], [0.3, 0.3, 2.0]])
    K_here = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    picture = np.zeros((100, 100, 3), np.uint8)
    drawn = np.any(draw_skeleton(picture, joints, (-1, 0, 1), K_here, colour=(9, 8, 7)), axis=2)
    (x0, y0), (x1, _), (_, y2) = project(joints, K_here)
    assert (x0, y0) == (35, 40)
    assert drawn[int(y0), int(x0) : int(x1)].all()
    assert drawn[int(y0) : int(y2), int(x1)].all()
    assert not drawn[55:60, 40:45].any(), "no line from the last joint to the first"
