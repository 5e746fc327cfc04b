"""The network's distributions over yaw and BlazePose's closed-form angles, made one.

    log p(yaw) = s · Σ a_v · log p_v(yaw) + k · cos(yaw − blazepose) + m · cos 2(yaw − blazepose) + constant

over the network's three views v of a person: both crops, body alone, head alone. A small perceptron reads from the
evidence how far each can be trusted: a_v, k and m (the last says "this or its opposite"), the shares in pitch and roll,
and their spread. s falls from 1 to 0 where the network is in more doubt than on nearly all rendered people that it was
not trained on: pictures of a kind it does not know are left to the landmarks, which have seen real people, and are
taken for turned round in a fifth. A further sign that was seen, a pixelated face, multiplies p by how often it is seen
at each yaw. Nothing depends on left and right, so a mirror image gives the mirrored answer.
``fusion_table.json`` is made by ``training/orientation/fusion.py``.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np

from phq.detect.body_region import BORDER
from phq.people.person import Person, TorsoFit
from phq.pose.closed_form import rotations_of
from phq.pose.orient.angles import angles_of
from phq.pose.orient.decode import BINS, CENTRES, DIRECTIONS, softmax, unit_vectors, yaw_of
from phq.system.arrays import Floats
from phq.system.elementary import cos, exp, log, sin, tanh
from phq.system.linear import length, product

HIPS, SHOULDERS, FACE = [23, 24], [11, 12], [0, 7, 8]
CUT = 140
"""Place of the flag "the box ends at the photo's lower edge" in the evidence."""
FLAT_DEG = (13.0, 20.0)
"""Slope of true − closed-form torso yaw against sin 2 yaw, with the hips in the photo and beyond it: 13.6 and 20.2 on
2,268 renders; 11.4 and 17.2 on 4,224 cut real people, whose labels lean the same way by a little."""
VIEWS = 3
GATES = VIEWS + 2 + (VIEWS + 1) + 2
"""a of every view, k, m, shares of views and landmarks in the tilts, the log spreads of pitch and roll."""
FLOOR = 1e-4
"""Nothing that the network says rules a direction out."""
STRANGE = 0.2
"""How often a picture of a kind that the network does not know at all is taken for turned round: beyond the first
limit of the doubt 4 of 43 held-back real people who were stated as sure (up to 0.03) are turned round, before it 6
of 651."""
PULL = 3.0
"""Of k: a perceptron's 0 is a pull of 2 towards the landmarks."""


def evidence_of(person: Person, fit: TorsoFit) -> Floats:
    """(143,) what BlazePose says of a person: rotations (4, 2, 3, 3) of torso and head in the closed-form `fit` and in
    its three runs, 33 flags "inside the photo", 33 visibilities, presence, height over width of the box, cut at the
    photo's lower edge, residual of the fit, spread of the runs in metres."""
    fitted = np.stack([fit.torso_to_cam, fit.head_to_cam])
    runs = [np.stack(rotations_of(run)) for run in person.runs]
    return np.concatenate([np.stack([fitted, *runs]).ravel(), _picture(person, fit.residual)])


def _picture(person: Person, residual: float) -> Floats:
    box = person.box.edges
    width, height = person.photo.source.size
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
    """(4, 2, 3) yaw, pitch, roll (degrees) of torso and head in the fit and its runs.

    Without the hips BlazePose sees shoulders flatter than they are: where the photo cuts the body, the torso's yaw is
    turned away from the nearer of front and back by as much as it is off in the mean, see `FLAT_DEG`.
    """
    rotations = evidence[:72].reshape(4, 2, 3, 3)
    angles = np.array([[angles_of(r) for r in pair] for pair in rotations])
    hidden = 1 - evidence[72:105][HIPS].mean()
    flat = evidence[CUT] * (FLAT_DEG[0] + hidden * (FLAT_DEG[1] - FLAT_DEG[0]))
    angles[:, 0, 0] += flat * sin(np.radians(2 * angles[:, 0, 0]))
    return angles


def parts_of(raw: Floats) -> Floats:
    """(2, VIEWS, 2, 28) numbers of picture and mirror image, view, torso and head."""
    return np.asarray(raw, np.float64).reshape(2, VIEWS, 2, BINS + 4)


def _mean_directions(logits: Floats) -> Floats:
    """(…, 2) mean vectors over the yaw bins of the last axis."""
    return np.asarray(product(softmax(logits), DIRECTIONS))


def _toward(directions: Floats) -> Floats:
    return np.asarray(directions / np.maximum(length(directions), 1e-4)[..., None])


def _cosine(one: Floats, other: Floats) -> Floats:
    return np.asarray((one * other).sum(-1))


def gate_features(raw: Floats, evidence: Floats) -> Floats:
    """(2, F) what the perceptron reads, for torso and head; unchanged in a mirror image."""
    parts = parts_of(raw)
    mean = parts.mean(0)
    p = softmax(mean[..., :BINS])
    directions = _mean_directions(mean[..., :BINS])
    flip_run = _toward(_mean_directions(parts[..., :BINS]))
    runs = unit_vectors(np.radians(blazepose_angles(evidence)[..., 0]))
    seen = np.concatenate([_toward(directions), runs[:1]])
    own = [
        *(-(p * log(p + 1e-9)).sum(-1)),
        *length(directions),
        *_cosine(flip_run[0], flip_run[1]),
        *(_cosine(seen[i], seen[j]) for i, j in combinations(range(VIEWS + 1), 2)),
        _cosine(runs[1], runs[2]) + _cosine(runs[1], runs[3]),
        _cosine(runs[2], runs[3]),
        *(np.repeat(_cosine(seen[i, 0], seen[i, 1]), 2) for i in (0, VIEWS)),
        seen[0][..., 0],
        seen[VIEWS][..., 0],
        seen[VIEWS][..., 0] ** 2 - seen[VIEWS][..., 1] ** 2,
        *np.clip(mean[..., BINS + 2 :], -4, 1).transpose(0, 2, 1).reshape(2 * VIEWS, 2),
    ]
    return np.column_stack([np.array(own).T, np.tile(_common(evidence), (2, 1))])


def _common(evidence: Floats) -> Floats:
    inside, visibility, rest = evidence[72:105], evidence[105:138], evidence[138:]
    shown = [inside[HIPS].mean(), visibility[HIPS].mean(), inside[SHOULDERS].mean(), visibility[FACE].mean()]
    return np.array([*(rest * [1, 0.3, 1, 1, 5]), *shown])


def doubt_of(raw: Floats) -> float:
    """Mean entropy (nats) of the yaw of torso and head over all views; at most log 24 = 3.18."""
    p = softmax(parts_of(raw).mean(0)[..., :BINS])
    return float(-(p * log(p + 1e-9)).sum(-1).mean())


def familiarity(doubt: float, limits: Floats) -> float:
    """1 below the first limit, 0 above the second."""
    return float(np.clip((limits[1] - doubt) / (limits[1] - limits[0]), 0, 1))


@cache
def fusion_table() -> dict[str, Floats]:
    """Of the perceptron `mean`, `std` (F,), and for torso and head `w1`, `b1`, `w2`, `b2`; the limits of `doubt`."""
    data = json.loads((Path(__file__).parent / "fusion_table.json").read_text(encoding="utf-8"))
    return {name: np.array(value) for name, value in data.items() if name != "made_by"}


def gates_of(features: Floats) -> Floats:
    """(2, GATES) outputs of the perceptron for (2, F) features."""
    table = fusion_table()
    x = np.clip((features - table["mean"]) / table["std"], -5, 5)
    hidden = tanh(np.einsum("pi,pih->ph", x, table["w1"]) + table["b1"])
    return np.asarray(np.einsum("ph,pho->po", hidden, table["w2"]) + table["b2"])


def fuse(raw: Floats, evidence: Floats, sign: Floats | None = None) -> Floats:
    """(2, 7) torso and head: yaw, pitch, roll, their sigmas (degrees), p_flip.

    Args:
        raw: (2, 3, 56) outputs of the network for one person, see `phq.pose.orient.net.OrientationNet.run`.
        evidence: (143,) of `evidence_of`.
        sign: (24,) rate of a further sign at the yaws of `phq.pose.orient.decode.CENTRES`, if it was seen.
    """
    seen = np.ones(BINS) if sign is None else sign
    gates, angles, mean = gates_of(gate_features(raw, evidence)), blazepose_angles(evidence)[0], parts_of(raw).mean(0)
    known = familiarity(doubt_of(raw), fusion_table()["doubt"])
    return np.stack([_one(gates[i], mean[:, i], angles[i], known, seen) for i in (0, 1)])


def _one(gate: Floats, views: Floats, angles: Floats, known: float, sign: Floats) -> Floats:
    trust, off = log(1 + exp(gate[: VIEWS + 2])), CENTRES - np.radians(angles[0])
    pictures = product(known * trust[:VIEWS], log(softmax(views[:, :BINS]) + FLOOR))
    landmarks = PULL * trust[VIEWS] * cos(off) + trust[VIEWS + 1] * cos(2 * off)
    p, turned = softmax(pictures + landmarks), STRANGE * (1 - known)
    p = ((1 - turned) * p + turned * np.roll(p, BINS // 2)) * sign
    yaw, sigma, flip = yaw_of(p / p.sum())
    tilts = np.concatenate([np.degrees(views[:, BINS : BINS + 2]), angles[None, 1:]])
    tilt = known * product(softmax(gate[VIEWS + 2 : -2]), tilts) + (1 - known) * angles[1:]
    spread = np.degrees(np.sqrt(2) * exp(np.clip(gate[-2:], -4, 1)))
    return np.array([yaw, *tilt, sigma, *spread, flip])
