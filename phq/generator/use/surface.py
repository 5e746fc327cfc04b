"""The surface of a volume: marching cubes on its density, and the colour that each vertex shows outwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.measure import marching_cubes
from torch import Tensor

from phq.errors import PhqError
from phq.generator.networks.generator import Sampled
from phq.system.arrays import Floats

Sampler = Callable[[Tensor], Sampled]
"""Density (N,), 1 / metre, and colour (N, 3), −1 to 1, at points (N, 3), metres."""
CHUNK = 1 << 17
"""Points that are looked up at a time."""
SKIN = 0.03
"""Metres under a vertex that its colour comes from."""
STEPS = 8


class EmptySurfaceError(PhqError):
    """Nothing is as dense as the level that was asked for."""


@dataclass(frozen=True)
class Surface:
    """A closed triangle mesh in world axes: x to the subject's left, y up, z to the front, metres."""

    vertices: NDArray[np.float32]
    """(V, 3)"""
    faces: NDArray[np.int64]
    """(F, 3), counter-clockwise seen from outside."""
    normals: NDArray[np.float32]
    """(V, 3) of length one, outwards."""
    colours: NDArray[np.float32]
    """(V, 3) sRGB, 0 to 1."""


@dataclass(frozen=True)
class Volume:
    """Densities on a grid of cubes, in world axes."""

    density: NDArray[np.float32]
    """(X, Y, Z) 1 / metre, at the voxels' centres."""
    first: tuple[float, float, float]
    """Centre of voxel (0, 0, 0), metres."""
    voxel: float
    """Side of a voxel, metres."""


def densities(sample: Sampler, half: tuple[float, float, float], voxels: int) -> Volume:
    """The densities of a box.

    Args:
        sample: the volume.
        half: metres from the origin to the sides of the box.
        voxels: along y.
    """
    side = 2 * half[1] / voxels
    axes = [side * (np.arange(n) - (n - 1) / 2) for n in (max(2, round(2 * h / side)) for h in half)]
    x, y, z = (float(axis[0]) for axis in axes)
    return Volume(_grid(sample, axes), (x, y, z), side)


def extract(volume: Volume, sample: Sampler, level: float, largest: bool = True) -> Surface:
    """The surface of a volume.

    Args:
        volume: densities on a grid; beyond it nothing is.
        sample: what the densities are of, for colours.
        level: density of the surface, 1 / metre.
        largest: only the part with the most triangles.

    Raises:
        EmptySurfaceError: nothing is so dense.
    """
    density = np.pad(volume.density, 1)  # closed where the person is cut
    if not density.max() > level:
        raise EmptySurfaceError(
            f"the volume has no surface of density {level:g} / m: its densest point has {density.max():.3g}; "
            "choose a lower level"
        )
    spacing = (volume.voxel,) * 3
    vertices, faces, normals, _ = marching_cubes(density, level, spacing=spacing, gradient_direction="ascent")
    vertices = (vertices + np.array(volume.first) - volume.voxel).astype(np.float32)
    if largest:
        vertices, faces, normals = _largest(vertices, faces, normals)
    colours = _outward_colours(sample, vertices, normals)
    return Surface(vertices, faces.astype(np.int64), normals.astype(np.float32), colours)


def _grid(sample: Sampler, axes: list[Floats]) -> NDArray[np.float32]:
    """(X, Y, Z) densities, a sheet at a time: all points of a fine grid would fill the memory."""
    x, y, z = (torch.tensor(axis, dtype=torch.float32) for axis in axes)
    pieces = torch.split(torch.cartesian_prod(y, z), CHUNK)
    found = [sample(torch.cat([at.expand(len(part), 1), part], dim=1)).density for at in x for part in pieces]
    return np.asarray(torch.cat(found).reshape(len(x), len(y), len(z)).numpy(), np.float32)


def _largest(vertices: Floats, faces: NDArray[np.int32], normals: Floats) -> tuple[Floats, NDArray[np.int32], Floats]:
    edges = np.concatenate([faces[:, :2], faces[:, 1:]]).T
    graph = coo_matrix((np.ones(edges.shape[1], bool), edges), shape=(len(vertices),) * 2)
    _, part = connected_components(graph, directed=False)
    kept = part == np.bincount(part[faces[:, 0]]).argmax()
    number = np.cumsum(kept) - 1
    return vertices[kept], number[faces[kept[faces[:, 0]]]], normals[kept]


def _outward_colours(sample: Sampler, vertices: Floats, normals: Floats) -> NDArray[np.float32]:
    """(V, 3) what a short ray straight into the surface sees: nothing behind it, and not the haze at its outermost."""
    depths = np.linspace(0, SKIN, STEPS)
    found = [
        _seen(sample, torch.tensor(v[:, None] - n[:, None] * depths[:, None], dtype=torch.float32))
        for v, n in _pieces(vertices, normals)
    ]
    return np.asarray((torch.cat(found).clamp(-1, 1) / 2 + 0.5).numpy(), np.float32)


def _pieces(vertices: Floats, normals: Floats) -> list[tuple[Floats, Floats]]:
    size = CHUNK // STEPS
    return [(vertices[i : i + size], normals[i : i + size]) for i in range(0, len(vertices), size)]


def _seen(sample: Sampler, points: Tensor) -> Tensor:
    """(V, 3) colours along rays of points (V, STEPS, 3): w_i = (1 − e^{−σ_i δ}) e^{−δ Σ_{j<i} σ_j}, normalised."""
    found = sample(points.reshape(-1, 3))
    thickness = found.density.reshape(-1, STEPS) * (SKIN / (STEPS - 1))
    weights = torch.exp(thickness - thickness.cumsum(dim=1)) * -torch.expm1(-thickness) + 1e-8
    colours = found.colour.reshape(-1, STEPS, 3)
    return (weights[..., None] * colours).sum(dim=1) / weights.sum(dim=1, keepdim=True)
