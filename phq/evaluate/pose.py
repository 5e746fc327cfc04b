"""Errors of poses and cameras against exact truth: ``phq evaluate pose DATASET --truth DIR``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import wrap_deg
from phq.camera.convention import VISIBLE_HEIGHT, project
from phq.evaluate.truth import Truth, matched, rest_points
from phq.finalise import read_rows
from phq.keypoints.region import apply_affine, invert_affine
from phq.shards.atomic import write_bytes
from phq.work import Floats

FLIP_DEG = 90.0
BIN_DEG = 45
CROP_JOINTS = ("neck", "left_shoulder", "right_shoulder")


def person_errors(truth: Truth, row: dict[str, Any]) -> dict[str, Any]:
    """Errors of one annotated person.

    Angles in degrees; `neck_px` and `shoulder_px` are distances in a 512² crop between the true joint and where the
    embedded body at rest has that joint for the true camera; `head_size` is the ratio of the crop's head size to the
    true one.
    """
    torso, head = truth.angles("torso"), truth.angles("head")
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
        "head_pitch": row["head_pitch_deg"] - head[1],
        "head_roll": wrap_deg(row["head_roll_deg"] - head[2]),
        "neck_px": float(off[0]),
        "shoulder_px": float(off[1:].mean()),
        "head_size": row["crop_side_px"] / VISIBLE_HEIGHT / truth.head_pixels(),
    }


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
    for name in ("head_pitch", "head_roll", "neck_px", "shoulder_px"):
        out[f"{name}_median"] = float(np.median(np.abs(of(name))))
    out["head_size_median"] = float(np.median(np.abs(np.log(of("head_size")))))
    out["kept"] = float(of("kept").mean())
    return out


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
    """Report of a dataset built from a folder of rendered people; also saved as ``evaluation/pose.json`` in it."""
    rows = read_rows([dataset / "manifest.parquet", dataset / "rejects.parquet"])
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
        "| group | n | torso yaw, median / p90 / flips | head yaw, median / p90 / flips | head pitch, roll "
        "| neck, shoulders px | head size | kept |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, s in report["groups"].items():
        parts = [f"{s[p + '_median']:.1f} / {s[p + '_p90']:.0f} / {s[p + '_flips']:.1%}" for p in ("torso", "head")]
        lines.append(
            f"| {name} | {s['n']:.0f} | {parts[0]} | {parts[1]} | {s['head_pitch_median']:.1f}, "
            f"{s['head_roll_median']:.1f} | {s['neck_px_median']:.0f}, {s['shoulder_px_median']:.0f} "
            f"| {s['head_size_median']:.1%} | {s['kept']:.0%} |"
        )
    bins = [f"{r['stated']:.2f} → {r['found']:.2f} (n {r['n']})" for r in report["flip_calibration"]]
    return "\n".join([*lines, "", "p_flip, stated → found: " + "; ".join(bins)])
