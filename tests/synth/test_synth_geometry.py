"""Synthetic portraits: what the labels say is where the pixels are."""

from __future__ import annotations

from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phq.building.contact_sheet import pixel_intrinsics
from phq.camera.angles import camera_angles
from phq.camera.convention import FOCAL, RADIUS, mirror_camera, orbit, project, world2cam
from phq.camera.rotations import mirror_pose, rotvec_to_rotmat
from phq.people.person import Photo
from phq.pose.body import load_body
from phq.pose.render import draw_body
from phq.schema import SMPL_JOINTS, make_sample
from phq.stages.encode_sample import EncodeSample
from phq.synth.bust import Seat, load_bust, vertex_normals
from phq.synth.figure import assemble
from phq.synth.hair import Hair
from phq.synth.light import Light
from phq.synth.noise import Noise
from phq.synth.picture import Hits, coverage, develop, look_through, samples_a_pixel
from phq.synth.portrait import Portrait, Stream, draw_portrait, dressed, render
from phq.synth.record import describe
from phq.synth.sheets import Part
from phq.synth.views import Spread, View, draw_view, rolled_orbit, rooted

SIZE = 128
BODY = load_body()
GREEN = (0.0, 1.0, 0.0)
EVEN_LIGHT = Light(np.array([0.0, 1.0, 0.0]), (0, 0, 0), (1, 1, 1), (1, 1, 1), 0.0)


def bareheaded(portrait: Portrait) -> Portrait:
    """The same person, bald and without a hat: nothing hides the head."""
    palette = replace(portrait.look.palette, hair=Hair((0.0, 0.0, 0.0)))
    return replace(portrait, look=replace(portrait.look, palette=palette, hat=None))


def seen_within(head_yaw_deg: float, number: int) -> list[Portrait]:
    """Bareheaded portraits whose head is turned to the camera."""
    every = (bareheaded(draw_portrait(3, index, Spread())) for index in count())
    return list(islice((p for p in every if abs(record(p)["head_yaw_deg"]) < head_yaw_deg), number))


def record(portrait: Portrait) -> dict[str, Any]:
    """Its fields as a json has them, rounded; of a picture that is not drawn."""
    photo, blank = Photo(Path(), "synth-3/00000000"), np.zeros((64, 64), np.uint8)
    describe(photo, portrait, np.repeat(blank[..., None], 3, 2), blank)
    EncodeSample(95).process([photo])
    return make_sample(photo.record() | photo.people[0].record()).model_dump()


def world_points(row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Joints (24, 3) and named points (P, 3) of the record's body, in the world of its camera."""
    _, joints, points = BODY.forward(row["smpl_pose"], row["smpl_betas"], row["smpl_transl"])
    camera = np.reshape(row["cam2world"], (4, 4))
    return tuple(part @ camera[:3, :3].T + camera[:3, 3] for part in (joints, points))


def hits_of(portrait: Portrait, side: int) -> Hits:
    figure = dressed(portrait.look, Noise(portrait.rng(Stream.GRAIN)))
    return look_through(figure, figure.posed(portrait.view.pose, portrait.look.betas, portrait.transl), side)


def test_the_body_is_drawn_where_the_stored_camera_projects_it() -> None:
    """Vertices of forehead and skull that look at the camera, from every side: nothing can be before them."""
    skull = np.flatnonzero(BODY.v_template[:, 1] > 0.19)
    for portrait in (bareheaded(draw_portrait(3, index, Spread())) for index in range(10)):
        row = record(portrait)
        camera = np.reshape(row["cam2world"], (4, 4))
        vertices, _, _ = BODY.forward(row["smpl_pose"], row["smpl_betas"], row["smpl_transl"])
        pixels = np.floor(project(vertices @ camera[:3, :3].T + camera[:3, 3], camera, 512)).astype(int)
        facing = (vertex_normals(vertices, BODY.faces) * vertices).sum(1) / np.linalg.norm(vertices, axis=1) < -0.5
        chosen = skull[facing[skull] & ((pixels >= 0) & (pixels < 512)).all(1)[skull]]
        assert len(chosen) > 20
        hits = hits_of(portrait, 512)
        shown = np.full((512, 512, 3), np.nan)
        shown.reshape(-1, 3)[hits.sample] = hits.rest
        off = np.linalg.norm(shown[pixels[chosen, 1], pixels[chosen, 0]] - BODY.v_template[chosen], axis=1)
        assert off.max() < 0.002


def test_nose_and_chin_are_drawn_where_they_project() -> None:
    for portrait in seen_within(35, 5):
        row = record(portrait)
        pixels = project(world_points(row)[1], np.reshape(row["cam2world"], (4, 4)), 512)
        hits = hits_of(portrait, 512)
        for name in ("nose", "chin"):
            column, line = np.floor(pixels[list(BODY.face_points).index(name)]).astype(int)
            drawn = hits.rest[hits.sample == line * 512 + column]
            np.testing.assert_allclose(drawn, BODY.v_template[[BODY.face_points[name]]], atol=0.001)


def test_painted_eyes_are_where_the_eyes_project() -> None:
    for portrait in seen_within(25, 3):
        palette = replace(portrait.look.palette, face=replace(portrait.look.palette.face, iris=GREEN))
        black = np.zeros((512, 512, 3), np.float32)
        noise = Noise(portrait.rng(Stream.GRAIN))
        picture = develop(hits_of(portrait, 512), palette, noise, EVEN_LIGHT, portrait.view.cam2world, black)
        red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
        iris = np.argwhere((green > 150) & (green - np.maximum(red, blue) > 100))[:, ::-1] + 0.5
        row = record(portrait)
        names = list(BODY.face_points)
        eyes = world_points(row)[1][[names.index("left_eye"), names.index("right_eye")]]
        for eye in project(eyes, np.reshape(row["cam2world"], (4, 4)), 512):
            near = iris[np.linalg.norm(iris - eye, axis=1) < 20]
            assert len(near) > 20
            assert np.linalg.norm(near.mean(0) - eye) < 3.5


def test_the_neck_is_the_origin_and_the_chest_faces_the_world() -> None:
    for index in range(20):
        row = record(draw_portrait(3, index, Spread()))
        joints, _ = world_points(row)
        camera = np.reshape(row["cam2world"], (4, 4))
        assert np.linalg.norm(joints[SMPL_JOINTS.index("neck")]) < 1e-5
        assert np.linalg.norm(camera[:3, 3]) == pytest.approx(RADIUS)
        turns = rotvec_to_rotmat(np.reshape(row["smpl_pose"], (24, 3)))
        chest = turns[0] @ turns[3] @ turns[6] @ turns[9]
        np.testing.assert_allclose(chest, world2cam(camera)[:3, :3], atol=1e-5)
        assert row["intrinsics"] == pytest.approx([FOCAL, 0, 0.5, 0, FOCAL, 0.5, 0, 0, 1])
        assert row["neck_head_pose"] == row["smpl_pose"][36:39] + row["smpl_pose"][45:48]


def test_cameras_have_the_angles_asked_for() -> None:
    rng = np.random.default_rng(1)
    for yaw, pitch, roll in rng.uniform([-180, -45, -60], [180, 45, 60], (50, 3)):
        assert camera_angles(rolled_orbit(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-9)


def test_views_are_even_over_the_circle_and_spread_as_asked() -> None:
    views = [draw_view(np.random.default_rng(seed), Spread(pitch=8, roll=5, turn=20)) for seed in range(1000)]
    yaw, pitch, roll = np.array([camera_angles(view.cam2world) for view in views]).T
    counts = np.histogram(yaw, bins=8, range=(-180, 180))[0]
    assert counts.min() > 85
    assert counts.max() < 165
    assert (pitch.std(), roll.std()) == (pytest.approx(8, rel=0.1), pytest.approx(5, rel=0.1))
    turned = [rotvec_to_rotmat(view.pose[12]) @ rotvec_to_rotmat(view.pose[15]) for view in views]
    assert np.degrees([np.arctan2(turn[0, 2], turn[2, 2]) for turn in turned]).std() == pytest.approx(20, rel=0.1)
    level = [draw_view(np.random.default_rng(seed), Spread(pitch=0, roll=0, turn=0)) for seed in range(5)]
    assert np.abs([camera_angles(view.cam2world)[1:] for view in level]).max() < 1e-9


def test_the_silhouette_is_that_of_the_body_model() -> None:
    figure = assemble(np.zeros(len(load_bust().points)), [], Seat(load_bust()))
    for portrait in (draw_portrait(5, index, Spread()) for index in range(4)):
        pose, betas = portrait.view.pose, portrait.look.betas
        drawn = coverage(look_through(figure, figure.posed(pose, betas, portrait.transl), SIZE), SIZE) > 0
        vertices, _, _ = BODY.forward(pose, betas, portrait.transl)
        blank = np.zeros((SIZE, SIZE, 3), np.uint8)
        body = draw_body(blank, vertices, BODY.faces, pixel_intrinsics(SIZE), opacity=1).any(2)
        assert (drawn != body).mean() < 1e-3


def test_the_mask_is_where_the_person_hides_the_background() -> None:
    for index in range(3):
        portrait = draw_portrait(2, index, Spread())
        noise = Noise(portrait.rng(Stream.GRAIN))
        scene = hits_of(portrait, SIZE * samples_a_pixel(SIZE)), portrait.look.palette, noise, portrait.light
        behind = (np.full((SIZE, SIZE, 3), value, np.float32) for value in (0, 1))
        black, white = (develop(*scene, portrait.view.cam2world, wall).astype(int) for wall in behind)
        through = (white - black).min(2) / 255
        mask = render(portrait, SIZE)[1]
        assert set(np.unique(mask)) == {0, 255}
        assert np.array_equal(mask == 255, through < 0.51)
        assert 0.2 < (mask == 255).mean() < 0.9


def test_a_mirrored_pose_before_a_mirrored_camera_is_the_mirror_image() -> None:
    for portrait in (bareheaded(draw_portrait(7, index, Spread())) for index in range(3)):
        camera = mirror_camera(portrait.view.cam2world)
        view = View(camera, rooted(mirror_pose(portrait.view.pose), camera))
        transl = BODY.transl_for_neck(view.pose, world2cam(camera)[:3, 3], portrait.look.betas)
        one, other = render(portrait, 128)[1], render(replace(portrait, view=view, transl=transl), 128)[1]
        assert (one != other[:, ::-1]).mean() < 1e-3


@pytest.mark.parametrize(("yaw", "eyes"), [(0, True), (40, True), (130, False), (180, False)])
def test_eyes_are_seen_from_the_front_alone(yaw: float, eyes: bool) -> None:
    view = View(orbit(yaw), rooted(np.zeros((24, 3)), orbit(yaw)))
    portrait = bareheaded(draw_portrait(1, 0, Spread()))
    transl = BODY.transl_for_neck(view.pose, world2cam(view.cam2world)[:3, 3], portrait.look.betas)
    hits = hits_of(replace(portrait, view=view, transl=transl), 256)
    assert bool((hits.part == Part.EYE).any()) is eyes


def test_what_hangs_on_the_body_moves_with_it() -> None:
    rng = np.random.default_rng(0)
    pose, betas, transl = rng.normal(0, 0.4, (24, 3)), rng.normal(size=10), rng.normal(size=3)
    carried = BODY.carry(BODY.v_template, BODY.shapedirs, BODY.weights, pose, betas, transl)
    np.testing.assert_allclose(carried, BODY.forward(pose, betas, transl)[0], atol=1e-12)
