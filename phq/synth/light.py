"""Light: sky and ground, one lamp, and what is left of them in creases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phq.synth.colours import Colour, colour
from phq.system.arrays import Doubles, Floats, Singles
from phq.system.linear import length, product

GAMMA = 2.2
SHARPNESS = 24
"""Exponent of the highlight."""


@dataclass(frozen=True)
class Light:
    """Directions in the world (the torso's axes: left, up, front); colours are linear RGB and may exceed 1."""

    direction: Doubles
    """(3,) unit vector towards the lamp."""
    lamp: Colour
    sky: Colour
    """What comes from above; `ground` from below."""
    ground: Colour
    wrap: float
    """How far round the edge the lamp reaches: 0 for a point, 1 for a large soft one."""


def draw_light(rng: np.random.Generator, cam2world: Doubles) -> Light:
    """A lamp that is usually on the camera's side and above, warm or cold, and softer light from all round."""
    yaw = np.arctan2(cam2world[0, 3], cam2world[2, 3]) + rng.normal(0, np.radians(55))
    height = np.radians(rng.uniform(5, 65))
    direction = np.array([np.sin(yaw) * np.cos(height), np.sin(height), np.cos(yaw) * np.cos(height)])
    (warm, soft), (lamp, sky) = rng.normal(0, 0.07, 2), rng.uniform([0.35, 0.3], [0.9, 0.7])
    round_about = np.array([1 + soft, 1, 1 - soft]) * sky
    ground = round_about * rng.uniform(0.35, 0.8)
    tinted = np.array([1 + warm, 1, 1 - warm]) * lamp
    return Light(direction, colour(tinted), colour(round_about), colour(ground), float(rng.uniform(0, 0.6)))


@dataclass(frozen=True)
class Surface:
    """N points that light falls on."""

    colour: Singles
    """(N, 3) sRGB."""
    normal: Singles
    """(N, 3) unit, world axes."""
    open_to_light: Singles
    """(N,) 0..1, 1 where nothing stands in the way."""
    gloss: Singles
    """(N,) strength of the highlight."""


def lit(surface: Surface, light: Light, eye: Floats) -> Singles:
    """sRGB (N, 3) of a surface: Lambert with a wrapped lamp, a hemisphere of ambient light, a Blinn highlight.

    Args:
        eye: (3,) unit vector towards the camera, world axes.
    """
    sky, ground, lamp = (np.asarray(part, np.float32) for part in (light.sky, light.ground, light.lamp))
    towards, open_to_light = light.direction.astype(np.float32), surface.open_to_light[:, None]
    up = 0.5 + 0.5 * surface.normal[:, 1:2]
    facing = np.maximum((product(surface.normal, towards) + light.wrap) / (1 + light.wrap), 0)[:, None]
    received = (ground + (sky - ground) * up) * open_to_light + lamp * facing * (0.4 + 0.6 * open_to_light)
    half = towards + eye
    shine = np.maximum(product(surface.normal, half / length(half)), 0) ** SHARPNESS * surface.gloss
    linear = surface.colour**GAMMA * received + lamp * shine[:, None]
    return np.asarray(np.clip(linear, 0, 1) ** (1 / GAMMA), np.float32)
