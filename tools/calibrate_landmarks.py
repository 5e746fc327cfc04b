"""Make ``phq/pose/landmark_table.json``: where BlazePose's landmarks lie on a body of the template's proportions.

    python tools/calibrate_landmarks.py TRUTH_DIR [--every 3]

TRUTH_DIR holds rendered people NNNNN.jpg with NNNNN.json (cameras, joints, face points and part rotations in OpenCV
axes; part axes x left, y back, z up). The table that ships was made from every third of 758 renders of 384², none of
which is used to report an error anywhere.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.rotations import rotmat_to_rotvec
from phq.evaluate.truth import Truth, seen_people
from phq.pose.body import TRUTH_FACE, load_body
from phq.pose.closed_form import FACE, TORSO, head_joint, solve_placement, split_neck_head
from phq.schema import SMPL_JOINTS

STAGES = ("read", "detect", "keypoints")
TARGETS = ("neck", "left_shoulder", "right_shoulder")
FACES = ("nose", "left_ear", "right_ear", "crown")
TARGET_WEIGHTS = np.array([1, 1, 1, 0.7, 0.7, 0.7, 0.7])
"""How much each point counts in the crop that a rendered person ideally gets."""
MIRROR = [0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11]


class Person:
    """Truth of the main person of one render, with what the network saw."""

    def __init__(self, truth: Truth, runs: list[Any]) -> None:
        self.rotation = {part: truth.rotation(part) for part in ("torso", "head")}
        image = np.array([*map(truth.joint, TARGETS), *map(truth.face, FACES)]) @ truth.K.T
        self.targets = image[:, :2] / image[:, 2:]
        self.runs = runs

    def ideal_placement(self) -> tuple[float, np.ndarray, np.ndarray]:
        """Pixels per template metre, neck in pixels, head joint about the neck in camera axes.

        The truth's joints are bone heads; they are laid on the same bone heads of the embedded body, whose SMPL-like
        neck is the origin of labels.
        """
        torso, head = self.rotation["torso"], self.rotation["head"]
        neck, top = split_neck_head(torso, head)
        pose = np.zeros((24, 3))
        pose[[0, 12, 15]] = rotmat_to_rotvec(torso), neck, top
        body = load_body()
        joints, face = body.truth_joints(pose, transl=body.transl_for_neck(pose, np.zeros(3)))
        bones, skin = [SMPL_JOINTS.index(n) for n in TARGETS], [TRUTH_FACE.index(n) for n in FACES]
        points = np.concatenate([joints[bones], face[skin]])
        return *solve_placement(points[:, :2], self.targets, TARGET_WEIGHTS), head_joint(torso, neck)


def gather(folder: Path, every: int) -> list[Person]:
    """Run detection and landmarks over the renders; people whom no box matches are left out."""
    return [Person(truth, person.runs) for truth, person in seen_people(folder, STAGES, every)]


def metric_table(people: list[Person], part: str, indices: tuple[int, ...], origin: list[int]) -> np.ndarray:
    """Median landmark positions in the part's axes, without the worst 30 % of runs (flips among them)."""
    seen = []
    for person in people:
        for run in person.runs:
            world = run.world[list(indices)]
            seen.append((world - world[origin].mean(0)) @ person.rotation[part])
    points = np.array(seen)
    table = np.median(points, 0)
    for _ in range(5):
        error = np.linalg.norm(points - table, axis=-1).mean(-1)
        table = np.median(points[error < np.percentile(error, 70)], 0)
    return table


def picture_table(people: list[Person]) -> tuple[np.ndarray, np.ndarray]:
    """(13, 3) places of landmarks 0–12 by robust least squares over views from all sides, and (13,) their spread."""
    ideals = [p.ideal_placement() for p in people]
    table, spread = np.zeros((13, 3)), np.zeros(13)
    for i in range(13):
        part = "head" if i < 11 else "torso"
        rows = np.concatenate([p.rotation[part][:2] for p in people])
        seen = [np.median([run.points[i] for run in p.runs], 0) for p in people]
        origin = [joint[:2] if part == "head" else np.zeros(2) for _, _, joint in ideals]
        want = np.concatenate([(s - t) / k - o for s, (k, t, _), o in zip(seen, ideals, origin, strict=True)])
        weight = np.ones(len(want))
        for _ in range(20):
            table[i] = np.linalg.lstsq(rows * weight[:, None], want * weight, rcond=None)[0]
            error = np.linalg.norm((rows @ table[i] - want).reshape(-1, 2), axis=1)
            weight = np.repeat(1 / np.sqrt(1 + (error / 0.03) ** 2), 2)
        spread[i] = np.median(error)
    return table, spread


def symmetric(points: np.ndarray, mirror: list[int]) -> np.ndarray:
    """Average of points (N, 3) and their mirror image."""
    return (points + points[mirror] * [-1, 1, 1]) / 2


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--every", type=int, default=3)
    options = parser.parse_args()
    people = gather(options.truth, options.every)
    placed, spread = picture_table(people)
    table = {
        "made_by": f"tools/calibrate_landmarks.py, {len(people)} rendered people",
        "face": symmetric(metric_table(people, "head", FACE, [7, 8]), MIRROR[:11]).round(4).tolist(),
        "torso": symmetric(metric_table(people, "torso", TORSO, [0, 1]), [1, 0, 3, 2]).round(4).tolist(),
        "placed": symmetric(placed, MIRROR).round(4).tolist(),
        "spread": ((spread + spread[MIRROR]) / 2).round(4).tolist(),
    }
    target = Path(__file__).parents[1] / "phq" / "pose" / "landmark_table.json"
    target.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"{target}: {len(people)} people")


if __name__ == "__main__":
    main()
