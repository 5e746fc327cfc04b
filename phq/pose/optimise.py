"""Robust fit of the upper body to all evidence, from several starts.

Levenberg–Marquardt on reweighted residuals, all starts of several people at once. The Jacobian is taken by forward
differences of the batched chain in float64 (checked in the tests): thirty-one columns cost one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from phq.camera.rotations import rotation_log, rotvec_to_rotmat
from phq.people.person import Belief
from phq.pose import chain
from phq.pose.closed_form import FACE, TORSO, landmark_table, split_neck_head
from phq.system.arrays import Floats, Ints
from phq.system.elementary import log
from phq.system.linear import product, solve

STEP = 1e-6
ITERATIONS = 12
"""At most."""
TOGETHER = 8
"""People who descend side by side, of whom eight gain hardly more than four; it bounds the memory of a crowd."""
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

    @cached_property
    def centred(self) -> tuple[Floats, Floats]:
        """(R, 4, 3) and (R, 11, 3): landmarks of torso and face in 3D, each about its own middle."""
        (torso, face), n = _solids(), len(TORSO)
        return torso.centred(self.worlds[:, :n]), face.centred(self.worlds[:, n:])


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


def residuals(parameters: Floats, start: _Start, seen: Observation, at: chain.Frames) -> tuple[Floats, _Groups]:
    """Whitened residuals (B, M) of parameters (B, 31), whose nodes are `at`, and their robust groups."""
    points, torso, head = at.points(start.keypoints), at.torso, at.head
    ray = points[..., :2] / np.maximum(points[..., 2:], 1e-3)
    image = (ray - seen.rays) * (seen.depth / start.keypoints.sigmas)[:, None]
    turned = parameters[:, chain.TURN] / seen.belief.torso_sigma
    nodded = rotation_log(product(start.head.swapaxes(1, 2), head)) / seen.belief.head_sigma
    lean = torso[:, [0, 2], 1] / seen.upright_sigma
    moved = parameters - start.parameters
    prior = moved[:, chain.NECK.start : chain.SHAPE.start] / _prior_sigmas()
    extra = np.concatenate([moved[:, 5:6] / DEPTH_SIGMA, parameters[:, chain.SHAPE]], 1)
    solid = [_solid_residuals(torso, head, seen)] if len(seen.worlds) else []
    flat = [part.reshape(len(points), -1) for part in (image, turned, nodded, lean, *solid, prior, extra)]
    return np.concatenate(flat, 1), _groups(len(seen.rays), len(seen.worlds), prior.shape[1] + extra.shape[1])


def _solid_residuals(torso: Floats, head: Floats, seen: Observation) -> Floats:
    """(B, R, 15, 3) of the landmarks in 3D: torso and face, each about its own middle, against the rotated table."""
    parts = zip((torso, head), _solids(), seen.centred, strict=True)
    out = [
        (np.einsum("bij,nj->bni", rotation, solid.rest)[:, None] - centred) / solid.sigmas[:, None]
        for rotation, solid, centred in parts
    ]
    return np.concatenate(out, 2)


@dataclass(frozen=True)
class _Solid:
    """Landmarks of the table that turn together."""

    rest: Floats
    """(n, 3) about their middle."""
    sigmas: Floats
    """(n,)."""
    weights: Floats
    """(n,) in the middle."""

    def centred(self, points: Floats) -> Floats:
        """Points (…, n, 3) about their middle."""
        return np.asarray(points - (self.weights[:, None] * points).sum(1, keepdims=True))


@cache
def _solids() -> tuple[_Solid, _Solid]:
    """Torso and face."""
    table = landmark_table()

    def solid(rest: Floats, sigmas: Floats) -> _Solid:
        weights = sigmas**-2 / (sigmas**-2).sum()
        return _Solid(rest - product(weights, rest), sigmas, weights)

    return solid(table.torso, TORSO_SIGMAS), solid(table.face, FACE_SIGMAS)


@dataclass(frozen=True)
class _Groups:
    """Which of M residuals count as one observation."""

    numbers: Ints
    """(M,) of the robust group of each; −1 for priors."""
    members: NDArray[np.bool_]
    """(M, G) whether a residual is of a group."""


@cache
def _groups(keypoints: int, runs: int, rest: int) -> _Groups:
    """Keypoints; belief of torso, head and lean; torso and face of each run."""
    run = [n for r in range(runs) for n in [2 * r] * 3 * len(TORSO) + [2 * r + 1] * 3 * len(FACE)]
    parts = [np.repeat(np.arange(keypoints), 2), keypoints + np.repeat([0, 1, 2], [3, 3, 2])]
    parts += [keypoints + 3 + np.array(run, int), np.full(rest, -1)]
    numbers = np.concatenate(parts)
    return _Groups(numbers, numbers[:, None] == np.arange(numbers.max() + 1))


@cache
def _prior_sigmas() -> Floats:
    names = ("neck", "head", "collars", "collars", "shoulders", "shoulders", "spine")
    return np.asarray(np.radians(np.repeat([PRIOR_DEG[name] for name in names], 3)))


CAUCHY = 4.0
"""Squared standard deviations at which an observation has lost half of its weight."""


@dataclass(frozen=True)
class Linear:
    """The residuals of B hypotheses about where they are."""

    values: Floats
    """(B, M)."""
    slopes: Floats
    """(B, 31, M) derivatives."""
    groups: _Groups

    @cached_property
    def squared(self) -> Floats:
        """(B, G) squared norms of the robust groups."""
        return np.asarray(product(self.values**2, self.groups.members))

    @cached_property
    def cost(self) -> Floats:
        """(B,) robust cost: Cauchy over each observation (so that a wild one counts little), plain over priors."""
        robust = log(1 + self.squared / CAUCHY).sum(1) * CAUCHY
        return np.asarray((robust + (self.values[:, self.groups.numbers < 0] ** 2).sum(1)) / 2)

    def normal(self, damping: Floats) -> tuple[Floats, Floats]:
        """(B, 31, 31) and (B, 31, 1): the equations of a step of Levenberg and Marquardt on reweighted residuals."""
        numbers, weight = self.groups.numbers, 1 / (1 + self.squared / CAUCHY)
        weights = np.where(numbers < 0, 1.0, weight[:, np.maximum(numbers, 0)])
        slopes = self.slopes.swapaxes(1, 2)
        weighted = slopes * weights[..., None]
        matrix = product(weighted.swapaxes(1, 2), slopes)
        diagonal = damping[:, None] * (np.einsum("bii->bi", matrix) + 1e-6)
        gradient = (weighted * self.values[..., None]).sum(1)
        return matrix + np.eye(chain.SIZE) * diagonal[:, None], -gradient[..., None]

    def where(self, better: NDArray[np.bool_], other: Linear) -> Linear:
        """The other's of hypotheses that are better there."""
        values = np.where(better[:, None], other.values, self.values)
        return Linear(values, np.where(better[:, None, None], other.slopes, self.slopes), self.groups)


class Descent:
    """The way of one person's hypotheses to their optima."""

    def __init__(self, seen: Observation) -> None:
        self.seen, self.start = seen, starts(seen)
        self.around = self.start.repeated(chain.SIZE + 1)
        self.parameters = self.start.parameters
        self.damping = np.full(len(self.parameters), DAMPING)
        self.settled = False

    def begin(self, here: Linear) -> None:
        """What is at the start."""
        self.here, self.cost = here, here.cost

    def moved(self, step: Floats) -> Floats:
        """(32 B, 31) parameters after a step (B, 31), each hypothesis followed by those next to it."""
        beside = np.concatenate([np.zeros((1, chain.SIZE)), STEP * np.eye(chain.SIZE)])
        return np.asarray(((self.parameters + step)[:, None] + beside).reshape(-1, chain.SIZE))

    def linear(self, moved: Floats, at: chain.Frames) -> Linear:
        """About there, from all of `moved` in one call: more bodies cost hardly more time."""
        every, groups = residuals(moved, self.around, self.seen, at)
        every = every.reshape(len(self.parameters), chain.SIZE + 1, -1)
        values = np.ascontiguousarray(every[:, 0])
        return Linear(values, (every[:, 1:] - values[:, None]) / STEP, groups)

    def take(self, step: Floats, there: Linear) -> None:
        """Take the step (B, 31) of the hypotheses that it makes better."""
        fallen = self.cost - there.cost
        better = fallen > 0
        self.parameters = np.where(better[:, None], self.parameters + step, self.parameters)
        self.here = self.here.where(better, there)
        self.cost = np.where(better, there.cost, self.cost)
        self.damping = np.clip(np.where(better, self.damping / 5, self.damping * 5), 1e-6, 1e6)
        still = np.where(better, fallen < SETTLED * self.cost, np.abs(step).max(1) < STILL)
        self.settled = bool(still.all())

    def found(self) -> list[Hypothesis]:
        """Where they are, best first."""
        at, cost = chain.frames(self.parameters, self.start.torso), self.cost + [0.0, TURN_COST]
        keypoints = [self.start.keypoints.body(i) for i in range(len(cost))]
        parts = (self.parameters, self.start.torso, keypoints, at.torso, at.head, cost.tolist(), (False, True))
        return sorted((Hypothesis(*part) for part in zip(*parts, strict=True)), key=lambda h: h.cost)


def linearised(descents: Sequence[Descent], steps: Sequence[Floats]) -> list[Linear]:
    """About where each descent is after a step (B, 31)."""
    moved = [descent.moved(step) for descent, step in zip(descents, steps, strict=True)]
    torsos = np.concatenate([descent.around.torso for descent in descents])
    nodes, rows = chain.frames(np.concatenate(moved), torsos), _rows(moved)
    jobs = zip(descents, moved, map(nodes.of, rows), strict=True)
    return [descent.linear(parameters, at) for descent, parameters, at in jobs]


def _rows(parts: Sequence[Floats]) -> list[slice]:
    """Rows of each part once they are one array."""
    ends = np.cumsum([len(part) for part in parts]).tolist()
    return [slice(end - len(part), end) for part, end in zip(parts, ends, strict=True)]


def optimise(people: Sequence[Observation]) -> list[list[Hypothesis]]:
    """Local optima of each person from every start, best first.

    All descend side by side, which changes no number: the arrays of one are so small that those of six take little
    longer.
    """
    descents = [Descent(seen) for seen in people]
    for first in range(0, len(descents), TOGETHER):
        _descend(descents[first : first + TOGETHER])
    return [descent.found() for descent in descents]


def _descend(descents: Sequence[Descent]) -> None:
    standing = [np.zeros_like(descent.parameters) for descent in descents]
    for descent, here in zip(descents, linearised(descents, standing), strict=True):
        descent.begin(here)
    for _ in range(ITERATIONS):
        going = [descent for descent in descents if not descent.settled]
        if not going:
            break
        matrices, gradients = zip(*(descent.here.normal(descent.damping) for descent in going), strict=True)
        solved = solve(np.concatenate(matrices), np.concatenate(gradients))[..., 0]
        steps = [solved[rows] for rows in _rows(matrices)]
        for descent, step, there in zip(going, steps, linearised(going, steps), strict=True):
            descent.take(step, there)
