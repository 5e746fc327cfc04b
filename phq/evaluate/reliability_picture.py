"""The picture of `phq.evaluate.reliability`: stated doubt across, what was found up."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from scipy.stats import halfnorm

from phq.dataset.derived import check_drawing
from phq.errors import MissingExtraError
from phq.evaluate.reliability import People, flip_reliability, sigma_ratios
from phq.schema import SCHEMA_VERSION
from phq.system.atomic import write_bytes

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as _error:
    raise MissingExtraError("matplotlib", "report", "phq evaluate pose --out") from _error

_BLUE, _RED, _GREY = "#2467b3", "#d9413d", "#8a949e"
_FARTHEST = 4.0
"""Multiples of σ that are drawn."""
_LEAST = 1e-3
"""`p_flip` below this is drawn there."""


def draw_reliability(path: Path, people: People, title: str) -> None:
    """Draw both as one PNG.

    Args:
        path: ``.png``; only a picture that phq drew is replaced.
        people: see `phq.evaluate.reliability`.
        title: line above both.

    Raises:
        OutputError: another suffix, a file that phq did not draw, or it cannot be written.
    """
    check_drawing(path, ".png")
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    figure.suptitle(title)
    flips, sigmas = figure.subplots(1, 2)
    _draw_flips(flips, people)
    _draw_sigmas(sigmas, people)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, metadata={"Software": SCHEMA_VERSION})  # see phq.dataset.derived
    write_bytes(path, stream.getvalue())


def _draw_flips(axes: Axes, people: People) -> None:
    line = np.geomspace(_LEAST, 1, 50)
    axes.plot(line, line, color=_GREY, label="as stated")
    axes.fill_between(line, line / 2, np.minimum(2 * line, 1), color=_GREY, alpha=0.15, label="within a factor of two")
    for row in flip_reliability(people):
        x = max(row["stated"], _LEAST)
        axes.plot([x, x], [row["low"], row["high"]], color=_BLUE)
        axes.plot(x, row["found"], "o", color=_BLUE)
        axes.annotate(f"n {row['n']}", (x, row["high"]), (0, 4), textcoords="offset points", ha="center", fontsize=8)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=_LEAST * 10, linscale=0.4)
    axes.set(xlim=(_LEAST * 0.6, 1.6), ylim=(-_LEAST, 1.6), xlabel="stated p_flip, mean of a bin")
    axes.set_xticks([0.001, 0.01, 0.03, 0.1, 0.3, 1], ["≤ 0.001", "0.01", "0.03", "0.1", "0.3", "1"])
    axes.set_yticks([0, 0.01, 0.03, 0.1, 0.3, 1], ["0", "0.01", "0.03", "0.1", "0.3", "1"])
    axes.set(ylabel="found share, torso or head over 90°, 95 % interval", title="p_flip")
    axes.legend(loc="lower right", fontsize=8)


def _draw_sigmas(axes: Axes, people: People) -> None:
    times = np.linspace(0, _FARTHEST, 201)
    _, ratio, beyond = sigma_ratios(people)
    axes.plot(times, halfnorm.cdf(times), color=_GREY, label="normal errors of exactly σ")
    for ratios, colour, label in ((ratio, _BLUE, "found"), (beyond, _RED, "found, beyond the truth's tolerance")):
        if len(ratios):
            axes.plot(times, [(ratios <= limit).mean() for limit in times], color=colour, label=label)
    for limit in (1, 2):
        axes.axvline(limit, color=_GREY, linewidth=0.6, linestyle=":")
    axes.set(xlim=(0, _FARTHEST), ylim=(0, 1.02), xlabel="multiple of stated yaw_sigma_deg")
    axes.set(ylabel="share of torso yaw errors within it", title=f"yaw_sigma_deg, flips left out (n {len(ratio)})")
    axes.legend(loc="lower right", fontsize=8)
