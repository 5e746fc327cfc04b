"""Errors of relative yaw between calibrated cameras.

    python benchmarks/multiview.py FOLDER [--calibration FILE] [--every N] [--out FILE.json]

FOLDER has one synchronised video a camera and a Qualisys calibration (``*.qca.txt``). Each view's label, composed with
its camera, states one orientation in the world; at one instant all views must state the same. The person's own yaw is
unknown, so errors are differences: between the headings of two views (`pairs`), and between the heading of a view and
the median heading of all views of its instant (`against_median`).

World axes are those of the calibration, metres, z up. A Qualisys file (XML) states for each camera: position in
millimetres; rows r11…r33 of the rotation from world axes to its camera axes (x right, y up, z backwards); focal length,
centre and field of view in units of 1/64 pixel; distortion as OpenCV's k1, k2, p1, p2, k3. Field names are those of
Qualisys; that the rows lead to the camera and that its z points backwards was checked on pictures.

Labels are relative to the line of sight to the neck (docs/conventions.md), so a label becomes an orientation in the
world through the direction of the neck's pixel and the camera's rotation.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, groupby, product
from pathlib import Path
from typing import Any

import numpy as np
from headings import heading, median_heading, orientations, raw_headings
from qualisys import Camera, instants, read_qualisys, triangulate
from tqdm import tqdm

from phq.camera.angles import wrap_deg
from phq.config.build import load_config
from phq.decisions.rules import decide, scores_of
from phq.errors import InputError, RejectError
from phq.evaluate.pose import FLIP_DEG
from phq.reasons import RULE_BY_ADDRESS
from phq.schema import LANDMARKS
from phq.stages.annotator import Annotator
from phq.system.arrays import Floats, Image

PAIRED = ("ear", "shoulder", "hip")
"""Landmarks that are compared, left and right. Their middles do not care if a network confuses left and right."""
APART = 0.15
"""Metres (mean) from the lines of sight up to which views are of one person."""
Row = Mapping[str, Any]


def landmarks(row: Row) -> Floats:
    """(2, 3, 2) pixels of the left and right ears, shoulders and hips."""
    points = np.array(row["keypoints_2d"], float).reshape(33, 2)
    return points[[[LANDMARKS.index(f"{side}_{part}") for part in PAIRED] for side in ("left", "right")]]


def same_person(cameras: Sequence[Camera], found: Sequence[Sequence[Row]]) -> list[Row | None]:
    """For each view, which of the people found in it is the one that most views share; None where none fits.

    Every choice of one person (or none) a view is triangulated by the middles of ears, shoulders and hips. Of those
    whose lines of sight meet within `APART`, the one with the most views is taken, and then the one that meets best.
    """
    best: tuple[int, float] = (1, 0.0)
    chosen: list[Row | None] = [None] * len(cameras)
    middles = [[landmarks(row).mean(0) for row in people] for people in found]
    for choice in product(*([*range(len(people)), None] for people in found)):
        seen = [(view, number) for view, number in enumerate(choice) if number is not None]
        if len(seen) < max(best[0], 2):
            continue
        _, apart = triangulate([cameras[v] for v, _ in seen], [middles[v][n] for v, n in seen])
        rank = len(seen), -float(apart.mean())
        if apart.mean() <= APART and (rank > best or best[0] < 2):
            best, chosen = rank, [None if n is None else found[v][n] for v, n in enumerate(choice)]
    return chosen


def reprojection_px(cameras: Sequence[Camera], people: Sequence[Row]) -> list[float]:
    """For each view, median distance of its six landmarks from the reprojection of their triangulation, pixels."""
    pixels = [landmarks(row).reshape(-1, 2) for row in people]
    points, _ = triangulate(cameras, pixels)
    off = [np.linalg.norm(c.project(points) - seen, axis=1) for c, seen in zip(cameras, pixels, strict=True)]
    return [float(np.median(distances)) for distances in off]


KINDS = ("torso", "head", "raw_torso", "raw_head")
NOT_JUDGED = ("resolution", "head", "blur")
"""Rules about picture quality, which small people in a compressed video break; labels are what is judged here."""
Errors = list[dict[str, Any]]


def evaluate(folder: Path, calibration: Path | None, every: int) -> dict[str, Any]:
    """Report on a folder with one video a camera.

    Args:
        folder: of the videos.
        calibration: None for the one ``*.qca.txt`` in the folder.
        every: look at every n-th instant only.

    Raises:
        InputError: no calibration, or the videos do not fit it, or no person is seen by two cameras at once.
    """
    annotator = Annotator()

    def people(image: Image) -> list[Row]:
        try:
            return [annotation.sample.model_dump() for annotation in annotator.annotate(image)]
        except RejectError:
            return []

    paths = [calibration] if calibration else sorted(folder.glob("*.qca.txt"))
    if len(paths) != 1:
        raise InputError(f"{folder} has {len(paths)} calibration files (*.qca.txt); name the one to use")
    cameras = read_qualisys(paths[0])
    frames = tqdm(instants(folder, cameras, every), desc="multiview", unit="instant", disable=None)
    views = [view for n, images in frames for view in views_of(n, cameras, [people(image) for image in images])]
    if not views:
        raise InputError(f"no person in {folder} is seen by two cameras at once")
    return report(views) | {"every": every}


def views_of(instant: int, cameras: Sequence[Camera], found: Sequence[Sequence[Row]]) -> Errors:
    """One record for each camera that sees the common person of an instant; headings in degrees.

    Args:
        instant: number of the instant.
        cameras: of the rig.
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calibration", type=Path, help="calibration file, by default the one in the folder")
    parser.add_argument("--every", type=int, default=1, help="every n-th instant only")
    parser.add_argument("--out", type=Path, help="save the report as JSON")
    options = parser.parse_args()
    result = evaluate(options.folder, options.calibration, options.every)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1, sort_keys=True))
    print(table(result))


if __name__ == "__main__":
    main()
