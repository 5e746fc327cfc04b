"""The part of the embedded body that a headshot can show, and how other things are seated on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from phq.pose.body import load_body
from phq.synth.sheets import Part
from phq.system.arrays import Doubles

LOWEST, WIDEST = -0.45, 0.42
"""Of the rest pose, metres: what lies beyond can reach no headshot, whatever the pose."""
NEIGHBOURS = 4
EARS = ((0.068, 0.1, -1.0), (1.0, 0.178, 0.055))
"""Box round an ear: least and greatest |x|, y and z."""
_CREASES = ((4, 0.0025, 0.45), (60, 0.012, 0.55))
"""Rounds of further smoothing, depth below the smoothed surface that counts fully, metres, and how much it darkens."""


@dataclass(frozen=True)
class Bust:
    """V vertices of the body at rest on the mean shape."""

    rows: NDArray[np.int64]
    """(V,) their numbers in the body."""
    points: Doubles
    """(V, 3)."""
    normals: Doubles
    """(V, 3) outwards."""
    faces: NDArray[np.int64]
    """(F, 3) numbers among the V."""
    part: NDArray[np.int64]
    """(V,) `Part.BODY` or `Part.EYE`."""
    open_to_light: Doubles
    """(V,) 1 on convex skin, less in creases: eye sockets, beside the nose, under the chin."""

    def grown(self, by: Doubles) -> Bust:
        """The same with every vertex moved along its normal by so many metres (V,)."""
        return replace(self, points=self.points + by[:, None] * self.normals)


@cache
def load_bust() -> Bust:
    """The bust of the embedded body, made once a process."""
    body = load_body()
    points = body.v_template
    inside = (points[:, 1] > LOWEST) & (np.abs(points[:, 0]) < WIDEST)
    rows = np.flatnonzero(inside)
    number = np.full(len(points), -1)
    number[rows] = np.arange(len(rows))
    faces = number[body.faces[inside[body.faces].all(1)]]
    _, piece = connected_components(_edges(faces, len(rows)), directed=False)
    eye = piece != np.bincount(piece).argmax()  # the eyeballs hang together with nothing
    normals = vertex_normals(points[rows], faces)
    open_to_light = _openness(points[rows], normals, faces)
    return Bust(rows, points[rows], normals, faces, np.where(eye, Part.EYE, Part.BODY), open_to_light)


def vertex_normals(points: Doubles, faces: NDArray[np.int64]) -> Doubles:
    """(V, 3) unit normals of a mesh: mean of the faces about each vertex, weighted by their area."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    across = np.cross(b - a, c - a)
    index = faces.ravel()
    each = np.repeat(across, 3, axis=0)
    total = np.stack([np.bincount(index, each[:, i], len(points)) for i in range(3)], 1)
    return np.asarray(total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-30))


def _edges(faces: NDArray[np.int64], count: int) -> csr_array:
    """(V, V) positive where two vertices share an edge."""
    start, end = faces.ravel(), np.roll(faces, 1, axis=1).ravel()
    ends = np.concatenate([start, end]), np.concatenate([end, start])
    return coo_array((np.ones(len(ends[0])), ends), shape=(count, count)).tocsr()


def _openness(points: Doubles, normals: Doubles, faces: NDArray[np.int64]) -> Doubles:
    """How open each vertex is: how far it lies below the surface smoothed a little, and a lot."""
    edges = _edges(faces, len(points))
    mean = diags_array(1 / np.maximum(edges.sum(1), 1)) @ edges
    openness, smooth = np.ones(len(points)), points
    for rounds, deep, dark in _CREASES:
        for _ in range(rounds):
            smooth = 0.5 * smooth + 0.5 * (mean @ smooth)
        below = ((smooth - points) * normals).sum(1)
        openness *= 1 - dark * np.clip(below / deep, 0, 1)
    return openness


class Seat:
    """The surface of a bust without ears and eyes, for laying other things on it."""

    def __init__(self, bust: Bust) -> None:
        place = np.abs(bust.points) * [1, 0, 0] + bust.points * [0, 1, 1]
        ear = ((place > EARS[0]) & (place < EARS[1])).all(1)
        self.rows = np.flatnonzero((bust.part == Part.BODY) & ~ear)
        self.points, self.normals = bust.points[self.rows], bust.normals[self.rows]
        self.tree = cKDTree(self.points)

    def nearest(self, points: Doubles) -> tuple[NDArray[np.int64], Doubles]:
        """Vertices of the bust (N, 4) next to points (N, 3), and their shares (N, 4), which sum to one."""
        distance, near = self.tree.query(points, NEIGHBOURS)
        share = 1 / (distance + 1e-4)
        return self.rows[near], np.asarray(share / share.sum(1, keepdims=True))

    def lay(self, points: Doubles, height: Doubles, exactly: Doubles) -> Doubles:
        """Points (N, 3) moved along the surface's normal to so many metres (N,) above it.

        Where `exactly` (N,) is 0 they only move if they are lower than that; in between, partly.
        """
        for _ in range(2):
            distance, near = self.tree.query(points, NEIGHBOURS)
            share = (1 / (distance + 1e-4))[..., None]
            foot = (share * self.points[near]).sum(1) / share.sum(1)
            normal = (share * self.normals[near]).sum(1)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            short = height - ((points - foot) * normal).sum(1)
            points = points + (np.maximum(short, 0) + exactly * np.minimum(short, 0))[:, None] * normal
        return points
