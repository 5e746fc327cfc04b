"""One sample: everything random about it comes from the seed and its number alone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from phq.camera.convention import world2cam
from phq.pose.body import load_body
from phq.synth.background import background
from phq.synth.bust import Seat, load_bust
from phq.synth.clothes import collar_sheets, thickness
from phq.synth.figure import Figure, assemble
from phq.synth.hair import hair_sheets
from phq.synth.hats import hat_sheets
from phq.synth.light import Light, draw_light
from phq.synth.noise import Noise
from phq.synth.people import Look, draw_person
from phq.synth.picture import coverage, develop, look_through, samples_a_pixel
from phq.synth.views import Spread, View, coarse_pose, draw_view
from phq.system.arrays import Doubles, Image


class Stream(IntEnum):
    """What random numbers are for: each has a generator of its own, so that a change of one leaves the others."""

    PERSON = 0
    VIEW = 1
    LIGHT = 2
    BACKGROUND = 3
    GRAIN = 4
    COARSE = 5


@dataclass(frozen=True)
class Portrait:
    """One sample before it is drawn."""

    seed: int
    index: int
    look: Look
    view: View
    transl: Doubles
    """(3,) of the body model: the neck joint lands on the world's origin."""
    light: Light

    def rng(self, stream: Stream) -> np.random.Generator:
        """The generator of one purpose."""
        return _rng(self.seed, self.index, stream)


def draw_portrait(seed: int, index: int, spread: Spread) -> Portrait:
    """The sample of this number."""
    look = draw_person(_rng(seed, index, Stream.PERSON))
    view = draw_view(_rng(seed, index, Stream.VIEW), spread)
    transl = load_body().transl_for_neck(view.pose, world2cam(view.cam2world)[:3, 3], look.betas)
    light = draw_light(_rng(seed, index, Stream.LIGHT), view.cam2world)
    return Portrait(seed, index, look, view, transl, light)


def _rng(seed: int, index: int, stream: Stream) -> np.random.Generator:
    return np.random.default_rng([seed, index, stream])


def coarse(portrait: Portrait, degrees: float) -> Doubles:
    """(24, 3) pose of the portrait with neck and head perturbed, see `phq.synth.views.coarse_pose`."""
    return coarse_pose(portrait.rng(Stream.COARSE), portrait.view.pose, degrees)


def dressed(look: Look, grain: Noise) -> Figure:
    """The person's figure at rest."""
    palette, bust = look.palette, load_bust()
    thick = thickness(bust.points, palette.clothes)
    seat = Seat(bust.grown(thick))
    sheets = hair_sheets(palette.hair, seat, grain) + collar_sheets(palette.clothes, seat)
    return assemble(thick, sheets + (hat_sheets(look.hat, seat) if look.hat else []), seat)


def render(portrait: Portrait, size: int) -> tuple[Image, Image]:
    """Picture (size × size × 3 RGB) and mask (size × size, 0 or 255: at least half of the pixel shows the person)."""
    grain = Noise(portrait.rng(Stream.GRAIN))
    figure = dressed(portrait.look, grain)
    vertices = figure.posed(portrait.view.pose, portrait.look.betas, portrait.transl)
    hits = look_through(figure, vertices, size * samples_a_pixel(size))
    behind = background(portrait.rng(Stream.BACKGROUND), size)
    picture = develop(hits, portrait.look.palette, grain, portrait.light, portrait.view.cam2world, behind)
    return picture, np.where(coverage(hits, size) >= 0.5, 255, 0).astype(np.uint8)
