"""The main figures as PNG, for a paper or a README."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pil
from scipy.ndimage import gaussian_filter

from phq.dataset.derived import check_drawing, signed_png
from phq.errors import MissingExtraError
from phq.reasons import RULES, SCORES
from phq.schema import SCHEMA_VERSION
from phq.system.arrays import Doubles
from phq.system.atomic import write_bytes
from phq.view.report.facts import masses
from phq.view.report.pictures import TILE
from phq.view.report.rows import Rows

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as _error:
    raise MissingExtraError("matplotlib", "report", "a report with --png-dir") from _error

_BLUE, _RED, _GREY = "#2467b3", "#d9413d", "#8a949e"
_STEP = 3.0
"""Degrees of a cell of a density."""
_ACROSS = 4


def write_figures(folder: Path, rows: Rows, content: dict[str, Any]) -> list[Path]:
    """Write directions, heads, scores, reasons and bodies as PNG; the paths of the files.

    Args:
        folder: made if needed.
        rows: of the dataset.
        content: of the page, see `phq.view.report.content`.

    Raises:
        OutputError: a file exists and phq did not draw it, or one cannot be written.
    """
    paths = {name: folder / f"{name}.png" for name in ("directions", "heads", "scores", "reasons", "bodies")}
    for path in paths.values():
        check_drawing(path, ".png")
    drawn = {
        "directions": _png(_density(rows, ("camera_yaw_deg", "camera_pitch_deg"), (180.0, 60.0), wrap=True)),
        "heads": _png(_density(rows, ("turn", "nod"), (90.0, 60.0), wrap=False)),
        "scores": _png(_scores(rows)),
        "reasons": _png(_reasons(content)),
        "bodies": _bodies(content),
    }
    for name, path in paths.items():
        write_bytes(path, drawn[name])
    return list(paths.values())


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=150, metadata={"Software": SCHEMA_VERSION})  # see phq.dataset.derived
    return stream.getvalue()


def _density(rows: Rows, names: tuple[str, str], reach: tuple[float, float], wrap: bool) -> Figure:
    """Smoothed density of two angles of the kept samples with its margins, as in 360°PHQ's figure."""
    x, y = (rows.numbers[name][rows.kept] for name in names)
    known = np.isfinite(x) & np.isfinite(y)
    edges = [np.arange(-end, end + _STEP, _STEP) for end in reach]
    counts = np.histogram2d(y[known], x[known], edges[::-1])[0]
    sigma = max(4.0, 30.0 * max(int(known.sum()), 1) ** (-1 / 6)) / _STEP  # Scott 1992, two axes
    sigmas, modes = (sigma / 2, sigma if wrap else sigma / 2), ("constant", "wrap" if wrap else "constant")
    z = gaussian_filter(counts, sigmas, mode=modes)
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplot_mosaic([["top", "."], ["main", "side"]], width_ratios=[7, 1], height_ratios=[1, 4])
    axes["main"].set(xlabel=names[0], ylabel=names[1], xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
    middles = [(edge[:-1] + edge[1:]) / 2 for edge in edges]
    axes["main"].pcolormesh(*middles, z, cmap="Blues", shading="gouraud", rasterized=True)
    axes["top"].fill_between(middles[0], z.sum(0), color=_BLUE, alpha=0.6)
    axes["side"].fill_betweenx(middles[1], z.sum(1), color=_BLUE, alpha=0.6)
    axes["top"].set(xlim=axes["main"].get_xlim(), ylim=(0, None))
    axes["side"].set(ylim=axes["main"].get_ylim(), xlim=(0, None))
    for name in ("top", "side"):
        axes[name].axis("off")
    if wrap:
        _directions(axes["main"], axes["top"], masses(rows))
    return figure


def _directions(main: Axes, top: Axes, shares: dict[str, float]) -> None:
    main.set_xticks(range(-180, 181, 30))
    for at in (-120, -60, 60, 120):
        main.axvline(at, color=_GREY, linewidth=0.8, linestyle=":")
    text = ", ".join(f"{name} {shares[name]:.1%}" for name in ("front", "side", "back"))
    top.set_title(f"{text}; behind the shoulders {shares['behind']:.1%}", fontsize=9)


def _scores(rows: Rows) -> Figure:
    """Histograms of the scores that vary, with thresholds; kept and rejected."""
    varied = [name for name in SCORES if np.ptp(_known(rows.numbers[name]) if len(_known(rows.numbers[name])) else [0])]
    down = max(1, -(-len(varied) // _ACROSS))
    figure = Figure(figsize=(11, 1.7 * down))
    figure.subplots_adjust(left=0.02, right=0.98, bottom=0.25 / down, top=1 - 0.2 / down, hspace=0.5, wspace=0.1)
    grid = figure.subplots(down, _ACROSS, squeeze=False).ravel()
    for axes, name in zip(grid, varied, strict=False):
        _histogram(axes, rows, name)
    for axes in grid[len(varied) :]:
        axes.axis("off")
    return figure


def _known(values: Doubles) -> Doubles:
    return values[np.isfinite(values)]


def _histogram(axes: Axes, rows: Rows, name: str) -> None:
    values = rows.numbers[name]
    limits = [rows.thresholds[rule.address] for rule in RULES if rule.score == name and rule.address in rows.thresholds]
    low, high = np.percentile(_known(values), [0.5, 99.5])
    edges = np.linspace(min(low, *limits, high), max(high, *limits, low), 41).tolist()
    for chosen, colour in ((rows.kept, _BLUE), (~rows.kept, _RED)):
        axes.hist(np.clip(_known(values[chosen]), edges[0], edges[-1]), edges, color=colour, alpha=0.65)
    for limit in limits:
        axes.axvline(limit, color=_RED, linewidth=1, linestyle="--")
    axes.set_title(name, fontsize=9, loc="left")
    axes.set_yticks([])
    axes.tick_params(labelsize=7)


def _reasons(content: dict[str, Any]) -> Figure:
    """Counts of kept samples and of rejects by reason."""
    names = ["kept", *(reason["name"] for reason in content["reasons"])]
    counts = [content["rows"]["kept"], *(reason["count"] for reason in content["reasons"])]
    figure = Figure(figsize=(7, 0.6 + 0.3 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, counts, color=["#1f9d58", *[_RED] * (len(names) - 1)])
    axes.bar_label(bars, padding=3, fontsize=8)
    axes.invert_yaxis()
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
    return figure


def _bodies(content: dict[str, Any]) -> bytes:
    """A column every 30°: of each sample the picture, and under it the same with the body."""
    most = max((len(group["tiles"]) for group in content["around"]), default=0)
    sheet = Pil.new("RGB", (TILE * len(content["around"]), 2 * TILE * max(most, 1)), "white")
    for column, group in enumerate(content["around"]):
        for place, tile in enumerate(_tiles(group)):
            sheet.paste(tile, (column * TILE, place * TILE))
    return signed_png(np.asarray(sheet))


def _tiles(group: dict[str, Any]) -> Iterator[Pil.Image]:
    for tile in group["tiles"]:
        for name in ("picture", "body"):
            yield Pil.open(io.BytesIO(base64.b64decode(tile[name])))
