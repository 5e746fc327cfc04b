"""The commands ``phq redact``, ``merge``, ``split``, ``stats``, ``show`` and ``export coco``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from phq.errors import ConfigError

Dataset = Annotated[Path, typer.Argument(help="Folder of a phq dataset.")]
Readable = Annotated[str, typer.Argument(help="Folder or URL of a phq dataset.")]
State = Annotated[str, typer.Option("--overlay", help="State: none, an overlay's name, or latest.")]


class By(str, Enum):
    """What keeps samples together, known without loading numpy."""

    IDENTITY = "identity"
    SOURCE = "source"


def redact_command(
    dataset: Dataset,
    keys: Annotated[list[str] | None, typer.Argument(help="Whole keys of samples.", metavar="KEY…")] = None,
    source: Annotated[str | None, typer.Option(help="A photo: its source_path, or a file with its bytes.")] = None,
    reason: Annotated[str, typer.Option(help="Kept in the tombstone.")] = "",
) -> None:
    """Take samples out of a dataset so that nothing of them is left; a tombstone keeps them out."""
    from phq.curate.redact import lines, redact  # numpy and Arrow: not for --help

    for line in lines(redact(dataset, keys or (), source=source, reason=reason)):
        typer.echo(line)


def merge_command(
    folders: Annotated[list[str], typer.Argument(help="Datasets, then the new folder.", metavar="A B… OUT")],
    overlay: State = "latest",
    bits: Annotated[int | None, typer.Option(help="Most bits between hashes of duplicates. [default: 6]")] = None,
    keep_duplicates: Annotated[bool, typer.Option("--keep-duplicates", help="Only record look-alikes.")] = False,
) -> None:
    """Put the samples of several datasets into a new one: each picture once, no photo or person in two splits."""
    from phq.curate.merge import merge

    if len(folders) < 3:
        raise ConfigError("phq merge A B OUT: at least two datasets, then the folder of the new one")
    done = merge(folders[:-1], folders[-1], overlay=overlay, bits=bits, keep_duplicates=keep_duplicates, quiet=False)
    typer.echo(f"kept {done.kept}   rejected {done.rejected}   {done.out}")
    for count, text in (
        (done.same, "records that several datasets had, there once"),
        (done.duplicates, "duplicates thrown out"),
        (done.moved, "samples moved to train, where a linked one is"),
        (done.redacted, "records left out, redacted in one of the datasets"),
    ):
        if count:
            typer.echo(f"  {count:6d}  {text}")


def split_command(
    dataset: Dataset,
    by: Annotated[By, typer.Option(help="What must not be in two splits: a photo, or a person too.")],
    name: Annotated[str, typer.Option(help="Name of the overlay.")],
    val: Annotated[float, typer.Option(help="Fraction that goes to val.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Of the division.")] = 0,
) -> None:
    """Divide a dataset anew, as an overlay; phq bake makes it physical."""
    from phq.curate.split import split

    done = split(dataset, name, by.value, val=val, seed=seed)
    total = sum(done.sizes.values())
    sizes = "   ".join(f"{part} {count} ({count / total:.1%})" for part, count in done.sizes.items())
    typer.echo(f"overlay {done.name}   {sizes}   {done.moved} moved")
    typer.echo(f"{done.groups} groups stay together, the largest of {done.largest} samples")


def stats_command(
    dataset: Readable,
    overlay: State = "latest",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Counts, directions, scores, reasons, licences and sizes."""
    import json

    from phq.view.stats import stats, text

    found = stats(dataset, overlay)
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False) if as_json else text(found))


def show_command(
    dataset: Readable,
    key: Annotated[str, typer.Argument(help="Key of a sample, or its beginning.")],
    overlay: State = "latest",
    out: Annotated[Path | None, typer.Option(help="PNG: the picture, what was seen in it, the fitted body.")] = None,
    body: Annotated[str | None, typer.Option(help="SMPL file to draw labels with that are for it.")] = None,
) -> None:
    """The record of one sample, and a picture of its labels."""
    from phq.view.show import show

    shown = show(dataset, key, overlay=overlay, out=out, body=body)
    typer.echo(shown.text)
    if shown.picture:
        typer.echo(f"picture   {shown.picture}")


def coco_command(
    dataset: Readable,
    out: Annotated[Path, typer.Argument(help="New folder of labels.json and, without --photos, the crops.")],
    photos: Annotated[Path | None, typer.Option(help="Folder of the photos: show these, not the crops.")] = None,
    overlay: State = "latest",
    where: Annotated[str | None, typer.Option(help="Only samples for which this SQL condition holds.")] = None,
) -> None:
    """Boxes, landmarks, masks and scores as COCO annotations, for FiftyOne, CVAT and others."""
    from phq.exchange.coco import export_coco

    done = export_coco(dataset, out, photos=photos, overlay=overlay, where=where, quiet=False)
    typer.echo(f"{done.pictures} pictures with {done.people} people   {done.out}")
    if done.missing:
        typer.echo(f"{done.missing} photos were not found in {photos} and are left out")
