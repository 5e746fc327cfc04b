"""Drawing a posed figure: z-buffer, attributes in every sample, light, and the mean of the samples of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from phq.camera.convention import intrinsics, unit
from phq.pose.render import barycentric, project, rasterise, sides_of
from phq.synth.bust import vertex_normals
from phq.synth.figure import Figure
from phq.synth.light import Light, Surface, lit
from phq.synth.noise import Noise
from phq.synth.paint import Palette, paint
from phq.synth.sheets import Part
from phq.system.arrays import Doubles, Image, Singles
from phq.system.linear import product

FINEST = 256
"""Samples along a side that a picture has at least, and never fewer than two a pixel."""
GLOSS = np.array([0.035, 0.3, 0.08, 0.0, 0.0], dtype=np.float32)
"""Strength of the highlight on each `Part`."""

INSIDE = 0.45
"""Of the light that reaches the inner side of a sheet."""


@dataclass(frozen=True)
class Hits:
    """What each of N samples shows that shows the figure."""

    sample: NDArray[np.int64]
    """(N,) flat numbers in a grid of `side` × `side`."""
    side: int
    part: NDArray[np.int64]
    """(N,) see `Part`."""
    rest: Singles
    """(N, 3) where at rest, metres."""
    normal: Singles
    """(N, 3) unit, camera axes, towards the camera."""
    open_to_light: Singles
    """(N,)."""


def samples_a_pixel(size: int) -> int:
    """Along one axis, for a picture of this side."""
    return max(2, -(-FINEST // size))


def look_through(figure: Figure, vertices: Doubles, side: int) -> Hits:
    """What the convention's camera sees of a figure in a grid of side × side samples.

    Args:
        vertices: (V, 3) camera axes.
    """
    corners = vertices[figure.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = (across * corners[:, 0]).sum(1) > 0
    shown = np.flatnonzero(~away | (figure.part[figure.faces[:, 0]] >= Part.HAIR))
    flat, depth = project(corners[shown], product(np.diag([side, side, 1.0]), intrinsics())), corners[shown, :, 2]
    sample, number = rasterise(flat, depth, side, side)
    seen = barycentric(sides_of(flat), number, sample % side + 0.5, sample // side + 0.5)
    weights = np.stack(seen, 1) / depth[number]
    ends, back = figure.faces[shown[number]], away[shown[number]]
    normals = vertex_normals(vertices, figure.faces)
    table = np.concatenate([figure.points, normals, figure.open_to_light[:, None]], 1).astype(np.float32)
    shares = (weights / weights.sum(1, keepdims=True)).astype(np.float32)
    found = np.einsum("nk,nkj->nj", shares, table[ends])
    outward = np.where(back, -1, 1).astype(np.float32)[:, None] * found[:, 3:6]
    normal = outward / (np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9)
    open_to_light = found[:, 6] * np.where(back, INSIDE, 1).astype(np.float32)
    return Hits(sample, side, figure.part[ends[:, 0]], found[:, :3], normal, open_to_light)


def coverage(hits: Hits, size: int) -> Singles:
    """size × size: fraction of each pixel that shows the figure."""
    return _pixels(hits, np.ones((len(hits.sample), 1), np.float32), size)


def develop(hits: Hits, palette: Palette, noise: Noise, light: Light, cam2world: Doubles, behind: Singles) -> Image:
    """size × size × 3 picture of the figure before `behind` (size × size × 3, sRGB 0..1)."""
    to_world, eye = cam2world[:3, :3].astype(np.float32), unit(cam2world[:3, 3]).astype(np.float32)
    colour = paint(hits.rest, hits.part, palette, noise)
    surface = Surface(colour, product(hits.normal, to_world.T), hits.open_to_light, GLOSS[hits.part])
    person = _pixels(hits, lit(surface, light, eye), len(behind))
    picture = person + behind * (1 - coverage(hits, len(behind)))[..., None]
    return np.asarray(np.clip(np.rint(picture * 255), 0, 255), np.uint8)


def _pixels(hits: Hits, values: Singles, size: int) -> Singles:
    """size × size (× C): mean over each pixel of the values (N, C) of its samples, 0 where they show nothing."""
    grid = np.zeros((hits.side**2, values.shape[1]), dtype=np.float32)
    grid[hits.sample] = values
    mean = cv2.resize(grid.reshape(hits.side, hits.side, -1), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(mean, np.float32)
