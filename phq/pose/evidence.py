"""From the networks' output on a person to the `Observation` that the fit explains, and back to the photo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from phq.camera.convention import level_view
from phq.detect.blazepose import LEFT_RIGHT
from phq.detect.body_region import BORDER
from phq.detect.centerface import FACE_FOUND
from phq.people.person import Belief, Landmarks, Person, TorsoFit, known
from phq.pose import chain
from phq.pose.closed_form import FACE, HEAD_SIZE, TORSO, rotations_of, split_neck_head, unflattened
from phq.pose.keypoints import keypoints_of
from phq.pose.optimise import Hypothesis, Observation
from phq.system.arrays import Floats
from phq.system.elementary import arctan2, exp, log
from phq.system.linear import length, product, solve

Indices = NDArray[np.int_]
COCO = {0: 0, 2: 1, 5: 2, 7: 3, 8: 4, 11: 5, 12: 6, 13: 7, 14: 8, 23: 11, 24: 12}
"""Landmark → COCO keypoint (MoveNet)."""
SURE_KEYPOINT = 0.3
FACE_POINTS = (5, 2, 0, 10, 9)
"""CenterFace's points as landmarks: the subject's right eye, left eye, nose, mouth corners."""
CLEARLY = 0.75
WHOLE_RUNS = (1, 2)
"""Runs of the landmark network whose 3D counts: on the region it chose itself, and on the mirror image."""
WHOLE_FLAT_DEG = 6.5
"""Slope of true − closed-form torso yaw against sin 2 yaw where the whole body is seen, on 183 renders."""
TO_HIPS = 0.85
"""Metres from the crown to the hips."""
CUT_UPRIGHT_DEG, WHOLE_UPRIGHT_DEG = 20.0, 90.0
"""Expected lean of torsos: people in portraits without visible hips sit upright."""


def is_cut(person: Person) -> bool:
    """The lower body is out of sight: beyond the photo's border, or behind a desk (the knees are below the box).

    The landmark network may squeeze a whole body into a headshot; a box that is too short to hold the hips as well is
    cut, wherever it puts the knees.
    """
    knees = known(person.keypoints).keypoints_2d[[25, 26], 1].mean()
    bottom = min(person.box.box_y1, BORDER * person.photo.source.image_height)
    height = person.box.box_y1 - person.box.box_y0
    short = person.start is not None and height < TO_HIPS * person.start.px_per_metre
    return bool(knees > bottom or short)


def photo_intrinsics(person: Person) -> Floats:
    """3×3, pixels, principal point in the middle of the photo."""
    source = person.photo.source
    f, (width, height) = source.focal_px, source.size
    return np.array([[f, 0, width / 2], [0, f, height / 2], [0, 0, 1.0]])


def sight(K: Floats, pixel: Floats) -> Floats:
    """3×3 rotation of photo camera axes into a camera that looks straight at a pixel (2,), level with the photo."""
    return level_view(solve(K, np.array([[*pixel, 1.0]]).T)[:, 0])


def _rays(K: Floats, view: Floats, pixels: Floats) -> Floats:
    rays = product(solve(K, np.column_stack([pixels, np.ones(len(pixels))]).T).T, view.T)
    return np.asarray(rays[:, :2] / np.maximum(rays[:, 2:], 1e-3))


def _blazepose(person: Person, landmarks: Indices) -> tuple[Indices, Floats]:
    """Which of BlazePose's keypoints count, and where they are, pixels; limbs only where they are visible."""
    pixels = known(person.keypoints).keypoints_2d[landmarks]
    use = np.flatnonzero((landmarks < 13) | person.visible_landmarks()[landmarks])
    return use, pixels[use]


def _movenet(person: Person, landmarks: Indices) -> tuple[Indices, Floats]:
    """The same of MoveNet."""
    keypoints = person.box.coco_keypoints[[COCO[i] for i in landmarks]]
    use = np.flatnonzero(keypoints[:, 2] > SURE_KEYPOINT)
    return use, keypoints[use, :2]


def _centerface(person: Person, landmarks: Indices) -> tuple[Indices, Floats]:
    """The same of CenterFace, where it found a face."""
    if person.face is None or person.face.score < FACE_FOUND:
        return np.zeros(0, int), np.zeros((0, 2))
    return np.arange(len(landmarks)), person.face.points[[FACE_POINTS.index(i) for i in landmarks]]


SOURCES = {"blazepose": _blazepose, "movenet": _movenet, "centerface": _centerface}


def observe(person: Person) -> tuple[Observation, Floats]:
    """The observation, and the line of sight (3×3) that its rays refer to."""
    start, belief = known(person.start), known(person.belief)
    K = photo_intrinsics(person)
    view, depth = sight(K, start.neck_px), K[0, 0] / start.px_per_metre
    yaws = [_yaws(rotation) for rotation in (belief.torso, belief.head)]
    parts = []
    for network, detected in SOURCES.items():
        keypoints = keypoints_of(network, *yaws)
        use, pixels = detected(person, keypoints.landmarks)
        rays = _rays(K, view, pixels)
        parts.append((_named_as_believed(keypoints, use, rays, belief, depth), rays))
    keypoints, rays = parts[0]
    for more, others in parts[1:]:
        keypoints, rays = keypoints.joined(more), np.concatenate([rays, others])
    cut = is_cut(person)
    upright = np.radians(CUT_UPRIGHT_DEG if cut else WHOLE_UPRIGHT_DEG)
    return Observation(keypoints, rays, _worlds(person, cut), belief, upright, depth), view


def _worlds(person: Person, cut: bool) -> Floats:
    runs = [] if cut else [person.runs[i] for i in WHOLE_RUNS]
    worlds = [np.concatenate([deep_torso(run), run.world[list(FACE)]]) for run in runs]
    return np.array(worlds).reshape(-1, len(TORSO) + len(FACE), 3)


def deep_torso(run: Landmarks) -> Floats:
    """(4, 3) shoulders and hips of a run, turned by what the network flattens, see `WHOLE_FLAT_DEG`."""
    torso, _ = rotations_of(run)
    turn = product(unflattened(torso, WHOLE_FLAT_DEG), torso.T)
    return np.asarray(product(run.world[list(TORSO)], turn.T))


def _yaws(part_to_cam: Floats) -> Floats:
    """(2,) yaw of a part straight ahead, radians: as it is, and turned round."""
    yaw = arctan2(-part_to_cam[2, 0], -part_to_cam[2, 2])
    return np.array([yaw, yaw + np.pi])


def _named_as_believed(
    keypoints: chain.BodyKeypoints, use: Indices, rays: Floats, belief: Belief, depth: float
) -> chain.BodyKeypoints:
    """The keypoints in use, left and right exchanged if the belief fits that clearly better.

    A network that takes a back for a front calls the left shoulder the right one, and would pull the body round.
    """
    numbers = keypoints.landmarks.tolist()
    mirrored = np.array([numbers.index(LEFT_RIGHT[i]) for i in numbers])
    named, swapped = keypoints.picked(use), keypoints.picked(mirrored[use])
    expected = _expected_rays(named.joined(swapped), belief, depth).reshape(2, *rays.shape)
    as_named, exchanged = (np.abs(rays - side).sum() for side in expected)
    return swapped if exchanged < CLEARLY * as_named else named


def _expected_rays(keypoints: chain.BodyKeypoints, belief: Belief, depth: float) -> Floats:
    """(N, 2) where the keypoints are by belief alone, the neck straight ahead."""
    parameters = np.zeros((1, chain.SIZE))
    parameters[0, 5] = log(depth)
    parameters[0, chain.NECK], parameters[0, chain.HEAD] = split_neck_head(belief.torso, belief.head)
    points = chain.frames(parameters, belief.torso[None]).points(keypoints)
    return np.asarray(points[0, :, :2] / points[0, :, 2:])


def to_fit(best: Hypothesis, person: Person, view: Floats, observation: Observation) -> TorsoFit:
    """The optimum as a `TorsoFit` about the line of sight to its own neck."""
    K = photo_intrinsics(person)
    x, y, log_z = best.parameters[chain.PLACE]
    neck = np.array([x, y, 1.0]) * exp(log_z)
    own = sight(np.eye(3), neck[:2] / neck[2])
    off = product(np.array([[0, 0, 0], [0.05, 0, 0], [-0.05, 0, 0], [0, 0.05, 0], [0, -0.05, 0]]), own)
    image = product(neck + off, view, K.T)
    pixels = image[:, :2] / image[:, 2:]
    scale = (length(pixels[1] - pixels[2]) + length(pixels[3] - pixels[4])) / 0.2
    residual, joints, betas = _residual(best, observation), best.joints(), best.betas()
    return TorsoFit(product(own, best.torso), product(own, best.head), pixels[0], float(scale), residual, joints, betas)


def _residual(best: Hypothesis, observation: Observation) -> float:
    """Mean distance of the keypoints from the fit, fraction of the head's size."""
    points = chain.frames(best.parameters[None], best.start[None]).points(best.keypoints)
    off = length(points[0, :, :2] / points[0, :, 2:] - observation.rays) * observation.depth
    return float(np.average(off, weights=1 / best.keypoints.sigmas**2) / HEAD_SIZE)
