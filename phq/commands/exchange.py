"""The commands that write a dataset for others: ``phq export labels``, ``coco``, ``crops`` and ``phq publish``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phq.commands.build import Format
from phq.commands.ending import ExitCode
from phq.commands.options import Dataset, FolderOut, LocalDataset, Photos, Revision, Where, Workers
from phq.commands.output import Json, report


def export_labels_command(  # noqa: PLR0913 - one parameter an option
    dataset: Dataset,
    *,
    out: Annotated[
        Path,
        typer.Option(help="NAME.zip, or a new folder; masks go to NAME-mask beside it.", show_default=False),
    ],
    format: Format,
    split: Annotated[str | None, typer.Option(help="Split: train or val.", show_default="both")] = None,
    masks: Annotated[bool, typer.Option(help="Write the masks.")] = True,
    size: Annotated[
        int | None, typer.Option(min=32, help="Side of the pictures, pixels.", show_default="that of the crops")
    ] = None,
    photos: Photos = None,
    revision: Revision = "latest",
    json: Json = None,
) -> None:
    """Write pictures and dataset.json for 3DPortraitGAN, EG3D, PanoHead or SphereHead."""
    from phq.exchange.export import export_labels  # numpy and Arrow: not for --help

    done = export_labels(
        dataset, out, format.value, split=split, masks=masks, size=size, photos=photos, revision=revision, quiet=False
    )
    lines = [f"{done.count} pictures with labels   {done.images}"]
    if done.size & (done.size - 1):
        lines += [
            f"warning: the pictures have {done.size} pixels a side; the published loaders and networks "
            f"want a power of two (--size {1 << (done.size.bit_length() - 1)} or {1 << done.size.bit_length()})"
        ]
    if done.masks:
        lines += [f"their masks   {done.masks}"]
    if done.beyond_photo >= 0.0005:
        advice = ""
        if done.fillable >= 0.0005:
            advice = f" or of the crop; --photos PHOTOS fills in what the photos have, at most {done.fillable:.1%}"
        lines += [f"{done.beyond_photo:.1%} of the pictures' area is beyond the edge of the photo{advice}"]
    report("export labels", done, lines, json)


def export_coco_command(
    dataset: Dataset,
    *,
    out: FolderOut,
    photos: Photos = None,
    revision: Revision = "latest",
    where: Where = None,
    json: Json = None,
) -> None:
    """Write boxes, landmarks, masks and scores as COCO annotations, for FiftyOne, CVAT and others."""
    from phq.exchange.coco import export_coco

    done = export_coco(dataset, out, photos=photos, revision=revision, where=where, quiet=False)
    lines = [f"{done.pictures} pictures with {done.people} people   {done.out}"]
    if done.missing:
        lines += [f"{done.missing} photos were not found in {photos} and are left out"]
    if done.degenerate:
        lines += [f"{done.degenerate} boxes have no area inside the picture and are left out"]
    report("export coco", done, lines, json)


def export_crops_command(
    dataset: Dataset,
    *,
    out: Annotated[Path, typer.Option(help="FILE.jsonl to write.", show_default=False)],
    for_: Annotated[
        str, typer.Option("--for", help="Program, as --convention of phq annotate names it.", show_default=False)
    ],
    photos: Annotated[
        str | None,
        typer.Option(help="Folder, list or glob of the photos, for their paths.", show_default="recorded paths"),
    ] = None,
    revision: Revision = "latest",
    where: Where = None,
    json: Json = None,
) -> None:
    """List photo, box and focal length of each person for another program, whose labels phq annotate takes back."""
    from phq.exchange.crops_list import export_crops

    done = export_crops(dataset, out, for_, photos=photos, revision=revision, where=where)
    lines = [f"{done.people} people   {done.out}"]
    if done.missing:
        lines += [f"{done.missing} people whose photo was not found in {photos} are left out"]
    report("export crops", done, lines, json)


def publish_command(  # noqa: PLR0913 - one parameter an option
    dataset: LocalDataset,
    *,
    to: Annotated[
        str, typer.Option(help="hf:USER/NAME on the Hugging Face Hub, or a folder.", metavar="hf:USER/NAME|DIR",
                          show_default=False)
    ],
    apply: Annotated[bool, typer.Option("--apply", help="Publish; without, a dry run.")] = False,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="Finding that shall not stand in the way: licences (repeatable).", show_default="none"),
    ] = None,
    preview: Annotated[int, typer.Option(min=2, max=1000, help="Samples in the preview at most.")] = 100,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Verify without reading images and masks.")] = False,
    workers: Workers = None,
    json: Json = None,
) -> None:  # fmt: skip
    """Check a dataset and publish it with a preview, a datasheet and a takedown log; exit code 1 if it cannot be."""
    from phq.exchange.publish.publishing import lines, publish

    done = publish(
        dataset, to, apply=apply, accept=accept or (), preview=preview, private=private, quick=quick, workers=workers,
        quiet=False,
    )  # fmt: skip
    report("publish", done, lines(done), json)
    if done.blocked:
        raise typer.Exit(ExitCode.FOUND)
