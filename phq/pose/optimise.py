"""Robust fit of the upper body to all evidence, from several starts.

Levenberg–Marquardt on reweighted residuals, all starts at once. The Jacobian is taken by forward differences of the
batched chain in float64 (checked against automatic differentiation in the tests): thirty-one columns cost one call.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from phq.camera.rotations import rotation_log, rotvec_to_rotmat
from phq.people.person import Belief
from phq.pose import chain
from phq.pose.closed_form import FACE, TORSO, landmark_table, split_neck_head
from phq.system.arrays import Floats
from phq.system.elementary import log
from phq.system.linear import product, solve

STEP = 1e-6
ITERATIONS = 12
"""At most."""
SETTLED, STILL = 1e-4, 1e-4
"""Relative fall of the cost, or length of a step that was not taken (radians), from which a fit has converged: the rest
turns a torso by 0.002° and a head by 0.005° at the median, by 0.05° and 0.2° at most (docs/log.md)."""
DAMPING = 1e-2
TURN_ROUND = np.diag([-1.0, 1.0, -1.0])
"""Half a turn about the body's up axis: the hypothesis that front and back were confused."""
TURN_COST = 3.0
"""Minus log odds of that before any picture evidence: one person in twenty."""
PRIOR_DEG = {"neck": 25.0, "head": 25.0, "collars": 12.0, "shoulders": 60.0, "spine": 12.0}
"""Standard deviations of the joints' angles about their start (arms) or rest (the others)."""
HANGING_DEG = 65.0
"""Upper arms at rest are stretched out; a hanging one is turned down by this much."""
TORSO_SIGMAS = np.array([0.035, 0.035, 0.018, 0.018])
FACE_SIGMAS = np.full(len(FACE), 0.03)
"""Metres, of each coordinate of a landmark in 3D: shoulders and hips, face. On video of a real man the network turns
the shoulders too far and the hips too little; with these weights the errors nearly cancel (docs/log.md)."""
DEPTH_SIGMA = 0.1
"""Of log depth about the closed-form start: the size of heads, unknown to the picture, varies by about that."""


@dataclass(frozen=True)
class Observation:
    """The evidence about one person along the line of sight to the neck.

    Rays are (x/z, y/z) in camera axes whose z goes through the start's neck, level with the photo.
    """

    keypoints: chain.BodyKeypoints
    """Keypoints used, on two bodies (the view moves them): as believed, and turned round."""
    rays: Floats
    """(N, 2) where they are in the picture."""
    worlds: Floats
    """(R, 15, 3) torso and face landmarks (`TORSO`, `FACE`) in 3D from R runs of the landmark network, metres, camera
    axes; none for people whom the photo cuts off: there they are part of the belief."""
    belief: Belief
    """Rotations believed before the fit."""
    upright_sigma: float
    """Radians that the torso's up axis is expected to lean from the photo's; large where the whole body tells."""
    depth: float
    """Metres to the neck at the start."""


@dataclass(frozen=True)
class Hypothesis:
    """One local optimum."""

    parameters: Floats
    """(31,) of `phq.pose.chain`."""
    start: Floats
    """3×3 torso rotation where the turn is zero."""
    keypoints: chain.BodyKeypoints
    """The keypoints of this body alone."""
    torso: Floats
    """3×3 body to camera; head the same."""
    head: Floats
    cost: float
    """Half the sum of robust squared residuals."""
    turned: bool
    """It began with front and back exchanged."""

    def joints(self) -> dict[str, Floats]:
        """Axis-angle of SMPL joints by name. The one bend between chest and pelvis is shared by the three of the spine.

        Arms are left out: the fit moves them only as far as visible elbows need.
        """
        third = -self.parameters[chain.SPINE] / 3
        left, right = chain.COLLARS
        parts = {"neck": chain.NECK, "head": chain.HEAD, "left_collar": left, "right_collar": right}
        return {name: self.parameters[part] for name, part in parts.items()} | {f"spine{i}": third for i in (1, 2, 3)}

    def betas(self) -> Floats:
        """(10,) shape numbers."""
        return np.concatenate([self.parameters[chain.SHAPE], np.zeros(6)])


@dataclass(frozen=True)
class _Start:
    """Where B hypotheses begin, and what their priors are about."""

    parameters: Floats
    """(B, 31)."""
    torso: Floats
    """(B, 3, 3), where the torso's turn is zero; also what the hypothesis holds for observed. Head the same."""
    head: Floats

    keypoints: chain.BodyKeypoints
    """N keypoints on B bodies."""

    def repeated(self, times: int) -> _Start:
        """Each of them so many times in a row."""
        parameters, torso, head = (np.repeat(part, times, 0) for part in (self.parameters, self.torso, self.head))
        return _Start(parameters, torso, head, self.keypoints.repeated(times))


def starts(observation: Observation) -> _Start:
    """As believed, and turned round: that the rotations seen confuse front and back."""
    torso = np.stack([observation.belief.torso, product(observation.belief.torso, TURN_ROUND)])
    parameters = np.zeros((2, chain.SIZE))
    parameters[:, 5] = log(observation.depth)
    local = split_neck_head(observation.belief.torso, observation.belief.head)
    parameters[:, chain.NECK], parameters[:, chain.HEAD] = local[0], local[1]
    # turned round, a head that looks over its left shoulder looks over its right
    parameters[1, chain.NECK] *= [-1, 1, -1]
    parameters[1, chain.HEAD] *= [-1, 1, -1]
    parameters[:, chain.SHOULDERS[0]] = [0, 0, -np.radians(HANGING_DEG)]
    parameters[:, chain.SHOULDERS[1]] = [0, 0, np.radians(HANGING_DEG)]
    head = np.stack([observation.belief.head, product(torso[1], rotvec_to_rotmat(parameters[1, chain.NECK] * 2))])
    return _Start(parameters, torso, head, observation.keypoints)


def residuals(parameters: Floats, start: _Start, seen: Observation) -> tuple[Floats, Floats]:
    """Whitened residuals (B, M) of parameters (B, 31), and the robust group (M,) of each: −1 for priors."""
    points, torso, head = chain.predict(parameters, start.torso, start.keypoints)
    ray = points[..., :2] / np.maximum(points[..., 2:], 1e-3)
    image = (ray - seen.rays) * (seen.depth / start.keypoints.sigmas)[:, None]
    turned = parameters[:, chain.TURN] / seen.belief.torso_sigma
    nodded = rotation_log(product(start.head.swapaxes(1, 2), head)) / seen.belief.head_sigma
    lean = torso[:, [0, 2], 1] / seen.upright_sigma
    moved = parameters - start.parameters
    prior = moved[:, chain.NECK.start : chain.SHAPE.start] / _prior_sigmas()
    extra = np.concatenate([moved[:, 5:6] / DEPTH_SIGMA, parameters[:, chain.SHAPE]], 1)
    solid = _solid_residuals(torso, head, seen.worlds)
    flat = [part.reshape(len(points), -1) for part in (image, turned, nodded, lean, solid, prior, extra)]
    return np.concatenate(flat, 1), _groups(len(seen.rays), len(seen.worlds), prior.shape[1] + extra.shape[1])


def _solid_residuals(torso: Floats, head: Floats, worlds: Floats) -> Floats:
    """(B, R, 15, 3) of the landmarks in 3D: torso and face, each about its own middle, against the rotated table."""
    table, n = landmark_table(), len(TORSO)
    parts = [(table.torso, torso, worlds[:, :n]), (table.face, head, worlds[:, n:])]
    out = []
    for (rest, rotation, seen), sigma in zip(parts, (TORSO_SIGMAS, FACE_SIGMAS), strict=True):
        weight = sigma**-2 / (sigma**-2).sum()
        centred = seen - (weight[:, None] * seen).sum(1, keepdims=True)
        turned = np.einsum("bij,nj->bni", rotation, rest - product(weight, rest))
        out.append((turned[:, None] - centred) / sigma[:, None])
    return np.concatenate(out, 2)


@cache
def _groups(keypoints: int, runs: int, rest: int) -> Floats:
    """(M,) robust group of each residual: keypoints; belief of torso, head and lean; torso and face of each run."""
    run = [n for r in range(runs) for n in [2 * r] * 3 * len(TORSO) + [2 * r + 1] * 3 * len(FACE)]
    parts = [np.repeat(np.arange(keypoints), 2), keypoints + np.repeat([0, 1, 2], [3, 3, 2])]
    parts += [keypoints + 3 + np.array(run, int), np.full(rest, -1)]
    return np.concatenate(parts)


@cache
def _prior_sigmas() -> Floats:
    names = ("neck", "head", "collars", "collars", "shoulders", "shoulders", "spine")
    return np.asarray(np.radians(np.repeat([PRIOR_DEG[name] for name in names], 3)))


def _squared(values: Floats, groups: Floats) -> Floats:
    """(B, G) squared norms of the robust groups."""
    return np.asarray(product(values**2, groups[:, None] == np.arange(groups.max() + 1)))


def cost_of(values: Floats, groups: Floats) -> Floats:
    """(B,) robust cost: Cauchy over each observation (so that a wild one counts little), plain over priors."""
    robust = log(1 + _squared(values, groups) / CAUCHY).sum(1) * CAUCHY
    return np.asarray((robust + (values[:, groups < 0] ** 2).sum(1)) / 2)


CAUCHY = 4.0
"""Squared standard deviations at which an observation has lost half of its weight."""


def _weights(values: Floats, groups: Floats) -> Floats:
    weight = 1 / (1 + _squared(values, groups) / CAUCHY)
    return np.asarray(np.where(groups < 0, 1.0, weight[:, np.maximum(groups, 0)]))


def linearised(parameters: Floats, around: _Start, seen: Observation) -> tuple[Floats, Floats, Floats]:
    """Residuals (B, M), their derivatives (B, 31, M) and groups, in one call: more bodies cost hardly more time.

    Args:
        parameters: (B, 31).
        around: the start, each hypothesis 32 times in a row.
        seen: the evidence.
    """
    batch, size = parameters.shape
    moved = parameters[:, None] + np.concatenate([np.zeros((1, size)), STEP * np.eye(size)])
    every, groups = residuals(moved.reshape(-1, size), around, seen)
    every = every.reshape(batch, size + 1, -1)
    values = np.ascontiguousarray(every[:, 0])
    return values, (every[:, 1:] - values[:, None]) / STEP, groups


def _step(values: Floats, slopes: Floats, groups: Floats, damping: Floats) -> Floats:
    """(B, 31) of Levenberg and Marquardt on reweighted residuals."""
    slopes = slopes.swapaxes(1, 2)
    weighted = slopes * _weights(values, groups)[..., None]
    normal = product(weighted.swapaxes(1, 2), slopes)
    diagonal = damping[:, None] * (np.einsum("bii->bi", normal) + 1e-6)
    gradient = (weighted * values[..., None]).sum(1)
    return np.asarray(solve(normal + np.eye(chain.SIZE) * diagonal[:, None], -gradient[..., None])[..., 0])


def optimise(seen: Observation) -> list[Hypothesis]:
    """Local optima from every start, best first."""
    start = starts(seen)
    around = start.repeated(chain.SIZE + 1)
    parameters = start.parameters
    damping = np.full(len(parameters), DAMPING)
    values, slopes, groups = linearised(parameters, around, seen)
    cost = cost_of(values, groups)
    for _ in range(ITERATIONS):
        step = _step(values, slopes, groups, damping)
        tried, slopes_there, _ = linearised(parameters + step, around, seen)
        fallen = cost - cost_of(tried, groups)
        better = fallen > 0
        parameters = np.where(better[:, None], parameters + step, parameters)
        values = np.where(better[:, None], tried, values)
        slopes = np.where(better[:, None, None], slopes_there, slopes)
        cost = cost_of(values, groups)
        damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-6, 1e6)
        if np.where(better, fallen < SETTLED * cost, np.abs(step).max(1) < STILL).all():
            break
    _, torso, head = chain.predict(parameters, start.torso, start.keypoints)
    cost = cost + [0.0, TURN_COST]
    keypoints = [start.keypoints.body(i) for i in range(len(cost))]
    parts = zip(parameters, start.torso, keypoints, torso, head, cost.tolist(), (False, True), strict=True)
    found = [Hypothesis(*part) for part in parts]
    return sorted(found, key=lambda h: h.cost)
