"""How much every point of space moves with the neck and with the head: skinning weights, extended off the skin.

A grid over the render cube holds, for neck and head, the smoothest field that takes the body's skinning weights at its
vertices: least squares of the trilinear interpolation at the vertices, plus a small Laplacian energy. Nodes are closer
together about the neck, where the weights change. Far from the skin the field tends to that of the nearest skin, so
hair turns with the head.
"""

from __future__ import annotations

from functools import cache, reduce
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage, sparse, spatial
from scipy.sparse.linalg import cg

from phq.pose.body import HEAD, NECK, Body, load_body
from phq.system.arrays import Doubles

CENTRE = np.array([0.0, 0.03, 0.01])
"""Where nodes are closest, metres from the neck joint."""
SCALE = 0.1
"""Metres over which the spacing grows by √2."""
HALF = 0.5
"""Half the side of the cube, metres."""
NODES = 65
LEVELS = 3
"""Grids that the field is solved on, each twice as fine as the one before; the last has `NODES` a side."""
SMOOTHNESS = 1e-3
"""Weight of the Laplacian energy against the squared error at one vertex."""
TOLERANCE = 1e-4


class WeightField(NamedTuple):
    """Weights on the nodes of a grid in warped coordinates, and the pivots of the two joints."""

    values: Doubles
    """(8, n, n, n), axes z, y, x: weights of neck and head, then the gradient of each, 1 / metre."""
    head: Doubles
    """(3,) head joint at rest; the neck joint is the origin."""


def warp(points: Doubles) -> Doubles:
    """World coordinates (…, 3) to those of the grid: asinh, with the cube's sides near ±1."""
    return np.asarray(np.arcsinh((points - CENTRE) / SCALE) / np.arcsinh(HALF / SCALE))


def node_places(count: int, axis: int) -> Doubles:
    """(count,) world coordinates of the nodes along an axis."""
    return np.asarray(CENTRE[axis] + SCALE * np.sinh(np.linspace(-1, 1, count) * np.arcsinh(HALF / SCALE)))


@cache
def embedded_weight_field() -> WeightField:
    """That of the embedded body, solved once a process (a third of a second)."""
    return weight_field(load_body())


def weight_field(body: Body) -> WeightField:
    """That of a body at its mean shape."""
    neck = body.joints_template[NECK]
    vertices = warp(body.v_template - neck)
    inside = (np.abs(vertices) < 1).all(axis=1)
    targets = body.weights[inside][:, [NECK, HEAD]]
    field: Doubles | None = None
    for level in reversed(range(LEVELS)):
        field = _solve(vertices[inside], targets, (NODES - 1) // 2**level + 1, field)
    assert field is not None
    values = np.concatenate([field, *(_gradient(part) for part in field)])
    return WeightField(values.transpose(0, 3, 2, 1), body.joints_template[HEAD] - neck)


def _gradient(field: Doubles) -> Doubles:
    """(3, n, n, n) gradient, 1 / metre, of a field (n, n, n); zero across the cube's sides, where the field ends."""
    places = [node_places(len(field), axis) for axis in range(3)]
    gradient = np.stack([*np.gradient(field, *places)])
    for axis in range(3):
        np.moveaxis(gradient[axis], axis, 0)[[0, -1]] = 0
    return gradient


def _solve(vertices: Doubles, targets: Doubles, count: int, coarser: Doubles | None) -> Doubles:
    """Field (2, count, count, count) for vertices (V, 3) in grid coordinates and their weights (V, 2)."""
    sample = _interpolation(vertices, count)
    normal = (sample.T @ sample + SMOOTHNESS * _laplacian(count)).tocsr()
    preconditioner = sparse.diags(1 / normal.diagonal())
    start = _nearest(vertices, targets, count) if coarser is None else _finer(coarser, count)
    solved = [
        cg(normal, sample.T @ targets[:, k], x0=start[k].ravel(), rtol=TOLERANCE, M=preconditioner)[0] for k in range(2)
    ]
    return np.stack(solved).reshape(2, count, count, count)


def _nearest(vertices: Doubles, targets: Doubles, count: int) -> Doubles:
    nodes = np.stack(np.meshgrid(*[np.linspace(-1, 1, count)] * 3, indexing="ij"), axis=-1)
    return np.asarray(targets[spatial.cKDTree(vertices).query(nodes)[1]].transpose(3, 0, 1, 2))


def _finer(field: Doubles, count: int) -> Doubles:
    return np.stack([ndimage.zoom(part, count / len(part), order=1) for part in field])


def _interpolation(vertices: Doubles, count: int) -> Any:
    """Sparse (V, count³): trilinear interpolation at the vertices."""
    place = (vertices + 1) / 2 * (count - 1)
    low = np.minimum(np.floor(place), count - 2).astype(np.int64)
    part = place - low
    columns, shares = [], []
    for corner in np.ndindex(2, 2, 2):
        columns.append((low + corner) @ [count * count, count, 1])
        shares.append(np.where(corner, part, 1 - part).prod(axis=1))
    rows = np.tile(np.arange(len(vertices)), 8)
    return sparse.csr_matrix((np.concatenate(shares), (rows, np.concatenate(columns))), (len(vertices), count**3))


def _laplacian(count: int) -> Any:
    """Sparse (count³, count³): x · L x is the sum of squared differences between neighbouring nodes."""
    steps = sparse.diags([-np.ones(count - 1), np.ones(count - 1)], [0, 1], shape=(count - 1, count))
    along, eye = steps.T @ steps, sparse.identity(count)
    return sum(reduce(sparse.kron, [along if k == axis else eye for k in range(3)]) for axis in range(3))
