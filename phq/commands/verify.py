"""The command ``phq verify``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phq.errors import OutputError


def verify_command(
    dataset: Annotated[Path, typer.Argument(help="Folder of a phq dataset.")],
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be, without loss.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the contents of images and masks unread.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the report as JSON too.")] = None,
) -> None:
    """Check every byte of a dataset and every rule of its format; exit code 1 if one is broken."""
    from phq.curate.verify.repair import repair as mend  # numpy and Arrow: not for --help
    from phq.curate.verify.verify import verify
    from phq.system.atomic import write_bytes

    if json and json.exists() and not _is_report(json):
        raise OutputError(f"{json} is no report of phq and would be replaced; choose another name")
    report = (mend if repair else verify)(dataset, quick=quick, workers=workers, quiet=False)
    for line in report.lines():
        typer.echo(line)
    if json:
        write_bytes(json, report.to_json())
    if not report.clean:
        raise typer.Exit(1)


def _is_report(path: Path) -> bool:
    """Whether an earlier call wrote it."""
    return path.is_file() and path.read_bytes().startswith(b'{\n  "dataset": ')
