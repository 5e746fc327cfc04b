"""`report`: a dataset on one page. What ``phq report`` does is this one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phq.dataset.derived import check_drawing
from phq.dataset.embedded import bodies_of
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import ConfigError
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.view.report.choose import choose
from phq.view.report.content import content
from phq.view.report.page import page, plotly_js
from phq.view.report.rows import read_rows

NAME = "report.html"


@dataclass(frozen=True)
class Reported:
    """The files of a report, and its counts."""

    page: Path
    kept: int
    rejected: int
    pictures: list[Path]
    """The main figures as PNG."""
    unreadable: int
    """Pictures that the page would show and that cannot be read."""


@disk_errors_explained
def report(
    dataset: str | Path,
    out: str | Path | None = None,
    *,
    revision: str | None = LATEST,
    png_dir: str | Path | None = None,
    body: str | None = None,
) -> Reported:
    """Write the report of a dataset: one HTML file that needs no network. Same dataset, same bytes.

    Args:
        dataset: folder or URL.
        out: the page; by default ``report.html`` in the dataset's folder.
        revision: see `phq.dataset.overlays.names_up_to`.
        png_dir: folder for the main figures as PNG.
        body: spec of `phq.pose.body_choice`, to draw records that name that body; without it the embedded body is
            drawn for them, from the labels below theirs.

    Raises:
        InputError: no dataset, or no such revision.
        ConfigError: the dataset is a URL and `out` is missing, or the body cannot be chosen.
        WeightError: the body's file cannot be used.
        OutputError: a file exists and phq did not draw it, or one cannot be written.
        MissingExtraError: Plotly or Matplotlib is not installed.
    """
    plotly_js()  # a missing package is reported before any work
    if png_dir is not None:
        from phq.view.report.figures import write_figures  # Matplotlib
    opened = Dataset(dataset, revision=revision, rejects=True)
    if out is None and opened.root.local is None:
        raise ConfigError(f"{dataset} is not on this machine: choose with --out where to write the report")
    path = check_drawing(Path(out) if out is not None else Path(str(opened.root.local)) / NAME, ".html", ".htm")
    rows = read_rows(opened, bodies_of(opened, body))
    shown = content(rows, choose(rows))
    write_bytes(path, page(shown))
    pictures = write_figures(Path(png_dir), rows, shown) if png_dir is not None else []
    return Reported(path, int(rows.kept.sum()), int((~rows.kept).sum()), pictures, shown["unreadable"])
