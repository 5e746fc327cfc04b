"""The network's distribution over yaw and BlazePose's closed-form angles, made one.

    log p(yaw) = a · log p_net(yaw) + k · cos(yaw − blazepose) + m · cos 2(yaw − blazepose) + constant

A small perceptron reads from the evidence how far each can be trusted: a, k and m (the last says "this or its
opposite"), the share of each in pitch and roll, and their spread. Nothing of it depends on left and right, so a mirror
image gives the mirrored answer. ``fusion_table.json`` is made by ``training/orientation/fusion.py``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np

from phq.keypoints.stage import BORDER, box_of
from phq.orient.angles import angles_of
from phq.orient.decode import BINS, CENTRES, decode, softmax, yaw_of
from phq.pose.closed_form import TorsoFit, head_rotation, torso_rotation
from phq.work import Floats, Person

HIPS, SHOULDERS, FACE = [23, 24], [11, 12], [0, 7, 8]
GATES = 8
"""a, k, m, shares of pitch and roll, their log spreads, and the weight of the second pass and its mirror run."""
FLOOR = 1e-4
"""Nothing that the network says rules a direction out."""


def evidence_of(person: Person, fit: TorsoFit) -> Floats:
    """(143,) what BlazePose says of a person: rotations (4, 2, 3, 3) of torso and head in the closed-form `fit` and in
    its three runs, 33 flags "inside the photo", 33 visibilities, presence, height over width of the box, cut at the
    photo's lower edge, residual of the fit, spread of the runs in metres."""
    fitted = np.stack([fit.torso_to_cam, fit.head_to_cam])
    runs = [np.stack([torso_rotation(r.world), head_rotation(r.world)]) for r in person.runs]
    return np.concatenate([np.stack([fitted, *runs]).ravel(), _picture(person, fit.residual)])


def _picture(person: Person, residual: float) -> Floats:
    box = box_of(person)
    width, height = person.photo.fields["image_width"], person.photo.fields["image_height"]
    points = np.median([run.points for run in person.runs], axis=0)
    inside = ((points >= 0) & (points <= [width, height])).all(1).astype(float)
    visibility = np.median([run.visibility for run in person.runs], axis=0)
    presence = float(np.median([run.presence for run in person.runs]))
    aspect = (box[3] - box[1]) / max(box[2] - box[0], 1)
    cut = float(box[3] > BORDER * height)
    worlds = np.stack([run.world for run in person.runs])
    spread = float(np.linalg.norm(worlds - worlds.mean(0), axis=-1).mean())
    return np.concatenate([inside, visibility, [presence, aspect, cut, residual, spread]])


def blazepose_angles(evidence: Floats) -> Floats:
    """(4, 2, 3) yaw, pitch, roll (degrees) of torso and head in the fit and its runs."""
    rotations = evidence[:72].reshape(4, 2, 3, 3)
    return np.array([[angles_of(r) for r in pair] for pair in rotations])


def gate_features(raw: Floats, evidence: Floats) -> Floats:
    """(2, 24) what the perceptron reads, for torso and head; unchanged in a mirror image."""
    seen, angles = decode(raw), np.radians(blazepose_angles(evidence))
    logits = np.asarray(raw, np.float64).reshape(2, BINS + 4)
    inside, visibility, rest = evidence[72:105], evidence[105:138], evidence[138:]
    common = [
        *(rest * [1, 0.3, 1, 1, 5]),
        inside[HIPS].mean(),
        visibility[HIPS].mean(),
        inside[SHOULDERS].mean(),
        visibility[FACE].mean(),
        np.cos(angles[0, 0, 0] - angles[0, 1, 0]),
        np.cos(np.radians(seen[0, 0] - seen[1, 0])),
    ]
    rows = []
    for part in (0, 1):
        yaw, net = angles[:, part, 0], np.radians(seen[part, 0])
        p = softmax(logits[part, :BINS])
        entropy = -float((p * np.log(p + 1e-9)).sum())
        first = np.cos(yaw[1] - yaw[2]) + np.cos(yaw[1] - yaw[3])
        own = [first, np.cos(yaw[2] - yaw[3]), np.cos(yaw[0]), np.cos(2 * yaw[0])]
        own += [np.cos(net - yaw[0]), np.cos(net), p.max(), entropy, seen[part, 3] / 30, seen[part, 6]]
        rows.append([*common, *own, *logits[part, BINS + 2 :], 1.0])
    return np.array(rows)


@cache
def fusion_table() -> dict[str, Floats]:
    """Weights of the perceptron: `mean`, `std` (24,), and for torso and head `w1`, `b1`, `w2`, `b2`."""
    data = json.loads((Path(__file__).parent / "fusion_table.json").read_text(encoding="utf-8"))
    return {name: np.array(value) for name, value in data.items() if name != "made_by"}


def gates_of(features: Floats) -> Floats:
    """(2, 8) outputs of the perceptron for (2, 24) features."""
    table = fusion_table()
    x = (features - table["mean"]) / table["std"]
    hidden = np.tanh(np.einsum("pi,pih->ph", x, table["w1"]) + table["b1"])
    return np.asarray(np.einsum("ph,pho->po", hidden, table["w2"]) + table["b2"])


def fuse(raw: Floats, evidence: Floats) -> Floats:
    """(2, 7) torso and head: yaw, pitch, roll, their sigmas (degrees), p_flip.

    Args:
        raw: (56,) outputs of the network.
        evidence: (143,) of `evidence_of`.
    """
    gates, seen, angles = gates_of(gate_features(raw, evidence)), decode(raw), blazepose_angles(evidence)
    logits = np.asarray(raw, np.float64).reshape(2, BINS + 4)[:, :BINS]
    return np.stack([_one(gates[i], logits[i], seen[i], angles[:, i]) for i in (0, 1)])


def _one(gate: Floats, logits: Floats, seen: Floats, angles: Floats) -> Floats:
    a, k, m, again = (float(np.logaddexp(0, gate[i])) for i in (0, 1, 2, 7))
    off = CENTRES - np.radians(angles[:, :1])
    net = np.log(softmax(logits) + FLOOR)
    total = a * net + k * np.cos(off[0]) + m * np.cos(2 * off[0]) + again * (np.cos(off[2]) + np.cos(off[3])) / 2
    yaw, sigma, flip = yaw_of(softmax(total))
    share = 1 / (1 + np.exp(-gate[3:5]))
    tilt = share * seen[1:3] + (1 - share) * angles[0, 1:]
    spread = np.degrees(np.sqrt(2) * np.exp(np.clip(gate[5:7], -4, 1)))
    return np.array([yaw, *tilt, sigma, *spread, flip])
