"""Exact truth of rendered people, and the annotated person that belongs to it.

A truth folder holds NNNNN.json beside each image NNNNN.jpg. Joints and face points are in the image and in OpenCV
camera axes; rotations lead from part axes (x left, y back, z up) to camera axes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import part_angles
from phq.camera.convention import camera_from_torso, level_view
from phq.config.build import load_config
from phq.detect.boxes import iou
from phq.errors import InputError
from phq.people.person import Person, Photo
from phq.pose.body import TRUTH_FACE, load_body
from phq.schema import SMPL_JOINTS
from phq.stages.pipeline import Pipeline, stages
from phq.system.arrays import Floats

PART_AXES = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Columns: left, up, front in the truth's part axes (left, back, up)."""
JOINT_OF = {"torso": "neck", "head": "head"}
"""The joint that a part's line of sight goes to."""
MATCH = 0.4
"""Least intersection over union of an annotated box and the visible box of the true person."""


@dataclass(frozen=True)
class Truth:
    """The main person of one image."""

    image: str
    framing: str
    person: dict[str, Any]
    K: Floats
    """3×3 intrinsics, pixels."""

    def joint(self, name: str) -> Floats:
        """(3,) joint in camera axes, metres."""
        return np.array(self.person["joints3d_cam"][self.person["joints_names"].index(name)])

    def pixel(self, name: str) -> Floats:
        """(2,) joint in the image, pixels."""
        return np.array(self.person["joints2d"][self.person["joints_names"].index(name)])

    def face(self, name: str) -> Floats:
        """(3,) face point in camera axes, metres."""
        return np.array(self.person["face_points"][name]["cam"])

    def rotation(self, part: str) -> Floats:
        """3×3 body axes (left, up, front) to a camera that looks straight at the part, level with the image."""
        to_cam = np.array(self.person[part]["R_cam"]) @ PART_AXES
        return np.asarray(level_view(self.joint(JOINT_OF[part])) @ to_cam)

    def angles(self, part: str) -> tuple[float, float, float]:
        """(yaw, pitch, roll) as `phq.camera.angles.part_angles` defines them."""
        return part_angles(self.rotation(part), np.array([0.0, 0.0, 1.0]))

    def camera(self) -> Floats:
        """cam2world that the label should have."""
        return camera_from_torso(self.rotation("torso"))

    def head_pixels(self) -> float:
        """Size of the head in the image, in units of the template's head: pixels a template metre.

        Mean over crown, nose and ear of their distance from the middle of the ears against the embedded body's.
        """
        ears = (self.face("left_ear") + self.face("right_ear")) / 2
        rest = rest_points()
        middle = (rest["left_ear"] + rest["right_ear"]) / 2
        names = ("crown", "nose", "left_ear")
        ratios = [np.linalg.norm(self.face(n) - ears) / np.linalg.norm(rest[n] - middle) for n in names]
        return float(np.mean(ratios) * self.K[0, 0] / np.linalg.norm(self.joint("neck")))


def rest_points() -> dict[str, Floats]:
    """Where truth files would state the joints and face points of the embedded body at rest, neck frame, metres.

    Truth joints are bone heads, up to 3 cm from SMPL's neck and shoulders; errors compare like with like.
    """
    body = load_body()
    rest = np.zeros((24, 3))
    joints, face = body.truth_joints(rest, transl=body.transl_for_neck(rest, np.zeros(3)))
    return dict(zip((*SMPL_JOINTS, *TRUTH_FACE), (*joints, *face), strict=True))


def read_truth(path: Path) -> Truth:
    """The main person of one truth file."""
    data = json.loads(path.read_text(encoding="utf-8"))
    main = next(p for p in data["people"] if p["main"])
    return Truth(data["image"], data["framing"], main, np.array(data["camera"]["K"]))


def matched(rows: list[dict[str, Any]], folder: Path) -> Iterator[tuple[Truth, dict[str, Any] | None]]:
    """(truth, row of its person or None) for every image of a truth folder.

    Raises:
        InputError: the folder has no truth in it.
    """
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"{folder} has no truth files (NNNNN.json beside NNNNN.jpg)")
    by_photo = defaultdict(list)
    for row in rows:
        if row.get("box_x0") is not None:
            by_photo[Path(row["source_path"]).name].append(row)
    for path in paths:
        truth = read_truth(path)
        box = np.array(truth.person["bbox_visible_xyxy"], float)[None]
        best = max(by_photo[truth.image], key=lambda row: _overlap(row, box), default=None)
        yield truth, best if best is not None and _overlap(best, box) > MATCH else None


def seen_people(folder: Path, names: Collection[str], every: int = 1) -> Iterator[tuple[Truth, Person]]:
    """Truth of each render, and the networks' view of its main person; people that are not found are left out.

    Args:
        folder: NNNNN.jpg with NNNNN.json.
        names: stages of `phq.stages.pipeline` to run.
        every: use every n-th render only.
    """
    pipeline = Pipeline([stage for stage in stages(load_config("everything")) if stage.name in names])
    for path in sorted(folder.glob("*.jpg"))[::every]:
        truth = read_truth(path.with_suffix(".json"))
        photo = pipeline.run([Photo(path, path.name)])[0]
        photo.pixels = None  # a folder of them would not fit
        box = np.array(truth.person["bbox_visible_xyxy"], float)[None]
        overlaps = [(float(iou(box, p.box.edges[None])[0, 0]), p) for p in photo.people if not p.rejected]
        overlap, best = max(overlaps, key=lambda pair: pair[0], default=(0.0, None))
        if best is not None and overlap > MATCH:
            yield truth, best


def _overlap(row: dict[str, Any], box: Floats) -> float:
    return float(iou(np.array([[row[f"box_{edge}"] for edge in ("x0", "y0", "x1", "y1")]]), box)[0, 0])
