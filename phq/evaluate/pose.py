"""Errors of poses and cameras against exact truth: ``phq evaluate pose DATASET --truth DIR``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import camera_angles, wrap_deg
from phq.camera.convention import VISIBLE_HEIGHT, project
from phq.camera.rotations import kabsch
from phq.dataset.reader import Dataset
from phq.evaluate.truth import Truth, matched, rest_points
from phq.photos.region import apply_affine, invert_affine
from phq.pose.body import TRUTH_FACE, load_body
from phq.schema import LANDMARKS, SMPL_JOINTS
from phq.system.arrays import Floats
from phq.system.atomic import write_bytes

FLIP_DEG = 90.0
BIN_DEG = 45
DRAWN = ("drawn_neck_px_median", "drawn_shoulder_px_median", "drawn_head_px_median")
WITHIN = ("within_1_sigma", "within_2_sigma")
CROP_JOINTS = ("neck", "left_shoulder", "right_shoulder")
DRAWN_JOINTS = (*CROP_JOINTS, "head")
UPPER_JOINTS = ("spine3", "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder")
"""Joints that, with the face points, are compared in 3D: those that are in every headshot."""


def person_errors(truth: Truth, row: dict[str, Any]) -> dict[str, Any]:
    """Errors of one annotated person.

    Angles in degrees; `neck_px` and `shoulder_px` are distances in a 512² crop between the true joint and where the
    embedded body at rest has that joint for the true camera; `head_size` is the ratio of the crop's head size to the
    true one; `joint_mm` and the three `drawn_px` see there; `yaw_sigma` as the record states it, None if it does not.
    """
    torso, head, camera = truth.angles("torso"), truth.angles("head"), camera_angles(truth.camera())
    to_crop = invert_affine(np.array(row["crop_to_source"], float).reshape(2, 3))
    seen = apply_affine(to_crop, np.array([truth.pixel(j) for j in CROP_JOINTS])) * (512 / row["image_size"])
    rest = rest_points()
    belongs = project(np.array([rest[name] for name in CROP_JOINTS]), truth.camera(), 512)
    off = np.linalg.norm(seen - belongs, axis=1)
    return {
        "image": truth.image,
        "framing": truth.framing,
        "kept": row["decision"] == "kept",
        "p_flip": row["p_flip"],
        "true_torso_yaw": torso[0],
        "true_head_yaw": head[0],
        "torso_yaw": wrap_deg(row["camera_yaw_deg"] - torso[0]),
        "head_yaw": wrap_deg(row["head_yaw_deg"] - head[0]),
        "torso_pitch": row["camera_pitch_deg"] - camera[1],
        "torso_roll": wrap_deg(row["camera_roll_deg"] - camera[2]),
        "head_pitch": row["head_pitch_deg"] - head[1],
        "head_roll": wrap_deg(row["head_roll_deg"] - head[2]),
        "neck_px": float(off[0]),
        "shoulder_px": float(off[1:].mean()),
        "head_size": row["crop_side_px"] / VISIBLE_HEIGHT / truth.head_pixels(),
        "joint_mm": joint_mm(truth, row),
        **drawn_px(truth, row),
        **raw_errors(row, torso[0], head[0]),
        "yaw_sigma": row.get("yaw_sigma_deg"),
    }


def raw_errors(row: dict[str, Any], torso_yaw: float, head_yaw: float) -> dict[str, float | None]:
    """Errors of the angles that the stored 3D landmarks state by themselves, as published labels take them.

    Torso: shoulders and hips, left − right; head: nose against the middle of the ears. Keys ``raw_torso_yaw`` and
    ``raw_head_yaw``; None if the record has no landmarks.
    """
    if row.get("keypoints_3d") is None:
        return {"raw_torso_yaw": None, "raw_head_yaw": None}
    world = dict(zip(LANDMARKS, np.array(row["keypoints_3d"], float).reshape(33, 3), strict=True))
    left = sum(world[f"left_{part}"] - world[f"right_{part}"] for part in ("shoulder", "hip"))
    front = world["nose"] - (world["left_ear"] + world["right_ear"]) / 2
    yaws = np.degrees([np.arctan2(-left[2], left[0]), np.arctan2(-front[0], -front[2])])
    return {"raw_torso_yaw": wrap_deg(yaws[0] - torso_yaw), "raw_head_yaw": wrap_deg(yaws[1] - head_yaw)}


def drawn_px(truth: Truth, row: dict[str, Any]) -> dict[str, float | None]:
    """Distances in a 512² crop between true joints and the fitted body's, drawn by the record's own camera.

    Keys ``drawn_neck_px``, ``drawn_shoulder_px`` (mean of both), ``drawn_head_px``; None if the body is another one.
    """
    names = ("drawn_neck_px", "drawn_shoulder_px", "drawn_head_px")
    body = load_body()
    if row["body_model"] != body.name:
        return dict.fromkeys(names)
    joints, _ = body.truth_joints(row["smpl_pose"], row["smpl_betas"], row["smpl_transl"])
    intrinsics = np.array(row["intrinsics"], float).reshape(3, 3)
    rays = joints[[SMPL_JOINTS.index(name) for name in DRAWN_JOINTS]] @ intrinsics.T
    to_crop = invert_affine(np.array(row["crop_to_source"], float).reshape(2, 3)) / row["image_size"]
    true = apply_affine(to_crop, np.array([truth.pixel(name) for name in DRAWN_JOINTS]))
    neck, left, right, head = 512 * np.linalg.norm(rays[:, :2] / rays[:, 2:] - true, axis=1)
    return dict(zip(names, (float(neck), float(left + right) / 2, float(head)), strict=True))


def joint_mm(truth: Truth, row: dict[str, Any]) -> float | None:
    """Mean 3D distance of upper-body joints and face points after a similarity Procrustes fit, millimetres.

    The fitted body says where renders would state them, see `EmbeddedBody.truth_joints`. None if the record's body is
    another one.
    """
    body = load_body()
    if row["body_model"] != body.name:
        return None
    joints, face = body.truth_joints(row["smpl_pose"], row["smpl_betas"], row["smpl_transl"])
    fitted = np.concatenate([joints[[SMPL_JOINTS.index(name) for name in UPPER_JOINTS]], face])
    true = np.array([*map(truth.joint, UPPER_JOINTS), *map(truth.face, TRUTH_FACE)])
    return 1000 * procrustes_distance(fitted, true)


def procrustes_distance(points: Floats, target: Floats) -> float:
    """Mean distance of points (N, 3) from target (N, 3) once moved, turned and scaled onto it by least squares.

    Umeyama 1991: the rotation is Kabsch's, and the scale the one that is best for it.
    """
    moved, aim = points - points.mean(0), target - target.mean(0)
    moved = moved @ kabsch(moved, aim).T
    moved *= (moved * aim).sum() / (moved**2).sum()
    return float(np.linalg.norm(moved - aim, axis=1).mean())


def summary(errors: list[dict[str, Any]]) -> dict[str, float]:
    """Statistics of a group of people."""

    def of(name: str) -> Floats:
        return np.array([e[name] for e in errors], float)

    out: dict[str, float] = {"n": len(errors)}
    for part in ("torso", "head"):
        error = np.abs(of(f"{part}_yaw"))
        statistics = float(np.median(error)), float(error.mean()), float(np.percentile(error, 90))
        out |= dict(zip((f"{part}_median", f"{part}_mean", f"{part}_p90"), statistics, strict=True))
        out[f"{part}_flips"] = float((error > FLIP_DEG).mean())
    for name in ("torso_pitch", "torso_roll", "head_pitch", "head_roll", "neck_px", "shoulder_px"):
        out[f"{name}_median"] = float(np.median(np.abs(of(name))))
    out["head_size_median"] = float(np.median(np.abs(np.log(of("head_size")))))
    out["kept"] = float(of("kept").mean())
    for part in ("raw_torso", "raw_head"):
        raw = np.abs([e[f"{part}_yaw"] for e in errors if e[f"{part}_yaw"] is not None])
        if len(raw):
            out |= {f"{part}_median": float(np.median(raw)), f"{part}_p90": float(np.percentile(raw, 90))}
            out[f"{part}_flips"] = float((raw > FLIP_DEG).mean())
    for name in ("joint_mm", "drawn_neck_px", "drawn_shoulder_px", "drawn_head_px"):
        known = [e[name] for e in errors if e[name] is not None]
        if known:
            out[f"{name}_median"] = float(np.median(known))
    return out | sigma_coverage(errors)


def sigma_coverage(errors: list[dict[str, Any]]) -> dict[str, float]:
    """Share of torso yaw errors within one and two of the stated standard deviations; {} where none is stated.

    Flips are left out: the standard deviation is that of a person whose front and back are not confused.
    """
    stated = [(abs(e["torso_yaw"]), e["yaw_sigma"]) for e in errors if e["yaw_sigma"] is not None]
    ratios = np.array([error / sigma for error, sigma in stated if error <= FLIP_DEG])
    if not len(ratios):
        return {}
    return {"within_1_sigma": float((ratios <= 1).mean()), "within_2_sigma": float((ratios <= 2).mean())}


def groups(errors: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """All, by framing, by 45° of true head yaw, and those the thresholds keep."""
    yield "all", errors
    for framing in sorted({e["framing"] for e in errors}):
        yield framing, [e for e in errors if e["framing"] == framing]
    for centre in range(-135, 181, BIN_DEG):
        inside = [e for e in errors if abs(wrap_deg(e["true_head_yaw"] - centre)) <= BIN_DEG / 2]
        if inside:
            yield f"head {centre:+d}°", inside
    kept = [e for e in errors if e["kept"]]
    if kept:
        yield "kept", kept


def flip_calibration(errors: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Stated against found share of flips, by bins of `p_flip`."""
    p = np.array([e["p_flip"] for e in errors])
    flipped = np.abs([e["torso_yaw"] for e in errors]) > FLIP_DEG
    edges = (0, 0.02, 0.1, 0.3, 0.6, 1.0001)
    rows = []
    for low, high in pairwise(edges):
        inside = (p >= low) & (p < high)
        if inside.any():
            stated, found = float(p[inside].mean()), float(flipped[inside].mean())
            rows.append({"n": int(inside.sum()), "stated": stated, "found": found})
    return rows


def evaluate(dataset: Path, truth: Path) -> dict[str, Any]:
    """Report of a dataset built from a folder of rendered people; also saved as ``evaluation/pose.json`` in it.

    The labels and decisions in force are judged, those of its overlays. Raises what `phq.dataset.reader.Dataset` does.
    """
    stored = Dataset(dataset, rejects=True).table.to_pylist()
    rows = [{name: value for name, value in row.items() if value is not None} for row in stored]
    pairs = list(matched(rows, truth))
    errors = [person_errors(t, row) for t, row in pairs if row is not None and row.get("p_flip") is not None]
    report = {
        "images": len(pairs),
        "annotated": len(errors),
        "groups": {name: summary(members) for name, members in groups(errors)},
        "flip_calibration": flip_calibration(errors),
        "people": errors,
    }
    (dataset / "evaluation").mkdir(exist_ok=True)
    write_bytes(dataset / "evaluation" / "pose.json", json.dumps(report, indent=1, sort_keys=True).encode())
    return report


def table(report: dict[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"annotated {report['annotated']} of {report['images']}",
        "",
        "| group | n | torso yaw, median / p90 / flips | head yaw, median / p90 / flips | raw BlazePose torso yaw "
        "| raw head yaw | pitch, roll of torso; head "
        "| crop off at neck, shoulders px | drawn neck, shoulders, head px | head size | joints mm | within σ, 2σ "
        "| kept |",
        "|" + "---|" * 13,
    ]
    for name, s in report["groups"].items():
        parts = [_yaw_cell(s, part) for part in ("torso", "head", "raw_torso", "raw_head")]
        lines.append(
            f"| {name} | {s['n']:.0f} | {' | '.join(parts)} | {s['torso_pitch_median']:.1f}, "
            f"{s['torso_roll_median']:.1f}; {s['head_pitch_median']:.1f}, {s['head_roll_median']:.1f} "
            f"| {s['neck_px_median']:.0f}, {s['shoulder_px_median']:.0f} | {_stated(s, '{:.0f}', *DRAWN)} "
            f"| {s['head_size_median']:.1%} "
            f"| {_stated(s, '{:.0f}', 'joint_mm_median')} | {_stated(s, '{:.0%}', *WITHIN)} | {s['kept']:.0%} |"
        )
    bins = [f"{r['stated']:.2f} → {r['found']:.2f} (n {r['n']})" for r in report["flip_calibration"]]
    return "\n".join([*lines, "", "p_flip, stated → found: " + "; ".join(bins)])


def _yaw_cell(statistics: dict[str, float], part: str) -> str:
    if f"{part}_median" not in statistics:
        return "–"
    median, p90, flips = (statistics[f"{part}_{name}"] for name in ("median", "p90", "flips"))
    return f"{median:.1f} / {p90:.0f} / {flips:.1%}"


def _stated(statistics: dict[str, float], form: str, *names: str) -> str:
    return ", ".join(form.format(statistics[name]) if name in statistics else "–" for name in names)
