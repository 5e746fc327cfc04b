"""`report`: a dataset on one page. What ``phq report`` does is this one call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from phq.dataset.derived import is_drawn
from phq.dataset.embedded import bodies_of
from phq.dataset.overlays import LATEST
from phq.dataset.reader import Dataset
from phq.errors import ConfigError, OutputError
from phq.system.atomic import write_bytes
from phq.view.report.choose import choose
from phq.view.report.content import content
from phq.view.report.page import page, plotly_js
from phq.view.report.rows import read_rows

NAME = "report.html"


@dataclass(frozen=True)
class Reported:
    """What was written."""

    page: Path
    kept: int
    rejected: int
    pictures: list[Path]
    """The main figures as PNG."""


def report(
    dataset: str | Path,
    out: str | Path | None = None,
    *,
    overlay: str | None = LATEST,
    png_dir: str | Path | None = None,
    body: str | None = None,
) -> Reported:
    """Write the report of a dataset: one HTML file that needs no network. Same dataset, same bytes.

    Args:
        dataset: folder or URL. out: the page; by default ``report.html`` in the dataset's folder.
        overlay: the state, see `phq.dataset.overlays.names_up_to`. png_dir: folder for the main figures as PNG.
        body: a word of `phq.pose.body_choice`, to draw records that name that body; without it the embedded body is
            drawn for them, from labels below.

    Raises:
        InputError: no dataset, or no such state.
        ConfigError: a dataset on the net, and no `out`; a body that cannot be chosen.
        WeightError: the body's file cannot be used.
        OutputError: a file that phq did not draw is in the way, or it cannot be written.
        MissingExtraError: Plotly or Matplotlib is not installed.
    """
    plotly_js()  # what is missing is said at once
    if png_dir is not None:
        from phq.view.report.figures import write_figures  # Matplotlib
    opened = Dataset(dataset, overlay=overlay, rejects=True)
    if out is None and opened.root.local is None:
        raise ConfigError(f"{dataset} is on the net: say with --out where the report is to be written")
    place = Path(out) if out is not None else Path(str(opened.root.local)) / NAME
    if place.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{place} is to be a page; choose a name that ends in .html")
    check_replaceable(place)
    rows = read_rows(opened, bodies_of(opened, body))
    chosen = choose(rows)
    said = content(rows, chosen)
    write_bytes(place, page(said))
    pictures = write_figures(Path(png_dir), rows, said) if png_dir is not None else []
    return Reported(place, int(rows.kept.sum()), int((~rows.kept).sum()), pictures)


def check_replaceable(path: Path) -> None:
    """Let a path pass where nothing is, or what phq drew.

    Raises:
        OutputError: something else is there.
    """
    if path.exists() and not is_drawn(path):
        raise OutputError(f"{path} already exists and phq did not draw it; choose another name")
