"""Errors of relative yaw between calibrated cameras: ``phq evaluate multiview FOLDER``.

Each view's label, composed with the camera it was seen by, states one orientation in the world; at one instant all
views must state the same. Nobody knows the man's own yaw, so errors are differences: between the headings of two views
(`pairs`), and between the heading of a view and the median heading of all views of its instant (`against_median`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations, groupby
from pathlib import Path
from typing import Any

import numpy as np

from phq.camera.angles import wrap_deg
from phq.config.build import load_config
from phq.decisions.rules import decide, scores_of
from phq.errors import InputError, RejectError
from phq.evaluate.heading import heading, median_heading, orientations, raw_headings
from phq.evaluate.pose import FLIP_DEG
from phq.evaluate.rig import Camera, read_qualisys
from phq.evaluate.videos import Row, instants, reprojection_px, same_person
from phq.reasons import RULE_BY_ADDRESS
from phq.system.arrays import Image
from phq.system.atomic import write_bytes

KINDS = ("torso", "head", "raw_torso", "raw_head")
NOT_JUDGED = ("resolution", "head", "blur")
"""Rules about picture quality, which small people in a compressed video break; labels are what is judged here."""
Errors = list[dict[str, Any]]


def evaluate(folder: Path, calibration: Path | None = None, every: int = 1, out: Path | None = None) -> dict[str, Any]:
    """Report on a folder with one video a camera; saved as JSON in `out` if that is given.

    Args:
        calibration: by default the one ``*.qca.txt`` in the folder. every: look at every n-th instant only.

    Raises:
        InputError: no calibration, or the videos do not fit it, or nobody is seen by two cameras at once.
    """
    from tqdm import tqdm

    from phq.stages.annotator import Annotator  # ONNX Runtime

    annotator = Annotator()

    def people(image: Image) -> list[Row]:
        try:
            return [annotation.sample.model_dump() for annotation in annotator.annotate(image)]
        except RejectError:
            return []

    cameras = read_qualisys(calibration or _calibration_in(folder))
    frames = tqdm(instants(folder, cameras, every), desc="multiview", unit="instant", disable=None)
    views = [view for n, images in frames for view in views_of(n, cameras, [people(image) for image in images])]
    if not views:
        raise InputError(f"nobody in {folder} is seen by two cameras at once")
    result = report(views) | {"every": every}
    if out:
        write_bytes(out, json.dumps(result, indent=1, sort_keys=True).encode())
    return result


def _calibration_in(folder: Path) -> Path:
    paths = sorted(folder.glob("*.qca.txt"))
    if len(paths) != 1:
        raise InputError(f"{folder} has {len(paths)} calibration files (*.qca.txt); name the one to use")
    return paths[0]


def views_of(instant: int, cameras: Sequence[Camera], found: Sequence[Sequence[Row]]) -> Errors:
    """One record for each camera that sees the common person of an instant; headings in degrees.

    Args:
        found: for each camera, the records of all people in its image.
    """
    chosen = same_person(cameras, found)
    seen = [(camera, row) for camera, row in zip(cameras, chosen, strict=True) if row is not None]
    if not seen:
        return []
    pixels = reprojection_px(*(list(part) for part in zip(*seen, strict=True)))
    return [_view(instant, camera, row, off) for (camera, row), off in zip(seen, pixels, strict=True)]


def _view(instant: int, camera: Camera, row: Row, off: float) -> dict[str, Any]:
    thresholds = load_config().thresholds
    judged = {a: value for a, value in thresholds.items() if RULE_BY_ADDRESS[a].name not in NOT_JUDGED}
    decision = decide(scores_of(row), judged)
    labels = {part: heading(rotation) for part, rotation in orientations(row, camera).items()}
    raw = {f"raw_{part}": angle for part, angle in raw_headings(row, camera).items()}
    fields = {name: row[name] for name in ("p_flip", "camera_yaw_deg", "head_yaw_deg")}
    about = {"instant": instant, "camera": camera.name, "kept": decision.decision == "kept", "reason": decision.reason}
    return about | {"reprojection_px": off} | fields | labels | raw


def pair_errors(views: Errors) -> Errors:
    """For every two views of an instant, the wrapped difference of their headings; kept if both are."""
    return [
        {"group": f"{a['camera']}–{b['camera']}", "instant": a["instant"], "kept": a["kept"] and b["kept"]}
        | {kind: wrap_deg(b[kind] - a[kind]) for kind in KINDS}
        for members in _by_instant(views)
        for a, b in combinations(members, 2)
    ]


def median_errors(views: Errors) -> Errors:
    """For every view of an instant with three views or more, its heading against the median of all of them."""
    errors = []
    for members in _by_instant(views):
        if len(members) > 2:
            middle = {kind: median_heading([view[kind] for view in members]) for kind in KINDS}
            errors += [
                {"group": view["camera"], "instant": view["instant"], "kept": view["kept"]}
                | {kind: wrap_deg(view[kind] - middle[kind]) for kind in KINDS}
                for view in members
            ]
    return errors


def _by_instant(views: Errors) -> Iterator[Errors]:
    for _, members in groupby(views, key=lambda view: view["instant"]):
        yield list(members)


def statistics(errors: Errors) -> dict[str, float]:
    """Median, mean, 90th percentile and share of flips of every kind of heading, degrees."""
    out: dict[str, float] = {"n": len(errors)}
    for kind in KINDS:
        error = np.abs([e[kind] for e in errors])
        out |= {f"{kind}_median": float(np.median(error)), f"{kind}_mean": float(error.mean())}
        out |= {f"{kind}_p90": float(np.percentile(error, 90)), f"{kind}_flips": float((error > FLIP_DEG).mean())}
    return out


def groups(errors: Errors) -> dict[str, dict[str, float]]:
    """`statistics` of all and of each group; then of those that the default thresholds keep, the same."""
    out = {}
    for prefix, members in (("", errors), ("kept ", [e for e in errors if e["kept"]])):
        for name in ("all", *sorted({e["group"] for e in members})):
            inside = [e for e in members if name in ("all", e["group"])]
            if inside:
                out[prefix + name] = statistics(inside)
    return out


def report(views: Errors) -> dict[str, Any]:
    """Everything that `evaluate` saves, from the records of `views_of`."""
    return {
        "instants": len({view["instant"] for view in views}),
        "views": len(views),
        "kept": sum(view["kept"] for view in views),
        "rejected": dict(sorted(Counter(view["reason"] for view in views if not view["kept"]).items())),
        "not_judged": list(NOT_JUDGED),
        "reprojection_px": float(np.median([view["reprojection_px"] for view in views])),
        "pairs": groups(pair_errors(views)),
        "against_median": groups(median_errors(views)),
        "records": views,
    }


def table(result: dict[str, Any]) -> str:
    """Markdown."""
    rejected = ", ".join(f"{reason} {n}" for reason, n in result["rejected"].items()) or "none"
    rules = ", ".join(result["not_judged"])
    head = [
        f"{result['views']} views of {result['instants']} instants; the person's triangulated landmarks reproject "
        f"within {result['reprojection_px']:.0f} px (median)",
        f"the default thresholds keep {result['kept']} (rules of {rules} left out); rejected: {rejected}",
    ]
    parts = [("pairs", "two views"), ("against_median", "a view against the median of its instant")]
    return "\n".join([*head, *(line for key, title in parts for line in _lines(title, result[key]))])


def _lines(title: str, members: dict[str, dict[str, float]]) -> Iterator[str]:
    def cell(s: dict[str, float], kind: str) -> str:
        angles = (s[f"{kind}_{name}"] for name in ("median", "mean", "p90"))
        return " / ".join([*(f"{angle:.1f}" for angle in angles), f"{s[f'{kind}_flips']:.1%}"])

    yield f"\nyaw about the vertical, {title}: median / mean / p90 / flips\n"
    yield "| group | n | torso | head | raw BlazePose torso | raw BlazePose head |"
    yield "|---|---|---|---|---|---|"
    for name, s in members.items():
        yield f"| {name} | {s['n']:.0f} | " + " | ".join(cell(s, kind) for kind in KINDS) + " |"
