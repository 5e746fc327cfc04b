"""The command ``phq evaluate pose``: labels against either kind of truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phq.dataset.derived import check_drawing
from phq.evaluate import pose, yaw


def evaluate(dataset: Path, truth: Path, out: Path | None = None) -> tuple[dict[str, Any], str]:
    """Report of a dataset, and the same as text.

    Args:
        dataset: folder.
        truth: folder of renders (`phq.evaluate.truth`), or JSON file of headshots (`phq.evaluate.headshots`).
        out: PNG to draw `p_flip` and `yaw_sigma_deg`, stated against found; None for none.

    Raises:
        InputError: the truth cannot be used, or the dataset is not of it.
        OutputError: `out` is a file that phq did not draw.
        MissingExtraError: `out` is given and matplotlib is not installed.
    """
    kind = pose if truth.is_dir() else yaw
    if out is None:
        report = kind.evaluate(dataset, truth)
        return report, kind.table(report)
    check_drawing(out, ".png")
    from phq.evaluate.reliability_picture import draw_reliability  # matplotlib is an extra

    report = kind.evaluate(dataset, truth)
    draw_reliability(out, report["people"], f"{dataset.name}, {len(report['people'])} people")
    return report, kind.table(report)
