"""The optimised fit explains what was seen: exact input comes back, noise is averaged, wild points are left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from phq.camera.convention import BODY_TO_CV
from phq.camera.rotations import rotvec_to_rotmat
from phq.detect.blazepose import LEFT_RIGHT
from phq.people.person import Belief
from phq.pose import chain
from phq.pose.body import load_body
from phq.pose.closed_form import landmark_table
from phq.pose.keypoints import keypoint_tables, keypoints_of
from phq.pose.optimise import TURN_ROUND, Descent, Hypothesis, Observation, linearised, optimise, residuals
from phq.schema import SMPL_JOINTS

view = st.tuples(st.floats(-180, 180), st.floats(-30, 30), st.floats(-30, 30))
small = st.floats(-0.25, 0.25)


def torso_at(yaw: float, pitch: float, roll: float) -> np.ndarray:
    return Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True).as_matrix() @ BODY_TO_CV


def a_body(turn: tuple[float, ...], neck: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    parameters = np.zeros((1, chain.SIZE))
    parameters[0, chain.PLACE] = 0.02, -0.03, np.log(3.0)
    parameters[0, chain.NECK], parameters[0, chain.HEAD] = neck, neck
    parameters[0, chain.SHOULDERS[0]], parameters[0, chain.SHOULDERS[1]] = (0, 0, -1.1), (0, 0, 1.1)
    return parameters, torso_at(*turn)[None]


def blazepose(torso: np.ndarray) -> chain.BodyKeypoints:
    """BlazePose's keypoints on a body seen from there, and on one turned round; all equally sure."""
    yaw = np.arctan2(-torso[0, 2, 0], -torso[0, 2, 2])
    yaws = np.array([yaw, yaw + np.pi])
    keypoints = keypoints_of("blazepose", yaws, yaws)
    return replace(keypoints, sigmas=np.full(17, 0.02))


def predicted(parameters: np.ndarray, torso: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = chain.frames(parameters, torso)
    return found.points(blazepose(torso).body(0)), found.torso, found.head


def observed(parameters, torso, believed=None, believed_head=None, noise=0.0, seed=0, runs=0) -> Observation:
    points, _, head = predicted(parameters, torso)
    rays = points[0, :, :2] / points[0, :, 2:] + np.random.default_rng(seed).normal(0, noise / 3, (17, 2))
    table = landmark_table()
    world = np.concatenate([table.torso @ torso[0].T + [0.1, 0, 0], table.face @ head[0].T - [0, 0.4, 0]])
    return Observation(
        keypoints=blazepose(torso if believed is None else believed[None]),
        rays=rays,
        worlds=np.repeat(world[None], runs, 0),
        belief=Belief(
            torso[0] if believed is None else believed,
            head[0] if believed_head is None else believed_head,
            np.full(3, 0.25),
            np.full(3, 0.25),
        ),
        upright_sigma=1.5,
        depth=3.2,
    )


def optima(seen: Observation) -> list[Hypothesis]:
    (found,) = optimise([seen])
    return found


def degrees_between(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(Rotation.from_matrix(a.T @ b).magnitude()))


@given(view, st.tuples(small, small, small))
def test_the_chain_is_the_body_model(turn, neck):
    parameters, torso = a_body(turn, neck)
    parameters[0, chain.COLLARS[0]] = 0.1, -0.1, 0.2
    points, chest, head = predicted(parameters, torso)
    pose = np.zeros((24, 3))
    names = ("neck", "head", "left_collar", "left_shoulder", "right_shoulder")
    parts = (chain.NECK, chain.HEAD, chain.COLLARS[0], *chain.SHOULDERS)
    for name, part in zip(names, parts, strict=True):
        pose[SMPL_JOINTS.index(name)] = parameters[0, part]
    pose[0] = Rotation.from_matrix(torso[0]).as_rotvec()
    body = load_body()
    place = np.array([0.02 * 3, -0.03 * 3, 3.0])
    joints, _ = body.joints_only(pose, transl=body.transl_for_neck(pose, place))
    for number, joint in ((13, "left_elbow"), (14, "right_elbow"), (15, "left_hip"), (16, "right_hip")):
        np.testing.assert_allclose(points[0, number], joints[SMPL_JOINTS.index(joint)], atol=1e-9)
    np.testing.assert_allclose(chest, torso, atol=1e-12)
    turns = rotvec_to_rotmat(np.array([neck, neck]))
    np.testing.assert_allclose(head[0], torso[0] @ turns[0] @ turns[1], atol=1e-9)


@settings(max_examples=10)
@given(view, st.tuples(small, small, small))
def test_jacobian_equals_central_differences_of_another_step(turn, neck):
    parameters, torso = a_body(turn, neck)
    seen = observed(parameters, torso, believed=torso[0] @ torso_at(5, 3, 2) @ BODY_TO_CV)
    descent = Descent(seen)
    here = np.repeat(parameters, 2, 0) + 0.01
    (found,) = linearised([descent], [here - descent.parameters])

    def residuals_at(there: np.ndarray) -> np.ndarray:
        values, _ = residuals(there, descent.start, seen, chain.frames(there, descent.start.torso))
        return values

    np.testing.assert_allclose(found.values, residuals_at(here), rtol=0, atol=1e-12)
    for k in range(chain.SIZE):
        step = np.zeros(chain.SIZE)
        step[k] = 1e-4
        ahead, behind = (residuals_at(here + sign * step) for sign in (1, -1))
        slow = (ahead - behind) / 2e-4
        np.testing.assert_allclose(found.slopes[:, k], slow, rtol=1e-3, atol=1e-3 * max(1.0, np.abs(slow).max()))


def test_company_changes_no_number():
    """Whatever batch a person is in, the record must have the same bytes."""
    people = []
    for number in range(11):
        parameters, torso = a_body((33.0 * number, 5.0, -3.0), (0.1, -0.2, 0.05))
        off = rotvec_to_rotmat([0.0, 0.02 * number, 0.0])
        seen = observed(parameters, torso, torso[0] @ off, noise=0.02, seed=number, runs=number % 3)
        few = np.arange(17 - number % 4)
        people.append(replace(seen, keypoints=seen.keypoints.picked(few), rays=seen.rays[few]))
    for seen, together in zip(people, optimise(people), strict=True):
        for alone, other in zip(optima(seen), together, strict=True):
            np.testing.assert_array_equal(other.parameters, alone.parameters)
            assert (other.cost, other.turned) == (alone.cost, alone.turned)


@settings(max_examples=15)
@given(view, st.tuples(small, small, small), st.tuples(small, small, small))
def test_a_wrong_belief_is_corrected_by_the_points(turn, neck, wrong):
    parameters, torso = a_body(turn, neck)
    _, _, head = predicted(parameters, torso)
    off = rotvec_to_rotmat(np.array(wrong))
    seen = observed(parameters, torso, torso[0] @ off, head[0] @ off)
    best = optima(seen)[0]
    assert degrees_between(best.head, head[0]) <= degrees_between(seen.belief.head, head[0]) * 0.75 + 2
    assert degrees_between(best.torso, torso[0]) <= degrees_between(seen.belief.torso, torso[0]) * 0.9 + 2
    depth = np.exp(best.parameters[5])
    assert abs(depth / 3.0 - 1) < 0.09
    np.testing.assert_allclose(best.parameters[3:5], parameters[0, 3:5], atol=0.01)


def test_a_wild_point_is_left_out():
    parameters, torso = a_body((40, 5, 0), (0.1, 0.1, 0))
    seen = observed(parameters, torso)
    seen.rays[0] += 0.3  # the nose, a metre away
    best = optima(seen)[0]
    assert degrees_between(best.torso, torso[0]) < 3
    np.testing.assert_allclose(best.parameters[3:5], parameters[0, 3:5], atol=0.005)


def test_the_turned_round_hypothesis_is_always_there_and_loses_on_good_points():
    parameters, torso = a_body((150, 0, 0), (0, 0, 0))
    best, other = optima(observed(parameters, torso))
    assert degrees_between(best.torso, torso[0]) < 1
    assert other.cost > best.cost + 5


def test_it_wins_when_the_belief_confuses_front_and_back():
    parameters, torso = a_body((20, 0, 0), (0, 0, 0))
    turned = torso[0] @ TURN_ROUND
    best = optima(observed(parameters, torso, turned, turned))[0]
    assert degrees_between(best.torso, torso[0]) < 12


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_limbs_nobody_saw_stay_at_their_prior(share):
    parameters, torso = a_body((30, 0, 0), (0.1, 0, 0))
    seen = observed(parameters, torso, noise=share * 0.02)
    face = np.arange(13)
    best = optima(replace(seen, keypoints=seen.keypoints.picked(face), rays=seen.rays[:13]))[0]
    start = Descent(seen).parameters[0]
    for part in (*chain.SHOULDERS, chain.SPINE):
        np.testing.assert_allclose(best.parameters[part], start[part], atol=0.02)


@pytest.mark.parametrize("yaw", [0, 70, 150])
def test_landmarks_in_3d_turn_a_wrong_belief_back(yaw):
    parameters, torso = a_body((yaw, 10, 5), (0.0, 0.1, 0))
    wrong = rotvec_to_rotmat(np.array([0.1, 0.5, -0.1]))
    _, _, head = predicted(parameters, torso)
    flat = observed(parameters, torso, torso[0] @ wrong, head[0] @ wrong)
    solid = observed(parameters, torso, torso[0] @ wrong, head[0] @ wrong, runs=2)
    without, found = optima(flat)[0], optima(solid)[0]
    assert degrees_between(found.torso, torso[0]) < min(6, degrees_between(without.torso, torso[0]))


def test_a_run_that_saw_front_for_back_is_left_out():
    parameters, torso = a_body((30, 0, 0), (0, 0, 0))
    seen = observed(parameters, torso, runs=3)
    seen.worlds[0] *= [-1, 1, -1]
    assert degrees_between(optima(seen)[0].torso, torso[0]) < 4


@pytest.mark.parametrize("network", ["blazepose", "movenet", "centerface"])
@given(yaw=st.floats(-3, 3))
@settings(max_examples=10)
def test_marks_of_a_mirror_image_are_the_mirrored_marks(network, yaw):
    one, other = (keypoints_of(network, np.array([y]), np.array([y / 2])) for y in (yaw, -yaw))
    numbers = one.landmarks.tolist()
    mirrored = other.rest[0, [numbers.index(LEFT_RIGHT[i]) for i in numbers]] * [-1, 1, 1]
    np.testing.assert_allclose(one.rest[0], mirrored, atol=2e-3)  # the body's own elbows differ by that
    assert (one.sigmas > 0).all()


def test_a_guessed_mark_on_the_back_of_a_head_is_less_sure_than_one_on_a_face():
    front, back = (keypoints_of("blazepose", np.array([y]), np.array([y])) for y in (0.0, np.pi))
    assert (back.sigmas[:11] > front.sigmas[:11]).all()
    assert set(keypoint_tables()) == {"blazepose", "movenet", "centerface"}
