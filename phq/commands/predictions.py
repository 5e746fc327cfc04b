"""The options of ``phq annotate --predictions``, and what it prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phq.commands.output import echo, report
from phq.errors import ConfigError

if TYPE_CHECKING:
    from phq.curate.predictions.annotation import Predictions, PredictionsResult

_PANEL = "Predictions from elsewhere"


class KindName(str, Enum):
    """Names of `phq.curate.predictions.conventions.KINDS`, known without loading Arrow."""

    SMPL = "smpl"
    SMPLX = "smplx"
    HEADPOSE = "headpose"
    KEYPOINTS = "keypoints"


PredictionsFile = Annotated[
    Path | None,
    typer.Option(help="Labels of another program: Parquet, CSV, npz, JSON lines, or a folder of npz.",
                 show_default="none", rich_help_panel=_PANEL),
]  # fmt: skip
Kind = Annotated[
    KindName | None,
    typer.Option("--as", help="What the predictions are.", show_default="none", rich_help_panel=_PANEL),
]
ConventionNames = Annotated[
    str,
    typer.Option(help="What the numbers mean: a program, as whenet, and names such as radians,y-up.",
                 metavar="NAME,…", show_default="OpenCV, full image, degrees", rich_help_panel=_PANEL),
]  # fmt: skip
Fuse = Annotated[
    bool, typer.Option("--fuse/--replace", help="Weigh with the labels there are, or replace them.",
                       rich_help_panel=_PANEL),
]  # fmt: skip
Sigma = Annotated[
    float | None,
    typer.Option(min=0.01, help="Standard deviation of the predictions, degrees (of keypoints: pixels).",
                 show_default="the file's, or estimated", rich_help_panel=_PANEL),
]  # fmt: skip
Source = Annotated[
    str, typer.Option(help="Program that made them.", show_default="that of --convention", rich_help_panel=_PANEL)
]
SourceVersion = Annotated[
    str, typer.Option(help="Its version.", show_default="not stated", rich_help_panel=_PANEL)
]  # fmt: skip
Licence = Annotated[
    str,
    typer.Option(help="Licence of the predictions.", show_default="that of the program", rich_help_panel=_PANEL),
]
TrustConvention = Annotated[
    bool,
    typer.Option("--trust-convention", help="Take the convention as stated even if the labels say otherwise.",
                 rich_help_panel=_PANEL),
]  # fmt: skip


def refuse_beside(option: str, others: Sequence[str]) -> None:
    """Refuse options that mean nothing beside another one.

    Raises:
        ConfigError: there are some.
    """
    if others:
        raise ConfigError(f"{option} takes labels from a file and runs no network: leave out {', '.join(others)}")


def refuse_without_predictions(*stated: Any) -> None:
    """Refuse options of predictions where there are none.

    Raises:
        ConfigError: one is stated.
    """
    if any(value not in (None, "", False) for value in stated):
        raise ConfigError("--as, --convention, --fuse, --sigma, --source and --licence are about --predictions FILE")


def predictions_of(  # noqa: PLR0913, PLR0917 - one parameter an option
    file: Path,
    kind: KindName | None,
    convention: str,
    fuse: bool,
    sigma: float | None,
    source: str,
    version: str,
    licence: str,
    trusted: bool,
) -> Predictions:
    """The options as one value.

    Raises:
        ConfigError: the kind is missing.
    """
    from phq.curate.predictions.annotation import FUSE, REPLACE, Predictions

    if kind is None:
        raise ConfigError(f"--predictions needs --as, one of {', '.join(KindName)}")
    mode = FUSE if fuse else REPLACE
    return Predictions(file, kind.value, convention, mode, sigma, source, version, licence, trusted)


def annotate_with_file(
    dataset: Path,
    name: str,
    predictions: Predictions,
    revision: str,
    where: str | None,
    body: str | None,
    json: str | None,
) -> None:
    """Take predictions, and report."""
    from phq.curate.predictions.annotation import annotate_from_predictions

    done = annotate_from_predictions(dataset, name, predictions, revision=revision, where=where, body=body, notify=echo)
    report("annotate", done, _lines(done), json)


def _lines(done: PredictionsResult) -> Iterator[str]:
    unit = "px" if done.kind == "keypoints" else "°"
    apart = "% of the box" if done.kind == "keypoints" else "°"
    yield f"\nrows {done.rows}   samples with new labels {done.matched}   without a row {done.unmatched}"
    yield f"convention {done.convention}"
    yield f"median distance from the labels before {done.apart:.1f}{apart}; sigma {done.sigma:.1f}{unit}; {done.mode}"
    yield f"\n  {done.model.name}  {done.model.licence}  {done.model.purpose}"
    yield f"\noverlay {done.name}; phq decide takes the decisions again"
