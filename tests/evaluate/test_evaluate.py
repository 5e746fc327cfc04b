"""The evaluation finds no error where there is none, and the planted ones where there are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from phq.camera.angles import camera_angles
from phq.camera.convention import BODY_TO_CV, VISIBLE_HEIGHT, camera_from_torso, intrinsics, project, world2cam
from phq.dataset.reader import Dataset
from phq.decisions.redecide import decide
from phq.errors import InputError
from phq.evaluate.pose import (
    UPPER_JOINTS,
    evaluate,
    flip_calibration,
    joint_mm,
    person_errors,
    procrustes_distance,
    summary,
    table,
)
from phq.evaluate.truth import PART_AXES, Truth, matched, read_truth, rest_points
from phq.pose.body import TRUTH_FACE, load_body
from phq.pose.closed_form import FACE, TORSO, landmark_table
from phq.schema import SMPL_JOINTS

NAMES = UPPER_JOINTS
FACES = TRUTH_FACE
K = np.array([[2000.0, 0, 384], [0, 2000, 384], [0, 0, 1]])


def write_person(folder: Path, yaw: float, pitch: float, roll: float) -> Path:
    """The embedded body itself, seen by a camera six metres away on whose axis the neck lies."""
    torso = Rotation.from_euler("YXZ", [yaw, -pitch, roll], degrees=True).as_matrix() @ BODY_TO_CV
    place = np.array([0.0, 0.0, 6.0])
    rest = rest_points()
    joints = np.array([rest[name] for name in NAMES]) @ torso.T + place
    face = {name: rest[name] @ torso.T + place for name in FACES}
    image = joints @ K.T
    part = {"R_cam": (torso @ PART_AXES.T).tolist()}
    person = {
        "main": True,
        "joints_names": list(NAMES),
        "joints3d_cam": joints.tolist(),
        "joints2d": (image[:, :2] / image[:, 2:]).tolist(),
        "face_points": {name: {"cam": point.tolist()} for name, point in face.items()},
        "torso": part,
        "head": part,
        "bbox_visible_xyxy": [100, 100, 600, 700],
    }
    path = folder / "00000.json"
    truth = {"image": "00000.jpg", "framing": "half", "camera": {"K": K.tolist()}, "people": [person]}
    path.write_text(json.dumps(truth))
    return path


def perfect_row(path: Path) -> dict:
    truth = read_truth(path)
    torso, head = truth.angles("torso"), truth.angles("head")
    side = 2000 / 6 * VISIBLE_HEIGHT
    camera = camera_from_torso(truth.rotation("torso"))
    angles = camera_angles(camera)
    origin = (truth.K @ np.array([0, 0, 6.0]))[:2] / 6  # the body's own neck, the origin of labels
    corner = origin - side * project(np.zeros(3), camera)
    to_cam = world2cam(camera)
    pose = np.zeros((24, 3))
    pose[0] = Rotation.from_matrix(to_cam[:3, :3]).as_rotvec()
    transl = load_body().transl_for_neck(pose, to_cam[:3, 3])
    return {
        "source_path": "some/00000.jpg",
        "box_x0": 100.0, "box_y0": 100.0, "box_x1": 600.0, "box_y1": 700.0,
        "decision": "kept", "p_flip": 0.01, "image_size": 256,
        "camera_yaw_deg": torso[0], "camera_pitch_deg": angles[1], "camera_roll_deg": angles[2],
        "head_yaw_deg": head[0], "head_pitch_deg": head[1], "head_roll_deg": head[2],
        "crop_side_px": side,
        "crop_to_source": [side / 256, 0, corner[0], 0, side / 256, corner[1]],
        "body_model": load_body().name, "smpl_pose": pose.ravel().tolist(), "smpl_betas": [0.0] * 10,
        "smpl_transl": transl.tolist(), "intrinsics": intrinsics().ravel().tolist(),
    }  # fmt: skip


@pytest.mark.parametrize("view", [(0, 0, 0), (100, 10, -8), (179, -20, 12), (-45, 5, 3)])
def test_a_perfect_label_has_no_error(tmp_path: Path, view):
    path = write_person(tmp_path, *view)
    ((truth, row),) = matched([perfect_row(path)], tmp_path)
    errors = person_errors(truth, row)
    for name in ("torso_yaw", "head_yaw", "head_pitch", "head_roll"):
        assert errors[name] == pytest.approx(0, abs=1e-6)
    # yaw is where the camera stands in the torso's frame; the Euler angle differs a little once the torso rolls
    assert errors["true_torso_yaw"] == pytest.approx(view[0], abs=6)
    assert max(errors["neck_px"], errors["shoulder_px"]) < 9  # the neck's bone is 3 cm off it; 6 metres against 2.7
    assert errors["head_size"] == pytest.approx(1, abs=0.02)
    assert errors["joint_mm"] == pytest.approx(0, abs=1e-6)
    assert max(errors["drawn_neck_px"], errors["drawn_shoulder_px"], errors["drawn_head_px"]) < 9  # 6 metres, 2.7


def test_a_body_drawn_off_its_place_is_found_by_as_much(tmp_path: Path):
    path = write_person(tmp_path, 30, 0, 0)
    truth, row = read_truth(path), perfect_row(path)
    here = person_errors(truth, row)
    fx = row["intrinsics"][0]
    moved = np.array(row["smpl_transl"]) + [0.1, 0, 0]
    there = person_errors(truth, row | {"smpl_transl": moved.tolist()})
    expected = 512 * fx * 0.1 / 2.7
    assert there["drawn_neck_px"] - here["drawn_neck_px"] == pytest.approx(expected, abs=9)
    assert there["neck_px"] == here["neck_px"]


@pytest.mark.parametrize("view", [(0, 0, 0), (100, 0, 0), (-140, 0, 0)])
def test_raw_angles_of_exact_landmarks_have_no_error(tmp_path: Path, view):
    path = write_person(tmp_path, *view)
    truth, row = read_truth(path), perfect_row(path)
    table = landmark_table()
    torso, head = truth.rotation("torso"), truth.rotation("head")
    world = np.zeros((33, 3))
    world[list(TORSO)] = table.torso @ torso.T
    world[list(FACE)] = table.face @ head.T
    errors = person_errors(truth, row | {"keypoints_3d": world.ravel().tolist()})
    assert errors["raw_torso_yaw"] == pytest.approx(0, abs=0.01)
    assert errors["raw_head_yaw"] == pytest.approx(0, abs=1)  # the line of sight goes to the head joint


def test_planted_errors_are_found(tmp_path: Path):
    path = write_person(tmp_path, 170, 0, 0)
    truth = read_truth(path)
    row = perfect_row(path)
    flipped = row | {"camera_yaw_deg": -5.0, "p_flip": 0.9, "crop_side_px": row["crop_side_px"] * 1.1}
    errors = [person_errors(truth, row), person_errors(truth, flipped)]
    assert errors[1]["torso_yaw"] == pytest.approx(-175, abs=0.1)
    assert errors[1]["head_size"] == pytest.approx(1.1, abs=0.02)
    result = summary(errors)
    assert result["torso_flips"] == 0.5
    assert result["head_flips"] == 0.0
    assert [(r["n"], r["found"]) for r in flip_calibration(errors)] == [(1, 0.0), (1, 1.0)]


def test_a_person_nobody_annotated_is_counted_as_missing(tmp_path: Path):
    path = write_person(tmp_path, 0, 0, 0)
    elsewhere = perfect_row(path) | {"box_x0": 580.0, "box_x1": 760.0}
    assert [row for _, row in matched([elsewhere], tmp_path)] == [None]


def test_the_table_names_every_group(tmp_path: Path):
    path = write_person(tmp_path, 0, 0, 0)
    errors = [person_errors(read_truth(path), perfect_row(path))]
    report = {"images": 2, "annotated": 1, "groups": {"all": summary(errors)}, "flip_calibration": []}
    text = table(report)
    assert "annotated 1 of 2" in text
    assert "| all | 1 | 0.0 / 0 / 0.0% |" in text


def test_the_decisions_in_force_are_judged(four_people: Path, tmp_path: Path):
    dataset = tmp_path / "dataset"
    shutil.copytree(four_people, dataset)
    row = Dataset(dataset)[0].row
    truth = json.loads(write_person(tmp_path, 0, 0, 0).read_text())
    truth["image"] = Path(row["source_path"]).name
    truth["people"][0]["bbox_visible_xyxy"] = [row[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")]
    (tmp_path / "00000.json").write_text(json.dumps(truth))
    assert evaluate(dataset, tmp_path)["groups"]["kept"]["n"] == 1
    decide(str(dataset), sets=["resolution.min=1000"], apply=True, name="none-left")
    assert "kept" not in evaluate(dataset, tmp_path)["groups"]


def test_a_folder_without_truth_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="no truth"):
        list(matched([], tmp_path))


def planted_body(seed: int) -> tuple[dict, Truth]:
    """A row with a random body, and the truth that a render of it would state, elsewhere and 1.3 times as large."""
    random = np.random.default_rng(seed)
    pose, betas, transl = random.normal(0, 0.4, (24, 3)), random.normal(0, 1, 10), random.normal(0, 1, 3)
    turn = Rotation.random(random_state=seed).as_matrix()
    joints, face = (1.3 * part @ turn.T + [0.1, 0.2, 5] for part in load_body().truth_joints(pose, betas, transl))
    person = {
        "joints_names": list(SMPL_JOINTS),
        "joints3d_cam": joints.tolist(),
        "face_points": {name: {"cam": point.tolist()} for name, point in zip(TRUTH_FACE, face, strict=True)},
    }
    row = {"smpl_pose": pose.ravel(), "smpl_betas": betas, "smpl_transl": transl, "body_model": load_body().name}
    return row, Truth("x.jpg", "half", person, K)


@pytest.mark.parametrize("seed", range(3))
def test_the_body_the_truth_was_made_of_has_no_joint_error(seed):
    row, truth = planted_body(seed)
    assert joint_mm(truth, row) == pytest.approx(0, abs=1e-6)
    assert joint_mm(truth, row | {"body_model": "another"}) is None


def test_procrustes_is_the_best_similarity_and_never_a_mirror():
    random = np.random.default_rng(1)
    points = random.normal(0, 0.1, (13, 3))
    target = 2 * points @ Rotation.random(random_state=1).as_matrix() + [1, 2, 3] + random.normal(0, 0.01, (13, 3))

    def off(p: np.ndarray) -> np.ndarray:
        return np.exp(p[0]) * Rotation.from_rotvec(p[1:4]).apply(points) + p[4:] - target

    starts = Rotation.random(8, random_state=2).as_rotvec()
    fits = [least_squares(lambda p: off(p).ravel(), [0, *start, 1, 2, 3]) for start in starts]
    best = min(fits, key=lambda fit: fit.cost)
    assert procrustes_distance(points, target) == pytest.approx(np.linalg.norm(off(best.x), axis=1).mean(), rel=1e-5)
    assert procrustes_distance(points, points * [-1, 1, 1]) > 0.02


def test_a_joint_error_is_in_millimetres_of_the_true_person():
    row, truth = planted_body(0)
    for point in truth.person["face_points"].values():
        point["cam"] = (np.array(point["cam"]) + [0, 0, 0.03]).tolist()  # the whole face 3 cm off
    assert 3 < joint_mm(truth, row) < 30  # less, since the fit meets half-way


def test_coverage_counts_errors_within_the_stated_sigma(tmp_path: Path):
    path = write_person(tmp_path, 0, 0, 0)
    truth, row = read_truth(path), perfect_row(path)
    yaws = {0.0: 5.0, 4.0: 5.0, 8.0: 5.0, 12.0: 5.0, 179.0: 5.0}  # the last is a flip, which σ does not speak about
    errors = [person_errors(truth, row | {"camera_yaw_deg": y, "yaw_sigma_deg": s}) for y, s in yaws.items()]
    result = summary(errors)
    assert (result["within_1_sigma"], result["within_2_sigma"]) == (0.5, 0.75)
    report = {"images": 1, "annotated": 1, "groups": {"all": result}, "flip_calibration": []}
    assert "| 50%, 75% |" in table(report)
    silent = summary([person_errors(truth, row)])
    assert "within_1_sigma" not in silent
    assert "| –, – |" in table(report | {"groups": {"all": silent}})
