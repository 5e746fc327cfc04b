"""The command ``phq balance``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def balance_command(
    dataset: Annotated[Path, typer.Argument(help="Folder of a phq dataset.")],
    target: Annotated[str, typer.Option(help="uniform-yaw, or front-back=R: front half R times the back half.")],
    name: Annotated[str, typer.Option(help="Name of the overlay.")] = "balance",
    quality_min: Annotated[
        list[str] | None, typer.Option("--quality-min", help="SCORE=VALUE, e.g. blur=0.5 (repeatable).")
    ] = None,
    cap: Annotated[float, typer.Option(min=1.0, help="Most that a sample weighs; the mean is 1.")] = 5.0,
    subset: Annotated[int | None, typer.Option(min=1, help="Choose so many samples, in place of weights.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the subset.")] = 0,
) -> None:
    """Even out yaw, pitch and head pose: a column of sampling weights, as an overlay."""
    from phq.curate.balance.balancing import balance, lines  # numpy and Arrow: not for --help

    done = balance(dataset, target, name, quality_min=quality_min or (), cap=cap, subset=subset, seed=seed)
    for line in lines(done):
        typer.echo(line)
