"""A report of `phq.generator.evaluate.run.evaluate` for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from phq.camera.sides import SIDES
from phq.generator.evaluate.poses import PARTS

_COLUMNS = ("all", *SIDES)


def table(report: dict[str, Any]) -> str:
    """A few lines of Markdown; the JSON has more."""
    lines = [f"after {report['images']} images, {report['run']} on {report['dataset']}", ""]
    for name, title in (("fd_mobilenetv2", "FD-MobileNetV2"), ("fid", "FID")):
        if report[name] is not None:
            lines += [*_distances(title, report[name]), ""]
    if report["kid"]:
        kid = ", ".join(f"{name} {found['mean']:.4f}" for name, found in report["kid"].items())
        lines += [f"KID: {kid}", ""]
    if "fid_missing" in report:
        lines += [f"no FID: {report['fid_missing']}", ""]
    return "\n".join([*lines, _consistency(report["view_consistency"]["all"]), "", *_poses(report["poses"] or {}), "",
                      _masks(report["masks"])])  # fmt: skip


def _distances(title: str, found: dict[str, Any]) -> Iterator[str]:
    counted = [f"{name} (n {found['images'][name]})" for name in _COLUMNS]
    yield f"| {title} | {' | '.join(counted)} |"
    yield "|" + "---|" * (1 + len(_COLUMNS))
    covers = []
    for how in ("coupled", "decoupled", "untrained"):
        numbers = [_number(found[how][name], ".1f") for name in _COLUMNS]
        yield f"| {how} | {' | '.join(numbers)} |"
        covered = ", ".join(f"{name} {found[how][name]:.2f}" for name in ("precision", "recall"))
        covers.append(f"{how}: {covered}")
    yield f"| mean image | {found['mean_image']:.1f} |"
    halves = found["real_halves"]
    yield f"| real against real (n {halves['images']}) | {_number(halves['distance'], '.1f')} |"
    yield f"| falls from the untrained network by | {found['fall']:.0%} |"
    yield ""
    yield f"precision and recall, {'; '.join(covers)}"


def _consistency(found: dict[str, Any]) -> str:
    same, different = (_number(found[name]["difference"], ".4f") for name in ("same", "different"))
    ratio = _number(found["ratio"], ".1f")
    return f"colour difference over 30°: same person {same}, two people {different}, ratio {ratio}"


def _poses(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        yield "no poses: the run has no network that predicts them"
        return
    yield "| pose off by, degrees, mean | neck | head | head on torso |"
    yield "|---|---|---|---|"
    for split, errors in found.items():
        for against, of in errors.items():
            for subject, parts in of.items() if against != "images" else ():
                row = " | ".join(f"{parts[part]['mean']:.1f}" for part in PARTS)
                yield f"| {split}, {subject} {against.replace('_', ' ')} | {row} |"


def _masks(found: dict[str, Any]) -> str:
    return (
        f"masks: IoU with a segmenter {found['iou_generated']:.2f} (dataset: {found['iou_dataset']:.2f}); "
        f"person on {found['foreground_generated']:.0%} of a picture (dataset: {found['foreground_dataset']:.0%})"
    )


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
