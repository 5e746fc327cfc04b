"""The commands ``phq annotate``, ``phq diff`` and ``phq bake``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phq.commands.weights import DeviceOption, choose_device

if TYPE_CHECKING:
    from phq.curate.annotate.annotating import Annotated as Result


def annotate_command(  # noqa: PLR0913, PLR0917 - one parameter an option
    dataset: Annotated[Path, typer.Argument(help="Folder of a phq dataset; its shards stay as they are.")],
    name: Annotated[str, typer.Option(help="What to call the overlay; an interrupted one is continued.")],
    stages: Annotated[
        str | None,
        typer.Option(help="Of keypoints, pose, face, camera, quality, decisions, by commas. [default: all]"),
    ] = None,
    raw: Annotated[str | None, typer.Option(help="Folder, list or glob of the photos, under any name.")] = None,
    where: Annotated[str | None, typer.Option(help='Only these samples, as "p_flip > 0.02" (SQL).')] = None,
    preset: Annotated[str | None, typer.Option(help="[default: the dataset's own configuration]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file over the preset.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. blur.min=0.3 (repeatable).")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
    body: Annotated[
        str | None,
        typer.Option(
            help="State the labels for this body, and do nothing else: a SMPL, SMPL-H or SMPL-X file or folder, "
            "smplx-package:FILE, or phq, the embedded one."
        ),
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="PNG to draw some samples in, with their new labels.")] = None,
    device: DeviceOption = None,
) -> None:
    """Make labels again, as an overlay beside the shards."""
    from phq.curate.annotate.annotating import annotate  # networks and Arrow: not for --help

    choose_device(device)
    chosen = [part.strip() for part in stages.split(",") if part.strip()] if stages is not None else None
    result = annotate(
        dataset, name, stages=chosen, raw=raw, where=where, preset=preset, config=config, sets=set_ or (),
        workers=workers, body=body, sheet=sheet, quiet=False, say=typer.echo,
    )  # fmt: skip
    _print_annotated(result)


def _print_annotated(result: Result) -> None:
    from phq.weights.licences import model_lines  # numpy: not for --help

    kinds = {"raw": "seen in the raw photo", "crop": "seen in the stored crop", "record": "from the record alone"}
    said = result.statement
    typer.echo(f"\nsamples {result.samples}   stages {', '.join(result.stages)}")
    for kind, count in result.kinds.items():
        typer.echo(f"  {count:6d}  {kinds[kind]}")
    for text, counts in (("thrown out", said.thrown_out), ("left", said.left), ("entered", said.entered)):
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            typer.echo(f"  {count:6d}  {text}: {reason}")
    typer.echo(f"columns that change: {', '.join(said.columns) or 'none'}")
    if result.models:
        typer.echo("\nmodels that touched these labels")
    for line in model_lines(result.models):
        typer.echo(line)
    for line in _placed_lines(result.placed):
        typer.echo(line)
    typer.echo(f"\noverlay {result.name}")


def _placed_lines(placed: dict[str, Any]) -> Iterator[str]:
    """How the body that was asked for lies on the embedded one."""
    if placed.get("compared"):
        median, most = (f"{placed[name]:.2f} %" for name in ("median_percent", "most_percent"))
        yield (f"head, neck and shoulders lie {median} of the picture's side from the embedded body's at the median, "
               f"{most} at most ({placed['compared']} samples)")  # fmt: skip
    if any(placed.get("neck_offset_mm", ())):
        yield ("its neck joint is another than SMPL's, and lies at "
               + ", ".join(f"{mm:.0f}" for mm in placed["neck_offset_mm"])
               + " mm (left, up, front) of the world's origin; cameras stay as they are")  # fmt: skip
    if placed.get("kept"):
        yield f"{placed['kept']} samples have no labels of the embedded body; they stay as they are"


def diff_command(
    dataset: Annotated[str, typer.Argument(help="Folder or URL of a phq dataset.")],
    before: Annotated[str, typer.Argument(help="A state: none (as built), the name of an overlay, or latest.")],
    after: Annotated[str, typer.Argument(help="Another.")],
    out: Annotated[Path | None, typer.Option(help="HTML file with the largest changes in pictures.")] = None,
) -> None:
    """What an overlay changes: angles, poses, places, decisions."""
    from phq.curate.annotate.comparing import compare, table
    from phq.view.diff_page import write_report

    found = compare(dataset, before, after)
    typer.echo(table(found, before, after))
    if out is not None:
        write_report(out, found, before, after)
        typer.echo(f"pictures   {out}")


def bake_command(
    dataset: Annotated[str, typer.Argument(help="Folder or URL of a phq dataset, perhaps of an older version.")],
    out: Annotated[Path, typer.Argument(help="Folder of the new dataset.")],
    overlay: Annotated[str, typer.Option(help="The state: none, the name of an overlay, or latest.")] = "latest",
) -> None:
    """Write a dataset anew with its overlays folded in, in today's format."""
    from phq.curate.bake import bake

    done = bake(dataset, out, overlay)
    typer.echo(f"kept {done.kept}   rejected {done.rejected}   {done.out}")
    typer.echo(f"overlays folded in: {', '.join(done.overlays) or 'none'}")
    for name, count in sorted(done.migrations.items()):
        typer.echo(f"  {count:6d}  records brought up to date: {name}")
    if done.carried:
        typer.echo(f"columns of their own stay as overlays: {', '.join(done.carried)}")
