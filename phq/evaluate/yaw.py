"""Errors of torso and head yaw on headshots with truth: ``phq evaluate pose DATASET --truth FILE``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import wrap_deg
from phq.evaluate.headshots import CHEST_SHARE, PICTURE_SHARE, Headshot, subjects
from phq.evaluate.reliability import FLIP_DEG, People, flip_reliability, sigma_reliability, tables

FRONT_DEG, BACK_DEG = 45.0, 135.0
LEVEL_DEG = 35.0
SURE = 0.03
"""A stated `p_flip` up to which the direction is taken for sure."""
PARTS = {"torso": "camera_yaw_deg", "head": "head_yaw_deg"}


def yaw_errors(headshot: Headshot, row: Mapping[str, Any]) -> dict[str, Any]:
    """Signed errors of one annotated person, degrees, None where the truth is not known; and what the record states."""
    person: dict[str, Any] = {
        "set": headshot.set,
        "file": headshot.file,
        "person": headshot.person,
        "group": headshot.group,
        "note": headshot.note,
        "elevation": headshot.camera_elevation_deg,
        "kept": row["decision"] == "kept",
        "reason": row["reason"] or "",
        "p_flip": row["p_flip"],
        "yaw_sigma": row["yaw_sigma_deg"],
    }
    for part, column in PARTS.items():
        true, tolerance = getattr(headshot, f"{part}_yaw_deg"), getattr(headshot, f"{part}_tol_deg")
        person[f"true_{part}_yaw"] = true
        person[f"{part}_tol"] = tolerance or 0.0
        person[f"{part}_yaw"] = None if true is None else float(wrap_deg(row[column] - true))
    return person


def summary(people: People) -> dict[str, Any]:
    """Statistics of a group: its size, how many are kept, and for `torso` and `head` those of `_yaw_statistics`."""
    counts = {"n": len(people), "kept": sum(person["kept"] for person in people)}
    return {**counts, **{part: _yaw_statistics(people, part) for part in PARTS}}


def _yaw_statistics(people: People, part: str) -> dict[str, float] | None:
    """Median and 90th percentile, degrees, share of flips, 90th percentile of what exceeds the truth's tolerance."""
    pairs = [(person[f"{part}_yaw"], person[f"{part}_tol"]) for person in people]
    known = [(abs(error), tolerance) for error, tolerance in pairs if error is not None]
    if not known:
        return None
    error, tolerance = np.array(known).T
    return {
        "n": len(known),
        "median": float(np.median(error)),
        "p90": float(np.percentile(error, 90)),
        "flips": float((error > FLIP_DEG).mean()),
        "beyond_p90": float(np.percentile(np.maximum(error - tolerance, 0), 90)),
    }


def groups(people: People) -> Iterator[tuple[str, People]]:
    """All, by side, set and elevation, those stated to be sure, and those the decisions keep; no empty ones."""

    def where(name: str, chosen: Iterator[bool]) -> Iterator[tuple[str, People]]:
        members = [person for person, inside in zip(people, chosen, strict=True) if inside]
        if members:
            yield name, members

    turned = [None if p["true_torso_yaw"] is None else abs(wrap_deg(p["true_torso_yaw"])) for p in people]
    raised = [None if p["elevation"] is None else abs(p["elevation"]) for p in people]
    yield from where("all", (True for _ in people))
    yield from where("front, ≤ 45°", (t is not None and t <= FRONT_DEG for t in turned))
    yield from where("side", (t is not None and FRONT_DEG < t <= BACK_DEG for t in turned))
    yield from where("back, > 135°", (t is not None and t > BACK_DEG for t in turned))
    for name in sorted({person["set"] for person in people}):
        yield from where(name, (person["set"] == name for person in people))
    yield from where("elevation ≤ 35°", (e is not None and e <= LEVEL_DEG for e in raised))
    yield from where("elevation > 35°", (e is not None and e > LEVEL_DEG for e in raised))
    yield from where("elevation unknown", (e is None for e in raised))
    yield from where(f"`p_flip` ≤ {SURE}", (person["p_flip"] <= SURE for person in people))
    yield from where("kept", (person["kept"] for person in people))


def evaluate(dataset: Path, truth: Path) -> dict[str, Any]:
    """Report of a dataset that was built from a set of headshots.

    Args:
        dataset: folder; its decisions in force count as such.
        truth: JSON, see `phq.evaluate.headshots`.

    Raises:
        InputError: see `phq.evaluate.headshots.subjects`.
    """
    pairs = list(subjects(dataset, truth))
    found = [(headshot, row) for headshot, row, _ in pairs if row is not None]
    people = [yaw_errors(headshot, row) for headshot, row in found if _is_annotated(row)]
    return {
        "headshots": len(pairs),
        "found": len(found),
        "annotated": len(people),
        "kept": sum(row["decision"] == "kept" for _, row in found),
        "rejected": dict(Counter(row["reason"] for _, row in found if row["decision"] != "kept").most_common()),
        "missed": [_missed(headshot, rows) for headshot, row, rows in pairs if row is None],
        "groups": {name: summary(members) for name, members in groups(people)},
        "flip_reliability": flip_reliability(people),
        "sigma_reliability": sigma_reliability(people),
        "people": people,
    }


def _is_annotated(row: Mapping[str, Any]) -> bool:
    return all(row[name] is not None for name in (*PARTS.values(), "p_flip"))  # a person may be rejected before


def _missed(headshot: Headshot, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    boxes = sum(row["box_x0"] is not None for row in rows)
    return {"set": headshot.set, "file": headshot.file, "others": boxes}


def table(report: Mapping[str, Any]) -> str:
    """Markdown."""
    rejected = ", ".join(f"{reason} {count}" for reason, count in report["rejected"].items())
    lines = [
        f"found {report['found']} of {report['headshots']}: the most central box covers {CHEST_SHARE:.0%} of the lower "
        f"half's middle third and {PICTURE_SHARE:.0%} of the picture",
        *(f"not found: {missed['file']} (other boxes: {missed['others']})" for missed in report["missed"]),
        f"annotated {report['annotated']}, kept {report['kept']}{f'; rejected: {rejected}' if rejected else ''}",
        "",
        "| group | n | torso yaw, median / p90 / over 90° | head yaw | beyond tolerance, p90: torso, head | kept |",
        "|" + "---|" * 6,
    ]
    for name, s in report["groups"].items():
        torso, head = s["torso"], s["head"]
        beyond = ", ".join("–" if part is None else f"{part['beyond_p90']:.0f}" for part in (torso, head))
        lines.append(f"| {name} | {s['n']} | {_yaw_cell(torso)} | {_yaw_cell(head)} | {beyond} | {s['kept']} |")
    return "\n".join([*lines, *tables(report["flip_reliability"], report["sigma_reliability"])])


def _yaw_cell(statistics: Mapping[str, float] | None) -> str:
    if statistics is None:
        return "–"
    return f"{statistics['median']:.1f} / {statistics['p90']:.0f} / {statistics['flips']:.1%}"
