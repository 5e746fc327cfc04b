"""The commands ``phq review`` and ``phq calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Dataset = Annotated[Path, typer.Argument(help="Folder of a phq dataset.")]
PORT = 7360


def review_command(
    dataset: Dataset,
    stats: Annotated[bool, typer.Option("--stats", help="Only count the marks and compare reviewers.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --stats: as JSON.")] = False,
    reviewer: Annotated[str, typer.Option(help="Name that the page offers. [default: your login]")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 for any that is free.")] = PORT,
    token: Annotated[
        str | None,
        typer.Option(envvar="PHQ_REVIEW_TOKEN", help="Of the link, so that it stays. [default: a new one]"),
    ] = None,
    body: Annotated[str | None, typer.Option(help="SMPL file to draw labels with that are for it.")] = None,
) -> None:
    """Look at samples in the browser and mark them; Ctrl-C stops, and puts the marks into an overlay."""
    if stats:
        _print_stats(dataset, as_json)
        return
    from phq.view.review.serving import serve

    name = serve(dataset, port=port, token=token, reviewer=reviewer or _login(), body=body, tell=typer.echo)
    typer.echo(f"marks are in the overlay {name}" if name else "no new marks")


def _print_stats(dataset: Path, as_json: bool) -> None:
    import json

    from phq.view.review.agreement import lines, record, review_stats

    found = review_stats(dataset)
    if as_json:
        typer.echo(json.dumps(record(found), indent=2, ensure_ascii=False))
        return
    for line in lines(found):
        typer.echo(line)


def _login() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a number that has no name
        return ""


def calibrate_command(
    dataset: Dataset,
    out: Annotated[Path | None, typer.Option(help="TOML file to write, for --config of decide and build.")] = None,
    preset: Annotated[str | None, typer.Option(help="Thresholds to start from. [default: the dataset's]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with thresholds to start from.")] = None,
    least: Annotated[int, typer.Option(min=1, help="Marks to keep, and to reject, that there must be.")] = 20,
) -> None:
    """Move the thresholds so that they agree with the marks of a review."""
    from phq.view.review.calibrate import calibrate, lines, write_config

    result = calibrate(dataset, preset=preset, config=config, least=least)
    for line in lines(result):
        typer.echo(line)
    if out is not None:
        write_config(out, result)
        typer.echo(f"written to {out}")
