"""The command ``phq``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from phq import __version__
from phq.errors import PhqError

app = typer.Typer(
    help="360° portrait datasets: raw photographs in, annotated one-quarter headshots out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"phq {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Options of every command."""


@app.command()
def build(  # noqa: PLR0913, PLR0917 - one parameter an option
    photos: Annotated[str, typer.Argument(help="Folder (recursive), list file (.txt), image or glob. Read only.")],
    out: Annotated[Path, typer.Argument(help="Folder of the dataset; an interrupted build is continued.")],
    preset: Annotated[str | None, typer.Option(help="default, or everything (no thresholds).")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the crops, pixels. [default: 512]")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="The smaller landmark network.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the split.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file over the preset.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. blur.min=0.3 (repeatable).")] = None,
) -> None:
    """Build a dataset from a folder of photos."""
    from phq.building import build as run  # numpy, ONNX Runtime and Arrow: not for --help
    from phq.config import load_config
    from phq.pipeline import models_used
    from phq.summary import summary

    options = {"preset": preset, "size": size, "fast": fast or None, "seed": seed, "config": config, "sets": set_ or ()}
    result = run(photos, out, workers=workers, quiet=False, **options)  # type: ignore[arg-type]
    typer.echo("\n" + summary(result, models_used(load_config(fast=fast))))


evaluate = typer.Typer(help="Errors against exact truth.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")


@evaluate.command("pose")
def evaluate_pose(
    dataset: Annotated[Path, typer.Argument(help="Dataset built from rendered people.")],
    truth: Annotated[Path, typer.Option(help="Folder with their truth, NNNNN.json.")],
) -> None:
    """Yaw, pitch, roll, flips and crop errors, by framing and by side."""
    from phq.evaluate.pose import evaluate as run
    from phq.evaluate.pose import table

    typer.echo(table(run(dataset, truth)))


def main() -> None:
    """Entry point: errors that phq raises on purpose are one sentence and exit code 2; Ctrl-C is 130."""
    try:
        app(standalone_mode=True)
    except PhqError as error:
        typer.echo(f"phq: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("phq: stopped; what is finished is kept, and the same command continues from there", err=True)
        sys.exit(130)
