"""The upper body as a chain rooted at the chest, batched over parameter vectors; what the fit optimises.

Rooting at the chest makes the torso's rotation, which is the label, a parameter of its own; hips hang on the bend of
the spine. Joints and shape directions are those of the embedded body, landmark offsets those of `landmark_table`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from phq.pose.body import load_body
from phq.pose.closed_form import landmark_table
from phq.pose.rotations import rotvec_to_rotmat
from phq.schema import LANDMARKS, SMPL_JOINTS
from phq.work import Floats

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

POINTS = (*range(15), 23, 24)
"""Landmarks (numbers of `phq.schema.LANDMARKS`) that the chain predicts: face, shoulders, elbows, hips."""
_NODE = np.array([2] * 11 + [3, 4, 5, 6, 7, 7])
"""Node of each point: 0 chest, 1 neck, 2 head, 3 and 4 collars, 5 and 6 shoulders, 7 spine."""


@cache
def _rest() -> tuple[Floats, Floats, Floats, Floats]:
    """Pivots (8, 3) and their shape directions (8, 3, 4); points (17, 3) and theirs (17, 3, 4); neck at the origin."""
    body, table = load_body(), landmark_table()
    names = ("neck", "neck", "head", "left_collar", "right_collar", "left_shoulder", "right_shoulder", "spine3")
    rows = [SMPL_JOINTS.index(n) for n in names]
    shapes = body.joint_shapedirs[..., :4] - body.joint_shapedirs[SMPL_JOINTS.index("neck"), :, :4]
    pivots = body.joints_template[rows] - body.joints_template[SMPL_JOINTS.index("neck")]
    limbs = [SMPL_JOINTS.index(n) for n in ("left_elbow", "right_elbow", "left_hip", "right_hip")]
    neck = body.joints_template[SMPL_JOINTS.index("neck")]
    points = np.concatenate([table.placed[:11] + pivots[2], table.placed[11:], body.joints_template[limbs] - neck])
    face = [body.shapedirs[body.face_points.get(name, body.face_points["nose"]), :, :4] for name in LANDMARKS[:11]]
    neck_shape = body.joint_shapedirs[SMPL_JOINTS.index("neck"), :, :4]
    shoulder_rows = [SMPL_JOINTS.index(n) for n in ("left_shoulder", "right_shoulder")]
    point_shapes = np.concatenate([np.array(face) - neck_shape, shapes[shoulder_rows], shapes[limbs]])
    return pivots, shapes[rows], points, point_shapes


def predict(parameters: Floats, start: Floats) -> tuple[Floats, Floats, Floats]:
    """Landmarks and rotations of bodies.

    Args:
        parameters: (B, 31). start: (B, 3, 3) rotation of the torso where its turn is zero.

    Returns:
        points (B, 17, 3) and rotations of torso (B, 3, 3) and head (B, 3, 3), camera axes, metres.
    """
    pivots, pivot_shapes, points, point_shapes = _rest()
    betas = parameters[:, SHAPE]
    pivot = pivots + np.einsum("jdk,bk->bjd", pivot_shapes, betas)
    point = points + np.einsum("jdk,bk->bjd", point_shapes, betas)
    turns = rotvec_to_rotmat(parameters[:, :SHAPE.start].reshape(-1, 9, 3))
    torso = start @ turns[:, 0]
    depth = np.exp(parameters[:, 5])
    neck_place = np.stack([parameters[:, 3] * depth, parameters[:, 4] * depth, depth], -1)
    rotations, places = [torso], [neck_place]

    def hang(parent: int, node: int, turn: Floats) -> None:
        offset = (pivot[:, node] - pivot[:, parent])[..., None]
        places.append(places[parent] + (rotations[parent] @ offset)[..., 0])
        rotations.append(rotations[parent] @ turn)

    hang(0, 1, turns[:, 2])  # neck
    hang(1, 2, turns[:, 3])  # head
    hang(0, 3, turns[:, 4])  # collars
    hang(0, 4, turns[:, 5])
    hang(3, 5, turns[:, 6])  # shoulders
    hang(4, 6, turns[:, 7])
    hang(0, 7, turns[:, 8])  # spine
    rotation, place = np.stack(rotations, 1)[:, _NODE], np.stack(places, 1)[:, _NODE]
    local = (point - pivot[:, _NODE])[..., None]
    return place + (rotation @ local)[..., 0], torso, rotations[2]
