"""The command ``phq verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def verify_command(
    dataset: Annotated[Path, typer.Argument(help="Folder of a phq dataset.")],
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be, without loss.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the contents of images and masks unread.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON too.")] = None,
) -> None:
    """Check every byte of a dataset and every rule of its format; exit code 1 if one is broken."""
    from phq.health.repair import repair as mend  # numpy and Arrow: not for --help
    from phq.health.verify import verify
    from phq.shards.atomic import write_bytes

    report = (mend if repair else verify)(dataset, quick=quick, workers=workers, quiet=False)
    for line in report.lines():
        typer.echo(line)
    if json:
        write_bytes(json, report.to_json())
    if not report.clean:
        raise typer.Exit(1)
