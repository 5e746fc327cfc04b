"""The command ``phq report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report_command(
    dataset: Annotated[str, typer.Argument(help="Folder or URL of a phq dataset.")],
    out: Annotated[Path | None, typer.Option(help="The page. [default: DATASET/report.html]")] = None,
    overlay: Annotated[str, typer.Option(help="State: none, an overlay's name, or latest.")] = "latest",
    png_dir: Annotated[Path | None, typer.Option(help="Folder for the main figures as PNG.")] = None,
    body: Annotated[str | None, typer.Option(help="SMPL file to draw labels with that are for it.")] = None,
) -> None:
    """One self-contained page: directions, scores, rejects, doubtful samples, sources, throughput."""
    from phq.view.report.reporting import report  # numpy, Arrow and Plotly: not for --help

    done = report(dataset, out, overlay=overlay, png_dir=png_dir, body=body)
    for picture in done.pictures:
        typer.echo(f"figure   {picture}")
    typer.echo(f"report   {done.page}")
