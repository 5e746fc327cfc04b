"""The command ``phq evaluate gan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phq.system.extras import needs_train


def gan_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    data: Annotated[str, typer.Option(help="Dataset to measure against, folder or URL.", metavar="DATASET")],
    out: Annotated[Path | None, typer.Option(help="The JSON; by default RUN/evaluation/IMAGES.json.")] = None,
    count: Annotated[int, typer.Option(min=2, help="Pictures of a distance, real and generated.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures rendered at a time.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Seed of latents and of the choice of pictures.")] = 0,
    checkpoint: Annotated[int | None, typer.Option(help="The one after so many images; by default the newest.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    overlay: Annotated[str, typer.Option(help="State of the dataset: none, an overlay's name, or latest.")] = "latest",
    truth_overlay: Annotated[
        str | None, typer.Option(help="State whose poses are true, if known: none or an overlay's name.")
    ] = None,
) -> None:
    """Fréchet distances, view consistency, poses and masks of a trained generator, to one JSON."""
    with needs_train("phq evaluate gan"):
        from phq.generator.evaluate.run import evaluate  # torch: not for --help
        from phq.generator.evaluate.table import table
    report = evaluate(
        run, data, out=out, count=count, batch=batch, seed=seed, checkpoint=checkpoint, device=device, overlay=overlay,
        truth=truth_overlay,
    )  # fmt: skip
    typer.echo(table(report))
