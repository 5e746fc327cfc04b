"""The rigid torso, and the rotations of neck and head, from landmarks in closed form.

`landmark_table.json` has the places of BlazePose's landmarks on a body (made by ``tools/calibrate_landmarks.py`` from
rendered people with exact truth): they are not SMPL's joints, and the difference would tilt every label.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from phq.camera.angles import yaw_pitch
from phq.camera.rotations import kabsch, rotation_log, rotvec_to_rotmat
from phq.people.person import Landmarks, TorsoFit
from phq.pose import template
from phq.system.arrays import Floats
from phq.system.elementary import arccos, sin
from phq.system.linear import length, nearest_rotation, product

FACE = tuple(range(11))
TORSO = (11, 12, 23, 24)
TORSO_WEIGHTS = np.array([1.0, 1.0, 0.5, 0.5])
"""Hips are often outside the picture, where they are guesses."""
AGREEING_DEG = 60.0
"""Runs within this angle of the central one are averaged; others are taken for front/back flips."""
HEAD_SIZE = template.HEAD_TOP[1] - template.HEAD[1]
"""Head joint to head top, metres of the template."""
MIN_PX_PER_METRE = 4.0
"""Least scale of a placement; below it the whole crop would be less than two pixels."""
BOX_METRES = np.array([0.55, 1.75])
"""Width and height of a standing person's box, metres."""
NECK_BELOW_TOP = 0.27
"""Metres from the top of the box to the neck."""
OUTLIER = 0.06
"""Residual (template metres) from which a landmark loses weight in the placement."""


@dataclass(frozen=True)
class LandmarkTable:
    """Places of the landmarks on a body of the template's proportions, metres, body axes (left, up, front)."""

    face: Floats
    """(11, 3) face landmarks of the network's *metric* output, about the middle of the ears."""
    torso: Floats
    """(4, 3) shoulders and hips of the metric output, about the middle of the shoulders."""
    placed: Floats
    """(13, 3) landmarks 0–10 about the head joint and 11, 12 about the neck, as they appear in the *picture*."""
    spread: Floats
    """(13,) median distance of a landmark in the picture from there."""


@cache
def landmark_table() -> LandmarkTable:
    """The vendored table."""
    data = json.loads((Path(__file__).parent / "landmark_table.json").read_text(encoding="utf-8"))
    return LandmarkTable(**{name: np.array(data[name]) for name in ("face", "torso", "placed", "spread")})


def central_rotation(rotations: Floats) -> Floats:
    """Mean of the rotations (N, 3, 3) that agree with the most central of them.

    A plain mean of a front and a back view would be a side view, so outliers are left out first.
    """
    cosine = (np.einsum("nij,mij->nm", rotations, rotations) - 1) / 2
    angles = np.degrees(arccos(np.clip(cosine, -1, 1)))
    central = int(np.argmin(angles.sum(1)))
    agreeing = rotations[angles[central] <= AGREEING_DEG]
    return nearest_rotation(agreeing.sum(0))


def torso_rotation(world: Floats) -> Floats:
    """3×3 body to camera from metric landmarks (33, 3)."""
    return np.asarray(kabsch(landmark_table().torso, world[list(TORSO)], TORSO_WEIGHTS))


def torso_yaw(torso_to_cam: Floats) -> float:
    """Yaw (degrees) of a torso (3×3)."""
    return yaw_pitch(product(torso_to_cam.T, np.array([0.0, 0.0, -1.0])))[0]


def unflattened(torso_to_cam: Floats, slope_deg: float) -> Floats:
    """A torso (3×3) turned about its own up axis, away from the nearer of front and back, by slope · sin 2 yaw.

    The landmark network's bodies are too flat: it sees shoulders and hips nearer to the picture's plane than they are.

    Args:
        torso_to_cam: 3×3, body to camera.
        slope_deg: degrees.
    """
    turn = np.radians(slope_deg) * sin(2 * np.radians(torso_yaw(torso_to_cam)))
    return np.asarray(product(torso_to_cam, rotvec_to_rotmat(np.array([0.0, -turn, 0.0]))))


def head_rotation(world: Floats) -> Floats:
    """3×3 head to camera from metric landmarks (33, 3)."""
    return np.asarray(kabsch(landmark_table().face, world[list(FACE)]))


def rotations_of(run: Landmarks) -> tuple[Floats, Floats]:
    """3×3 of torso and head in one run."""
    if run.rotations is None:
        run.rotations = torso_rotation(run.world), head_rotation(run.world)
    return run.rotations


def share_turn(head: Floats, before: Floats) -> tuple[Floats, Floats]:
    """Axis-angle (3,) of neck and head whose product is a rotation of the head; each takes half of what it turns.

    Args:
        head: 3×3 head to torso.
        before: (2, 3, 3) of neck and head as they were.
    """
    turn = rotation_log(product(head, product(before[0], before[1]).T))
    neck = product(rotvec_to_rotmat(turn / 2), before[0])
    return np.asarray(rotation_log(neck)), np.asarray(rotation_log(product(neck.T, head)))


def split_neck_head(torso_to_cam: Floats, head_to_cam: Floats) -> Floats:
    """(2, 3) axis-angle of SMPL's neck and head joints: each takes half of the turn between torso and head."""
    half = rotation_log(product(torso_to_cam.T, head_to_cam)) / 2
    return np.stack([half, half])


def head_joint(torso_to_cam: Floats, neck: Floats) -> Floats:
    """(3,) head joint from the neck joint, camera axes, for a neck rotation (axis-angle)."""
    rest = template.symmetric_points(("head",))[0]
    return np.asarray(product(torso_to_cam, rotvec_to_rotmat(neck), rest))


def solve_placement(model: Floats, seen: Floats, weights: Floats) -> tuple[float, Floats]:
    """Scale s and shift t that bring model (N, 2) nearest to seen (N, 2): seen ≈ t + s·model, weighted."""
    share = (weights / weights.sum())[:, None]
    model_mean, seen_mean = (share * model).sum(0), (share * seen).sum(0)
    centred = model - model_mean
    scale = float((share * centred * (seen - seen_mean)).sum() / (share * centred**2).sum())
    return scale, seen_mean - scale * model_mean


def place(torso_to_cam: Floats, head_to_cam: Floats, seen: Floats) -> tuple[float, Floats, float]:
    """Where the body is in the photo, by reweighted least squares on face and shoulder landmarks.

    Args:
        seen: (33, 2) landmarks, photo pixels.

    Returns:
        photo pixels per template metre, (2,) neck in photo pixels, residual as a fraction of head size.
    """
    table = landmark_table()
    head = head_joint(torso_to_cam, split_neck_head(torso_to_cam, head_to_cam)[0])
    model = np.concatenate(
        [product(table.placed[:11], head_to_cam.T) + head, product(table.placed[11:], torso_to_cam.T)]
    )[:, :2]
    prior = 1 / table.spread**2
    weights = prior
    for _ in range(10):
        scale, shift = solve_placement(model, seen[: len(model)], weights)
        off = length(shift + scale * model - seen[: len(model)]) / max(abs(scale), 1e-9)
        weights = prior / (1 + (off / OUTLIER) ** 2)
    return scale, shift, float((prior * off).sum() / prior.sum() / HEAD_SIZE)


def place_by_box(box: Floats) -> tuple[float, Floats, float]:
    """What `place` returns, from the box alone, for landmarks that do not help; its residual is 1."""
    scale = float(((box[2:] - box[:2]) / BOX_METRES).max())
    return scale, np.array([(box[0] + box[2]) / 2, box[1] + NECK_BELOW_TOP * scale]), 1.0


def fit_torso(runs: list[Landmarks], box: Floats) -> TorsoFit:
    """Fit one person from several runs of the landmark network; `box` (4,) is the person's, photo pixels."""
    torso, head = map(central_rotation, np.stack([rotations_of(run) for run in runs], 1))
    seen = np.median([run.points for run in runs], axis=0)
    scale, neck, residual = place(torso, head, seen)
    reach = np.maximum(box[2:] - box[:2], 1)
    if scale < MIN_PX_PER_METRE or (np.abs(neck - (box[:2] + box[2:]) / 2) > reach).any():
        scale, neck, residual = place_by_box(box)
    joints = dict(zip(("neck", "head"), split_neck_head(torso, head), strict=True))
    return TorsoFit(torso, head, neck, scale, residual, joints)
