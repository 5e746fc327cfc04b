"""Made-up people: hair, hats and clothes lie on the body, and what is painted is where it belongs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from phq.camera.convention import orbit, world2cam
from phq.pose.body import load_body
from phq.synth.background import KINDS, background
from phq.synth.bust import Seat, load_bust
from phq.synth.clothes import Clothes, collar_sheets, covered, thickness
from phq.synth.figure import Figure
from phq.synth.hair import CENTRE, hair_sheets, hairline
from phq.synth.hats import Hat
from phq.synth.light import Light, Surface, lit
from phq.synth.noise import Noise
from phq.synth.people import HATS, NECKLINES, STYLES, Look, draw_clothes, draw_hair, draw_person, under_hat
from phq.synth.picture import Hits, look_through
from phq.synth.portrait import dressed
from phq.synth.sheets import Part, Sheet
from phq.synth.views import rooted

BODY = load_body()
BROWN = (0.3, 0.2, 0.1)
BARE = Clothes(radius=0.08, rise=0.0, vee=0.0, thickness=0.005, collar="", jacket=0.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def seen_from(figure: Figure, yaw: float, side: int = 128) -> Hits:
    camera = orbit(yaw)
    pose = rooted(np.zeros((24, 3)), camera)
    transl = BODY.transl_for_neck(pose, world2cam(camera)[:3, 3])
    return look_through(figure, figure.posed(pose, np.zeros(10), transl), side)


def look(style: str = "bald", hat: Hat | None = None, clothes: Clothes = BARE) -> Look:
    drawn = draw_person(rng(4))
    return replace(drawn, hat=hat, palette=replace(drawn.palette, hair=draw_hair(rng(), style, BROWN), clothes=clothes))


@pytest.mark.parametrize("style", [style for style in STYLES if style not in ("bald", "shorn")])
def test_hair_covers_the_back_of_the_head_and_leaves_the_face_free(style: str) -> None:
    figure = dressed(look(style), Noise(rng()))
    back, front = seen_from(figure, 180), seen_from(figure, 0)
    scalp = (back.rest[:, 1] > 0.16) & (back.rest[:, 1] < 0.24) & (np.abs(back.rest[:, 0]) < 0.05)
    assert (back.part[scalp] == Part.HAIR).mean() > 0.97
    face = (front.rest[:, 1] > 0.09) & (front.rest[:, 1] < 0.18) & (np.abs(front.rest[:, 0]) < 0.045)
    assert (front.part[face] == Part.HAIR).mean() < 0.02
    assert (front.part == Part.EYE).any()


def test_bald_and_shorn_people_have_no_sheet_of_hair() -> None:
    for style in ("bald", "shorn"):
        assert hair_sheets(draw_hair(rng(), style, BROWN), Seat(load_bust()), Noise(rng())) == []


@pytest.mark.parametrize("style", list(HATS))
def test_a_hat_covers_the_crown_and_not_the_eyes(style: str) -> None:
    someone = look("quiff", Hat(style, 0.015))
    flat = replace(someone, palette=replace(someone.palette, hair=under_hat(someone.palette.hair)))
    figure = dressed(flat, Noise(rng()))
    back, front = seen_from(figure, 180), seen_from(figure, 0)
    assert (back.part[back.rest[:, 1] > 0.22] == Part.HAT).mean() > 0.95
    assert (front.part == Part.EYE).any()


@pytest.mark.parametrize("neckline", list(NECKLINES))
def test_clothes_cover_shoulders_and_chest_but_neither_face_nor_throat(neckline: str) -> None:
    for seed in range(5):
        clothes = draw_clothes(rng(seed), neckline)
        assert (covered(np.array([[0.17, -0.04, 0.0], [-0.17, -0.04, 0.0], [0.0, -0.1, -0.07]]), clothes) > 0).all()
        assert (covered(np.array([[0.0, 0.07, 0.13], [0.0, 0.1, -0.03]]), clothes) < 0).all()
        points = load_bust().points
        lift = thickness(points, clothes)
        assert lift.min() == 0
        assert 0.003 <= lift.max() < 0.02
        assert not lift[points[:, 1] > 0.06].any()
        for sheet in collar_sheets(clothes, Seat(load_bust().grown(lift))):
            assert np.isfinite(sheet.points).all()
            assert sheet.points[..., 1].max() < 0.08


def test_every_person_can_be_put_together() -> None:
    for seed in range(25):
        figure = dressed(draw_person(rng(seed)), Noise(rng(seed)))
        assert figure.faces.max() < len(figure.points) == len(figure.part) == len(figure.open_to_light)
        assert np.isfinite(figure.points).all()
        assert np.isfinite(figure.directions).all()
        np.testing.assert_allclose(figure.weights.sum(1), 1, atol=1e-9)
        assert (np.abs(figure.points) < [0.5, 0.46, 0.3]).all()


def test_the_crown_moves_with_the_head_and_long_hair_rests_on_the_chest() -> None:
    figure = dressed(look("long"), Noise(rng()))
    pose = np.zeros((24, 3))
    pose[15, 1] = 0.5
    moved = np.linalg.norm(figure.posed(pose, np.zeros(10), np.zeros(3)) - figure.points, axis=1)
    hair = figure.part == Part.HAIR
    high, low = hair & (figure.points[:, 1] > 0.15), hair & (figure.points[:, 1] < -0.06)
    assert low.any()
    assert moved[high].max() > 0.03
    assert moved[low].max() < 1e-9


def test_creases_get_less_light_than_the_tip_of_the_nose() -> None:
    bust = load_bust()
    number = {row: i for i, row in enumerate(bust.rows.tolist())}
    nose, inner_eye = (bust.open_to_light[number[BODY.face_points[name]]] for name in ("nose", "left_eye_inner"))
    assert nose == 1
    assert inner_eye < 0.9
    assert bust.open_to_light.min() > 0.2


def test_a_seat_lays_points_at_their_height() -> None:
    seat, phi = Seat(load_bust()), np.linspace(0, 2 * np.pi, 40)
    ring = CENTRE + np.stack([0.12 * np.sin(phi), np.full(40, 0.06), 0.12 * np.cos(phi)], 1)
    laid = seat.lay(ring, np.full(40, 0.02), np.ones(40))
    away = seat.tree.query(laid)[0]
    assert away.min() > 0.018
    assert away.max() < 0.023
    assert np.array_equal(seat.lay(ring, np.full(40, 0.02), np.zeros(40)), ring), "already higher"


@pytest.mark.parametrize("closed", [True, False])
def test_a_sheet_has_two_triangles_a_square(closed: bool) -> None:
    faces = Sheet(np.zeros((3, 5, 3)), Part.HAT, closed=closed).faces()
    assert len(faces) == 2 * 2 * (5 if closed else 4)
    assert set(faces.ravel().tolist()) == set(range(15))


def test_the_hairline_recedes_in_front_alone() -> None:
    angles = np.array([0.0, 180.0])
    assert hairline(angles, recede=20.0).tolist() == [hairline(angles)[0] - 20, hairline(angles)[1]]


def test_light_falls_from_the_lamp() -> None:
    lamp = Light(np.array([1.0, 0.0, 0.0]), (0.8, 0.8, 0.8), (0.2, 0.2, 0.2), (0.2, 0.2, 0.2), 0.0)
    normal = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0]], np.float32)
    colour, ones = np.full((3, 3), 0.5, np.float32), np.ones(3, np.float32)
    shades = lit(Surface(colour, normal, ones, 0 * ones), lamp, np.array([0.0, 0.0, 1.0]))[:, 0]
    np.testing.assert_allclose(shades, 0.5 * np.array([1.0, 0.2, 0.2]) ** (1 / 2.2), rtol=1e-5)
    dark = lit(Surface(colour, normal, 0 * ones, 0 * ones), lamp, np.array([0.0, 0.0, 1.0]))[:, 0]
    assert dark[0] < shades[0]
    assert dark[1] == 0


def test_backgrounds_are_the_same_picture_at_every_size() -> None:
    assert sum(share for _, share in KINDS) == pytest.approx(1)
    for seed in range(20):
        small, large = background(rng(seed), 32), background(rng(seed), 128)
        assert large.min() >= 0
        assert large.max() <= 1
        assert np.abs(large.reshape(32, 4, 32, 4, 3).mean((1, 3)) - small).mean() < 0.03


def test_noise_is_smooth_and_repeats() -> None:
    noise, points = Noise(rng()), rng(1).uniform(-1, 1, (500, 3))
    assert np.abs(noise(points, 3.0)).max() <= 1
    assert np.abs(noise(points + 1e-3, 3.0) - noise(points, 3.0)).max() < 0.05
    np.testing.assert_allclose(noise(points + 16 / 3, 3.0), noise(points, 3.0), atol=1e-4)
