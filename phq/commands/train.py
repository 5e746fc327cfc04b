"""The command ``phq train``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from phq.system.extras import needs_train


class Preset(str, Enum):
    """Names of the files in phq/generator/networks/presets, known without pydantic."""

    TINY = "tiny"
    PAPER_256 = "paper-256"
    PAPER_512 = "paper-512"


def train_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    datasets: Annotated[list[str], typer.Argument(help="Folders or URLs, trained on together.", metavar="DATASET…")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    preset: Annotated[Preset | None, typer.Option(help="Model and schedule. [default: tiny]")] = None,
    kimg: Annotated[float | None, typer.Option(min=0.001, help="Length, thousands of real images.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in OUT.")] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file over the preset.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. training.losses.r1=5 (repeatable).")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    overlay: Annotated[
        list[str] | None, typer.Option(help="State to read: none, an overlay's name, or latest; once, or per dataset.")
    ] = None,
) -> None:
    """Train the bundled 3D generator; with torchrun on many GPUs."""
    with needs_train("phq train"):
        from phq.generator.train.run import train  # torch: not for --help
    name = preset.value if preset else None
    done = train(
        datasets, out, preset=name, file=config, sets=set_ or (), kimg=kimg, resume=resume, device=device,
        overlays=overlay or (), quiet=False, say=typer.echo,
    )  # fmt: skip
    if done.first and done.finished:
        typer.echo(f"{done.images} images   {done.out}")
    if not done.finished:
        if done.first:
            typer.echo(f"phq: stopped after {done.images} images, which are saved; --resume goes on", err=True)
        raise typer.Exit(130)
