"""The upper body as a chain rooted at the chest, batched over parameter vectors; what the fit optimises.

Rooting at the chest makes the torso's rotation, which is the label, a parameter of its own; hips hang on the bend of
the spine. Joints and shape directions are those of the embedded body; the networks' keypoints on it are in
`phq.pose.keypoints`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from phq.camera.rotations import rotvec_to_rotmat
from phq.pose.body import load_body
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Floats
from phq.system.elementary import exp
from phq.system.linear import product

TURN = slice(0, 3)
PLACE = slice(3, 6)
NECK = slice(6, 9)
HEAD = slice(9, 12)
COLLARS = (slice(12, 15), slice(15, 18))
SHOULDERS = (slice(18, 21), slice(21, 24))
SPINE = slice(24, 27)
SHAPE = slice(27, 31)
SIZE = 31
"""Parameters: turn of the torso from its start (axis-angle, body side), neck position (x/z, y/z, log z), axis-angle of
neck, head, both collars, both shoulders and of the spine from chest to pelvis, four shape numbers."""

_INNER, _INNER_TURNS = [1, 3, 4, 7], [2, 4, 5, 8]
"""Nodes that hang on the chest, and their parameters by threes: neck, collars, spine (see `BodyKeypoints.node`)."""
_OUTER, _OUTER_TURNS = [2, 5, 6], [3, 6, 7]
"""Nodes that hang on the first three of these: head, shoulders."""
_STACKED = np.argsort([0, *_INNER, *_OUTER])
"""Place of each node in that order."""


@dataclass(frozen=True)
class BodyKeypoints:
    """Keypoints of a network as points that hang on the chain."""

    landmarks: NDArray[np.int_]
    """(N,) numbers of `phq.schema.LANDMARKS`; a landmark may be there several times, from several networks."""
    node: NDArray[np.int_]
    """(N,) 0 chest, 1 neck, 2 head, 3 and 4 collars, 5 and 6 shoulders, 7 spine."""
    rest: Floats
    """(B, N, 3) on the body at rest, neck at the origin, metres."""
    shapes: Floats
    """(N, 3, 4) how they move with the shape numbers."""
    sigmas: Floats
    """(N,) standard deviations, metres."""

    def picked(self, which: NDArray[np.int_]) -> BodyKeypoints:
        """Those with such numbers in this list."""
        rows = (part[which] for part in (self.shapes, self.sigmas))
        return BodyKeypoints(self.landmarks[which], self.node[which], self.rest[:, which], *rows)

    def joined(self, other: BodyKeypoints) -> BodyKeypoints:
        """These, then the others, of the same bodies."""
        rest = np.concatenate([self.rest, other.rest], 1)
        names = ("landmarks", "node", "shapes", "sigmas")
        ends = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in names}
        return BodyKeypoints(rest=rest, **ends)

    def body(self, number: int) -> BodyKeypoints:
        """Those of one body."""
        return BodyKeypoints(self.landmarks, self.node, self.rest[number : number + 1], self.shapes, self.sigmas)

    def repeated(self, times: int) -> BodyKeypoints:
        """Each body so many times in a row."""
        return BodyKeypoints(self.landmarks, self.node, np.repeat(self.rest, times, 0), self.shapes, self.sigmas)


@cache
def _pivots() -> tuple[Floats, Floats]:
    """(8, 3) where the nodes turn, neck at the origin, and their shape directions (8, 3, 4)."""
    body = load_body()
    names = ("neck", "neck", "head", "left_collar", "right_collar", "left_shoulder", "right_shoulder", "spine3")
    rows, neck = [SMPL_JOINTS.index(n) for n in names], SMPL_JOINTS.index("neck")
    shapes = body.joint_shapedirs[rows, :, :4] - body.joint_shapedirs[neck, :, :4]
    return body.joints_template[rows] - body.joints_template[neck], shapes


def head_pivot() -> Floats:
    """(3,) head joint at rest, neck at the origin, metres."""
    return np.asarray(_pivots()[0][2])


@dataclass(frozen=True)
class Frames:
    """The nodes of B bodies, in the order of `_STACKED`."""

    rotations: Floats
    """(B, 8, 3, 3) camera axes."""
    places: Floats
    """(B, 8, 3) camera axes, metres."""
    pivots: Floats
    """(B, 8, 3) on the body at rest, neck at the origin, in the order of `BodyKeypoints.node`."""
    betas: Floats
    """(B, 4) shape numbers."""

    @property
    def torso(self) -> Floats:
        """(B, 3, 3) rotation of the torso."""
        return self.rotations[:, _STACKED[0]]

    @property
    def head(self) -> Floats:
        """(B, 3, 3) rotation of the head."""
        return self.rotations[:, _STACKED[2]]

    def of(self, bodies: slice) -> Frames:
        """Those of some bodies."""
        return Frames(self.rotations[bodies], self.places[bodies], self.pivots[bodies], self.betas[bodies])

    def points(self, keypoints: BodyKeypoints) -> Floats:
        """(B, N, 3) N keypoints of B bodies, camera axes, metres."""
        point = keypoints.rest + np.einsum("jdk,bk->bjd", keypoints.shapes, self.betas)
        local, node = point - self.pivots[:, keypoints.node], _STACKED[keypoints.node]
        return np.asarray(self.places[:, node] + product(self.rotations[:, node], local[..., None])[..., 0])


def frames(parameters: Floats, start: Floats) -> Frames:
    """The nodes of bodies; bodies of several people at once take hardly longer than those of one.

    Args:
        parameters: (B, 31).
        start: (B, 3, 3) rotation of the torso where its turn is zero.
    """
    pivots, pivot_shapes = _pivots()
    betas = parameters[:, SHAPE]
    pivot = pivots + np.einsum("jdk,bk->bjd", pivot_shapes, betas)
    turns = rotvec_to_rotmat(parameters[:, : SHAPE.start].reshape(-1, 9, 3))
    depth = exp(parameters[:, 5])
    neck_place = np.stack([parameters[:, 3] * depth, parameters[:, 4] * depth, depth], -1)
    # nodes that hang on the chest, and those that hang on these, at once
    chest, chest_at = product(start, turns[:, 0])[:, None], neck_place[:, None]
    inner, outer = pivot[:, _INNER], pivot[:, _OUTER]
    middle, middle_at = _hung(chest, chest_at, inner - pivot[:, :1], turns[:, _INNER_TURNS])
    ends, ends_at = _hung(middle[:, :3], middle_at[:, :3], outer - inner[:, :3], turns[:, _OUTER_TURNS])
    rotations = np.concatenate([chest, middle, ends], 1)
    return Frames(rotations, np.concatenate([chest_at, middle_at, ends_at], 1), pivot, betas)


def _hung(parents: Floats, places: Floats, offsets: Floats, turns: Floats) -> tuple[Floats, Floats]:
    """Rotations (B, K, 3, 3) and places (B, K, 3) of K nodes by those of their parents."""
    return product(parents, turns), places + product(parents, offsets[..., None])[..., 0]
