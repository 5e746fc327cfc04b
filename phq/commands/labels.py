"""The commands ``phq export labels`` and ``phq import``."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class FormatName(str, Enum):
    """Names of `phq.exchange.formats.FORMATS`, known without loading numpy."""

    PORTRAITGAN = "3dportraitgan"
    EG3D = "eg3d"
    PANOHEAD = "panohead"
    SPHEREHEAD = "spherehead"


Format = Annotated[FormatName, typer.Option("--format", help="Generator whose loader reads or wrote the set.")]

export_app = typer.Typer(help="Write a dataset in the format of another program.", no_args_is_help=True)


@export_app.callback()
def _group() -> None:
    """With one command alone, Typer would leave out its name."""


@export_app.command("labels")
def export_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    dataset: Annotated[Path, typer.Argument(help="Folder of a phq dataset.")],
    out: Annotated[Path, typer.Argument(help="NAME.zip, or a folder; masks go to NAME-mask beside it.")],
    format: Format,
    split: Annotated[str | None, typer.Option(help="train or val. [default: both]")] = None,
    masks: Annotated[bool, typer.Option(help="Write the masks.")] = True,
    size: Annotated[int | None, typer.Option(min=32, help="Side of the pictures. [default: that of the crops]")] = None,
    raw: Annotated[Path | None, typer.Option(help="Folder of the photos: cut from them, not from the crops.")] = None,
    overlay: Annotated[str, typer.Option(help="State: none, an overlay's name, or latest.")] = "latest",
) -> None:
    """Pictures and dataset.json for 3DPortraitGAN, EG3D, PanoHead or SphereHead."""
    from phq.exchange.export import export_labels  # numpy and Arrow: not for --help

    done = export_labels(
        dataset, out, format.value, split=split, masks=masks, size=size, raw=raw, overlay=overlay, quiet=False
    )
    typer.echo(f"{done.count} pictures with labels   {done.images}")
    if done.masks:
        typer.echo(f"their masks   {done.masks}")
    if done.beyond_photo >= 0.0005:
        advice = "" if raw else " or of the crop; --raw PHOTOS fills in what the photos have"
        typer.echo(f"{done.beyond_photo:.1%} of the pictures' area lies beyond the edge of the photo{advice}")


def import_command(
    source: Annotated[Path, typer.Argument(help="Zip or folder with dataset.json. Read only.")],
    out: Annotated[Path, typer.Argument(help="Folder of the dataset; an interrupted import is continued.")],
    format: Format,
    masks: Annotated[Path | None, typer.Option(help="Zip or folder with a mask for each picture.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the split.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
    sidecar: Annotated[
        Path | None, typer.Option(help="CSV or JSON: path, licence, author, source, identity of each picture.")
    ] = None,
) -> None:
    """Make a dataset of a labelled image set of 3DPortraitGAN (360PHQ), EG3D, PanoHead or SphereHead."""
    from phq.exchange.importing import import_labels  # numpy and Arrow: not for --help

    done = import_labels(source, out, format.value, masks, seed=seed, workers=workers, sidecar=sidecar, quiet=False)
    typer.echo(f"kept {len(done.kept)}   rejected {len(done.rejects)}   {done.out}")
    for reason, count in sorted(Counter(row["reason"] for row in done.rejects).items()):
        typer.echo(f"  {count:6d}  {reason}")
    for line in done.coverage.sentences() if done.coverage else ():
        typer.echo(line)
