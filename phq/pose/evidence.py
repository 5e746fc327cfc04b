"""From what the networks saw of a person to the `Observation` that the fit explains, and back to the photo."""

from __future__ import annotations

from typing import Any

import numpy as np

from phq.camera.convention import level_view
from phq.keypoints.blazepose import LEFT_RIGHT
from phq.keypoints.stage import BORDER, visible_landmarks
from phq.pose import chain
from phq.pose.belief import Belief
from phq.pose.closed_form import HEAD_SIZE, TorsoFit, landmark_table, split_neck_head
from phq.pose.optimise import Hypothesis, Observation
from phq.work import Floats, Person

COCO = {0: 0, 1: 2, 2: 5, 3: 7, 4: 8, 5: 11, 6: 12, 7: 13, 8: 14, 11: 23, 12: 24}
"""COCO keypoint (MoveNet) → landmark."""
SURE_KEYPOINT = 0.3
MEDIAN_TO_SIGMA = 1 / 1.1774
"""Of the length of a two-dimensional Gaussian error."""
FAR_SIGMA = {13: 0.05, 14: 0.05, 23: 0.09, 24: 0.09}
"""Metres: elbows swing, hips are often guessed."""
MOVENET_SIGMA = 0.04
FACE = 11
"""Points below this number are on the face."""
AWAY = 3.0
"""Face landmarks on the back of a head are guesses: so many times less sure."""
CLEARLY = 0.75
MIRRORED = np.array([chain.POINTS.index(LEFT_RIGHT[i]) for i in chain.POINTS])
"""Place in `chain.POINTS` of each point's left-right counterpart."""
CUT_UPRIGHT_DEG, WHOLE_UPRIGHT_DEG = 20.0, 90.0
"""Lean of torsos: where nobody sees the hips, people in portraits sit upright."""


def is_cut(person: Person) -> bool:
    """The lower body is out of sight: beyond the photo's border, or behind a desk (the knees lie below the box)."""
    knees = person.fields["keypoints_2d"].reshape(33, 2)[[25, 26], 1].mean()
    bottom = min(person.fields["box_y1"], BORDER * person.photo.fields["image_height"])
    return bool(knees > bottom)


def photo_intrinsics(person: Person) -> Floats:
    """3×3, pixels, principal point in the middle of the photo."""
    fields = person.photo.fields
    f = fields["focal_px"]
    return np.array([[f, 0, fields["image_width"] / 2], [0, f, fields["image_height"] / 2], [0, 0, 1.0]])


def sight(K: Floats, pixel: Floats) -> Floats:
    """3×3 rotation of photo camera axes into a camera that looks straight at a pixel (2,), level with the photo."""
    return level_view(np.linalg.solve(K, np.array([*pixel, 1.0])))


def _rays(K: Floats, view: Floats, pixels: Floats) -> Floats:
    rays = np.linalg.solve(K, np.column_stack([pixels, np.ones(len(pixels))]).T).T @ view.T
    return np.asarray(rays[:, :2] / np.maximum(rays[:, 2:], 1e-3))


def _landmark_sigmas() -> Floats:
    spread = landmark_table().spread * MEDIAN_TO_SIGMA
    return np.array([*spread, *(FAR_SIGMA[i] for i in (13, 14, 23, 24))])


def _seen_landmarks(person: Person) -> tuple[Floats, Floats, Floats]:
    """Numbers into `chain.POINTS`, pixels and sigmas of BlazePose's landmarks; limbs only where they are visible."""
    pixels = person.fields["keypoints_2d"].reshape(33, 2)[list(chain.POINTS)]
    visible = visible_landmarks(person)[list(chain.POINTS)]
    use: Any = np.flatnonzero((np.arange(len(pixels)) < 13) | visible)
    return use, pixels[use], _landmark_sigmas()[use]


def _seen_keypoints(person: Person) -> tuple[Floats, Floats, Floats]:
    """The same of MoveNet's keypoints."""
    keypoints = np.asarray(person.fields["movenet_keypoints"]).reshape(17, 3)
    use = [(chain.POINTS.index(mark), coco) for coco, mark in COCO.items() if keypoints[coco, 2] > SURE_KEYPOINT]
    numbers, rows = (np.array([pair[i] for pair in use], int) for i in (0, 1))  # empty lists need the type
    return numbers, keypoints[rows, :2], np.full(len(use), MOVENET_SIGMA)


def observe(person: Person) -> tuple[Observation, Floats]:
    """The observation, and the line of sight (3×3) in which it is stated."""
    start, belief = person.start, person.belief
    assert start is not None
    assert belief is not None
    K = photo_intrinsics(person)
    view, depth = sight(K, start.neck_px), K[0, 0] / start.px_per_metre
    expected = _expected_rays(belief, depth)
    parts = []
    for numbers, pixels, sigmas in (_seen_landmarks(person), _seen_keypoints(person)):
        rays = _rays(K, view, pixels)
        blurred = np.where(numbers < FACE, sigmas * (1 + AWAY * _away(belief.head)), sigmas)
        parts.append((_named_as_believed(numbers, rays, expected), rays, blurred))
    numbers, rays, sigmas = (np.concatenate([part[i] for part in parts]) for i in range(3))
    upright = np.radians(CUT_UPRIGHT_DEG if is_cut(person) else WHOLE_UPRIGHT_DEG)
    return Observation(numbers.astype(int), rays, sigmas, belief, upright, depth), view


def _away(head_to_cam: Floats) -> float:
    """0 for a face that looks at the camera, 1 for the back of a head."""
    return float((1 + head_to_cam[2, 2]) / 2)


def _expected_rays(belief: Belief, depth: float) -> Floats:
    """(17, 2) where the points of `chain.POINTS` are by belief alone, the neck straight ahead."""
    parameters = np.zeros((1, chain.SIZE))
    parameters[0, 5] = np.log(depth)
    parameters[0, chain.NECK], parameters[0, chain.HEAD] = split_neck_head(belief.torso, belief.head)
    points, _, _ = chain.predict(parameters, belief.torso[None])
    return np.asarray(points[0, :, :2] / points[0, :, 2:])


def _named_as_believed(numbers: Floats, rays: Floats, expected: Floats) -> Floats:
    """Point numbers, left and right exchanged if the belief fits that clearly better.

    A network that takes a back for a front calls the left shoulder the right one, and would pull the body round.
    """
    swapped = MIRRORED[numbers.astype(int)]
    as_named, exchanged = (np.abs(rays - expected[n.astype(int)]).sum() for n in (numbers, swapped))
    return swapped if exchanged < CLEARLY * as_named else numbers


def to_fit(best: Hypothesis, person: Person, view: Floats, seen: Observation) -> TorsoFit:
    """The optimum as a `TorsoFit` about the line of sight to its own neck."""
    K = photo_intrinsics(person)
    x, y, log_z = best.parameters[chain.PLACE]
    neck = np.array([x, y, 1.0]) * np.exp(log_z)
    own = sight(np.eye(3), neck[:2] / neck[2])
    off = np.array([[0, 0, 0], [0.05, 0, 0], [-0.05, 0, 0], [0, 0.05, 0], [0, -0.05, 0]]) @ own
    image = ((neck + off) @ view) @ K.T
    pixels = image[:, :2] / image[:, 2:]
    scale = (np.linalg.norm(pixels[1] - pixels[2]) + np.linalg.norm(pixels[3] - pixels[4])) / 0.2
    residual, joints, betas = _residual(best, seen), best.joints(), best.betas()
    return TorsoFit(own @ best.torso, own @ best.head, pixels[0], float(scale), residual, joints, betas)


def _residual(best: Hypothesis, seen: Observation) -> float:
    """Mean distance of what was seen from the fit, fraction of the head's size."""
    points, _, _ = chain.predict(best.parameters[None], best.start[None])
    picked = points[0][seen.points]
    off = np.linalg.norm(picked[:, :2] / picked[:, 2:] - seen.rays, axis=1) * seen.depth
    return float(np.average(off, weights=1 / seen.sigmas**2) / HEAD_SIZE)
