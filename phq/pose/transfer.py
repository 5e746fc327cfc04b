"""Labels of the embedded body, stated for another body of the SMPL family: `Transfer`.

The networks' keypoints are calibrated on the embedded body, so the fit is made with that one, and its result is
transferred. Once a body, at rest: the shape numbers with which the other body's bust, face points and joints are
nearest to those of the embedded body, as a linear function of the embedded body's numbers. Once a person, in closed
form: rotations of root, spine, neck and head stay (they are the labels, and mean the same in both bodies); collars and
arms are swung so that shoulders, elbows and wrists come to their former places; the neck joint is the world's origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from phq.camera.convention import VISIBLE_HEIGHT
from phq.camera.rotations import rotmat_to_rotvec, rotvec_to_rotmat
from phq.errors import WeightError
from phq.pose.body import NECK, Body, load_body
from phq.pose.limbs import swing
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Doubles, Floats
from phq.system.linear import length, product

BUST = ("spine3", "neck", "left_collar", "right_collar", "head")
"""Parts whose skin is compared."""
BUST_BELOW = 0.25
"""Metres under the neck that the bust reaches down to."""
POINT_SIGMAS = {"nose": 0.005, "left_eye": 0.01, "right_eye": 0.01, "left_ear": 0.01, "right_ear": 0.01,
                "left_ear_back": 0.01, "right_ear_back": 0.01}  # fmt: skip
"""Metres: bodies name neighbouring vertices. The top of the head is left to the skin, being flat there."""
JOINT_SIGMAS = {"head": 0.01, "left_shoulder": 0.005, "right_shoulder": 0.005, "pelvis": 0.02, "left_hip": 0.02,
                "right_hip": 0.02}  # fmt: skip
BONE_SIGMA = 0.005
"""Metres, of the lengths of upper arm and forearm; how the arms hang at rest is each body's own."""
SKIN_SIGMA = 0.005
"""Metres across the skin."""
SKIN_WORTH = 100.0
"""The whole skin counts as so many points: its errors go together."""
FAR = 0.015
"""Metres at which a pair of skin points has lost half of its weight."""
OFFSET_SIGMA = 0.01
"""Metres by which the neck joint of another body is expected to differ."""
SAME_NECK = 0.01 * VISIBLE_HEIGHT
"""Metres; within 1 % of the crop's side, the neck joint of another body is the same joint."""
ASTRAY = 0.1
"""Metres by which no body of the family is off the embedded one, however laid."""
WILD = 6.0
"""Standard deviations of a shape number."""
ROUNDS = 8
SWUNG = {
    f"{side}_{joint}": f"{side}_{end}"
    for side in ("left", "right")
    for joint, end in (("collar", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "hand"))
}
"""Joints that are swung, and the end of their bone."""


@dataclass(frozen=True)
class Posed:
    """The body columns of a record."""

    pose: Doubles
    """(24, 3) axis-angle; the root leads into camera axes."""
    betas: Doubles
    """(10,)."""
    transl: Doubles
    """(3,)."""


@dataclass(frozen=True)
class Transfer:
    """How labels of the embedded body become those of `body`."""

    body: Body
    mean: Doubles
    """(10,) shape numbers equivalent to the embedded body's mean shape."""
    per_number: Doubles
    """(10, 10) their change for each of the embedded body's shape numbers (columns)."""
    neck_offset: Doubles
    """(3,) the body's neck joint, from the world's origin, axes of the chest, metres. Zero where it is the same joint
    (`SAME_NECK`), as SMPL's own is."""

    def betas(self, betas: Doubles) -> Doubles:
        """(10,) shape numbers of `body` for those of the embedded body."""
        return np.asarray(self.mean + product(self.per_number, betas))

    def __call__(self, embedded: Posed, neck: Floats) -> Posed:
        """The embedded body's labels stated for `body`.

        Args:
            neck: (3,) the world's origin in camera axes, metres.
        """
        betas = self.betas(embedded.betas)
        turns = rotvec_to_rotmat(embedded.pose)
        parents = self.body.parents
        total = _accumulated(turns, parents)
        chest = total[parents[NECK]]
        target = load_body().joints_only(embedded.pose, embedded.betas)[0]
        target = target - target[NECK]
        rest = self._joints(betas)
        pose = np.array(embedded.pose, np.float64)
        for collar in ("left_collar", "right_collar"):
            self._swing_arm(SMPL_JOINTS.index(collar), total, rest, self.neck_offset, chest, target, pose)
        return Posed(pose, betas, self.body.transl_for_neck(pose, neck + product(chest, self.neck_offset), betas))

    def _swing_arm(
        self, joint: int, total: Doubles, rest: Doubles, offset: Doubles, chest: Doubles, target: Doubles, pose: Doubles
    ) -> None:
        """Set the rotations in `pose` (24, 3) of an arm from its collar outwards; neck at the origin.

        Args:
            total: (24, 3, 3) accumulated rotations of the embedded body.
            rest: (24, 3) joints of `body` at rest.
            target: (24, 3) where the embedded body's joints are.
        """
        place, above = product(chest, rest[joint] - rest[NECK] + offset), chest
        while (end := _END.get(joint)) is not None:
            bone = rest[end] - rest[joint]
            turn = product(swing(product(total[joint], bone), target[end] - place), total[joint])
            pose[joint] = rotmat_to_rotvec(product(above.T, turn))
            joint, place, above = end, place + product(turn, bone), turn

    def _joints(self, betas: Doubles) -> Doubles:
        return np.asarray(self.body.joints_template + product(self.body.joint_shapedirs, betas))


_END = {SMPL_JOINTS.index(joint): SMPL_JOINTS.index(end) for joint, end in SWUNG.items()}


def _accumulated(turns: Doubles, parents: tuple[int, ...]) -> Doubles:
    """(24, 3, 3) rotation of each part from rest."""
    total = turns.copy()
    for joint, parent in enumerate(parents[1:], start=1):
        total[joint] = product(total[parent], turns[joint])
    return total


def transfer_to(body: Body) -> Transfer:
    """The transfer to a body; of the embedded body to itself nothing changes.

    Raises:
        WeightError: the body cannot be laid on the embedded one: it is in other units or axes, or of another shape.
    """
    if body.name == load_body().name:
        return Transfer(body, np.zeros(10), np.eye(10), np.zeros(3))
    embedded, other = Rest(load_body()), Rest(body)
    mean, offset = _aligned(embedded, other, free_neck=True)
    if length(offset) < SAME_NECK:
        mean, offset = _aligned(embedded, other, free_neck=False)
    _check_laid(embedded, other, mean, offset)
    return Transfer(body, mean, _slopes(embedded, other, mean, offset), offset)


class Rest:
    """A body at rest, neck at the origin, as functions of its shape numbers."""

    def __init__(self, body: Body) -> None:
        self.body = body
        neck, moved = body.joints_template[NECK], body.joint_shapedirs[NECK]
        self.vertices, self.directions = body.v_template - neck, body.shapedirs - moved
        self.joints, self.joint_directions = body.joints_template - neck, body.joint_shapedirs - moved
        share = body.weights[:, [SMPL_JOINTS.index(name) for name in BUST]].sum(1)
        self.bust: NDArray[np.int64] = np.flatnonzero((share > 0.5) & (self.vertices[:, 1] > -BUST_BELOW))

    @cached_property
    def normals(self) -> Doubles:
        """(V, 3) of the skin, outwards."""
        a, b, c = (self.vertices[self.body.faces[:, corner]] for corner in range(3))
        sums = np.zeros_like(self.vertices)
        for corner in range(3):
            np.add.at(sums, self.body.faces[:, corner], np.cross(b - a, c - a))
        return np.asarray(sums / (np.linalg.norm(sums, axis=1, keepdims=True) + 1e-12))

    def bones(self) -> tuple[Doubles, Doubles]:
        """Lengths (4,) of the arms' bones, and their change with the shape (4, 10)."""
        ends = [(SMPL_JOINTS.index(j), SMPL_JOINTS.index(SWUNG[j])) for j in SWUNG if j.endswith(("shoulder", "elbow"))]
        upper, lower = np.array(ends).T
        bones = self.joints[lower] - self.joints[upper]
        lengths = np.linalg.norm(bones, axis=1)
        moves = self.joint_directions[lower] - self.joint_directions[upper]
        return lengths, np.einsum("nc,nck->nk", bones / lengths[:, None], moves)

    def points(self, names: list[str]) -> tuple[Doubles, Doubles]:
        """Places (N, 3) of named points and joints, and their movement with the shape (N, 3, 10)."""
        rows = [self.body.face_points[name] for name in names if name not in JOINT_SIGMAS]
        joints = [SMPL_JOINTS.index(name) for name in names if name in JOINT_SIGMAS]
        places = np.concatenate([self.vertices[rows], self.joints[joints]])
        return places, np.concatenate([self.directions[rows], self.joint_directions[joints]])


@dataclass(frozen=True)
class _Pairs:
    """What is to coincide: rows of equations in the other body's numbers, weighted."""

    slopes: Doubles
    """(R, 10) of the other body's shape numbers."""
    embedded: Doubles
    """(R, 10) of the embedded body's."""
    axes: Doubles
    """(R, 3) of a shift of the other body."""
    gaps: Doubles
    """(R,) embedded minus other, both of mean shape."""


def _aligned(embedded: Rest, other: Rest, free_neck: bool) -> tuple[Doubles, Doubles]:
    """Shape numbers (10,) and neck (3,) that align the other body at rest with the embedded one's mean shape.

    Gauss-Newton on distances across the skin to the nearest points (Chen and Medioni 1992), and on named points.
    """
    betas, offset = np.zeros(10), np.zeros(3)
    prior = np.diag(np.concatenate([np.ones(10), np.full(3, 1 / OFFSET_SIGMA)]))[: 13 if free_neck else 10]
    for _ in range(ROUNDS):
        pairs = _pairs(embedded, other, betas, offset)
        columns = np.hstack([pairs.slopes, pairs.axes])
        system = np.vstack([columns, prior])[:, : len(prior)]
        found = np.linalg.lstsq(system, np.concatenate([pairs.gaps, np.zeros(len(prior))]), rcond=None)[0]
        betas, offset = found[:10], found[10:] if free_neck else offset
    return betas, offset


def _check_laid(embedded: Rest, other: Rest, betas: Doubles, offset: Doubles) -> None:
    names = ["nose", "left_shoulder", "right_shoulder", "pelvis"]
    (here, slopes), (there, _) = (rest.points(names) for rest in (other, embedded))
    off = float(np.linalg.norm(here + product(slopes, betas) + offset - there, axis=1).max())
    if off > ASTRAY or np.abs(betas).max() > WILD:
        raise WeightError(
            f"{other.body.name} cannot be laid on {embedded.body.name}: nose, shoulders or pelvis are {off:.2f} m off, "
            "or it takes shape numbers out of range; it is to be a grown person in metres, y up, facing +z"
        )


def _slopes(embedded: Rest, other: Rest, mean: Doubles, offset: Doubles) -> Doubles:
    """(10, 10) how the other body's numbers follow those of the embedded body."""
    pairs = _pairs(embedded, other, mean, offset)
    system = np.vstack([pairs.slopes, np.eye(10)])
    return np.asarray(np.linalg.lstsq(system, np.vstack([pairs.embedded, np.zeros((10, 10))]), rcond=None)[0])


def _pairs(embedded: Rest, other: Rest, betas: Doubles, offset: Doubles) -> _Pairs:
    """Equations with the other body shaped by `betas` and its neck at `offset`."""
    parts = [_point_rows(embedded, other), _bone_rows(embedded, other), _skin_rows(embedded, other, betas, offset)]
    return _Pairs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _point_rows(embedded: Rest, other: Rest) -> tuple[Doubles, ...]:
    sigmas = {name: s for name, s in POINT_SIGMAS.items() if name in other.body.face_points} | JOINT_SIGMAS
    weight = 1 / np.repeat(list(sigmas.values()), 3)[:, None]
    (here, slopes), (there, aims) = (rest.points(list(sigmas)) for rest in (other, embedded))
    axes = np.tile(np.eye(3), (len(sigmas), 1))
    gaps = (there - here).reshape(-1, 1)
    rows = (slopes.reshape(-1, 10), aims.reshape(-1, 10), axes, gaps)
    first, second, third, fourth = (row * weight for row in rows)
    return first, second, third, fourth[:, 0]


def _bone_rows(embedded: Rest, other: Rest) -> tuple[Doubles, ...]:
    """Lengths to first order in the shape numbers."""
    (here, slopes), (there, aims) = (rest.bones() for rest in (other, embedded))
    return slopes / BONE_SIGMA, aims / BONE_SIGMA, np.zeros((len(here), 3)), (there - here) / BONE_SIGMA


def _skin_rows(embedded: Rest, other: Rest, betas: Doubles, offset: Doubles) -> tuple[Doubles, ...]:
    mine = other.bust
    placed = other.vertices[mine] + product(other.directions[mine], betas) + offset
    near, which = cKDTree(embedded.vertices[embedded.bust]).query(placed)
    theirs = embedded.bust[which]
    normals = embedded.normals[theirs]
    facing = (normals * other.normals[mine]).sum(1) > 0.5
    weight = facing / (1 + (near / FAR) ** 2)
    weight = np.sqrt(weight * SKIN_WORTH / max(weight.sum(), 1e-9)) / SKIN_SIGMA
    across = normals * weight[:, None]
    gaps = (across * (embedded.vertices[theirs] - other.vertices[mine])).sum(1)
    rows = (np.einsum("nc,nck->nk", across, part) for part in (other.directions[mine], embedded.directions[theirs]))
    return *rows, across, gaps
