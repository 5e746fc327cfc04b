"""The commands ``phq gan …`` that make and measure a generator: train, import, export, evaluate, poses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from phq.commands.ending import ExitCode
from phq.commands.options import ConfigFile, FolderOut, GanSets, Revision, Seed, preset_option
from phq.commands.output import Json, echo, report
from phq.commands.trained import Device, Pretrained, Run, check_dataset_at, check_run, drawing, open_generator
from phq.errors import InputError
from phq.system.extras import needs_train


def train_command(  # noqa: PLR0913 - one parameter an option
    datasets: Annotated[
        list[str],
        typer.Argument(help="Folders or URLs of phq datasets, trained on together.", metavar="DATASET…",
                       show_default=False),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the run.", show_default=False)],
    preset: Annotated[str | None, preset_option("phq.generator", "tiny")] = None,
    config: ConfigFile = None,
    set_: GanSets = None,
    kimg: Annotated[
        float | None,
        typer.Option(min=0.001, help="Length, thousands of real images.", show_default="that of the preset"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint in OUT.")] = False,
    start_from: Annotated[
        Path | None,
        typer.Option(help="Run, or checkpoint, whose weights and model this run begins with.", show_default="none"),
    ] = None,
    device: Device = "auto",
    revision: Annotated[
        list[str] | None,
        typer.Option(help="Labels to read: none, the name of an overlay, or latest; once, or once a dataset.",
                     show_default="latest"),
    ] = None,
) -> None:  # fmt: skip
    """Train the bundled 3D generator; with torchrun on many GPUs."""
    from phq.generator.train.config import load_run_config

    load_run_config(preset, config, set_ or ())  # a mistake is told before torch is imported, which takes seconds
    for dataset in datasets:
        check_dataset_at(dataset)
    with needs_train("phq gan train"):
        from phq.generator.train.run import train  # torch: not for --help
    done = train(
        datasets, out, preset=preset, file=config, sets=set_ or (), kimg=kimg, resume=resume, start=start_from,
        device=device, overlays=revision or (), quiet=False, say=echo,
    )  # fmt: skip
    if done.first and done.finished:
        echo(f"{done.images} images   {done.out}")
    if not done.finished:
        if done.first:
            echo(f"phq: stopped after {done.images} images, which are saved; --resume continues", err=True)
        raise typer.Exit(ExitCode.STOPPED)


def import_command(
    file: Annotated[
        Path,
        typer.Argument(help="Network pickle (.pkl) of 3DPortraitGAN, PanoHead, EG3D or SphereHead; never run.",
                       show_default=False),
    ],
    out: Annotated[Path, typer.Argument(help="New or empty folder of the run.", show_default=False)],
    *,
    published_samples: Annotated[
        bool,
        typer.Option("--published-samples", help="Sample rays where the published code does: its pictures to 1e-4."),
    ] = False,
    json: Json = None,
) -> None:  # fmt: skip
    """Make a run of a published checkpoint; the other commands of phq gan take it."""
    if not file.is_file():
        raise InputError(f"{file}: there is no such file")
    with needs_train("phq gan import-checkpoint"):
        from phq.generator.published.importing import import_checkpoint
    done = import_checkpoint(file, out, published_samples)
    found = {"family": done.family, "images": done.images, "tensors": done.mapped, "notes": done.notes}
    lines = [f"{done.family} after {done.images} images: {done.mapped} tensors   {out}", *done.notes]
    report("gan import-checkpoint", found, lines, json)


def export_command(
    run: Run = None,
    *,
    pretrained: Pretrained = None,
    out: FolderOut,
    half: Annotated[bool, typer.Option("--half", help="Weights of 16 bits in the safetensors file.")] = False,
) -> None:
    """Write a generator for other programs: safetensors, ONNX of its networks, and a model card."""
    with drawing("gan export", run, pretrained, folder=out):
        from phq.generator.use.exporting import export
    written = export(open_generator(run, pretrained, "cpu"), out, half)
    echo(f"{len(written)} files   {out}")


def evaluate_command(  # noqa: PLR0913 - one parameter an option
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of pictures by any generator.", show_default=False)],
    *,
    data: Annotated[
        str, typer.Option(help="Folder or URL of the dataset to compare with.", metavar="DATASET", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file to write.", show_default="RUN/evaluation/IMAGES.json; of pictures none"),
    ] = None,
    count: Annotated[int, typer.Option(min=2, help="Number of pictures of each kind, real and generated.")] = 1000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures rendered at a time.")] = 8,
    seed: Seed = 0,
    checkpoint: Annotated[
        int | None, typer.Option(help="Checkpoint, by its number of images.", show_default="the newest")
    ] = None,
    device: Device = "auto",
    revision: Revision = "latest",
    truth_revision: Annotated[
        str | None,
        typer.Option(help="Revision whose poses are true: none, or the name of an overlay.", show_default="unknown"),
    ] = None,
    json: Json = None,
) -> None:
    """Measure Fréchet distances, view consistency, poses and masks of a trained generator."""
    check_run(run, None)
    check_dataset_at(data)
    with needs_train("phq gan evaluate"):
        from phq.generator.evaluate import pictures
        from phq.generator.evaluate.run import evaluate
        from phq.generator.evaluate.table import table
        from phq.generator.train.checkpoint import checkpoints
    if run.is_dir() and not checkpoints(run) and pictures.pictures_in(run):
        found = pictures.evaluate_pictures(run, data, out=out, count=count, batch=batch, seed=seed, revision=revision)
        report("gan evaluate", found, [pictures.table(found)], json)
        return
    found = evaluate(
        run, data, out=out, count=count, batch=batch, seed=seed, checkpoint=checkpoint, device=device,
        revision=revision, truth=truth_revision,
    )  # fmt: skip
    report("gan evaluate", found, [table(found)], json)


def poses_command(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)],
    *,
    data: Annotated[str, typer.Option(help="Folder or URL of the dataset.", metavar="DATASET", show_default=False)],
    out: Annotated[Path, typer.Option(help="File to write, .jsonl.", show_default=False)],
    batch: Annotated[int, typer.Option(min=1, help="Pictures looked at at a time.")] = 8,
    checkpoint: Annotated[
        int | None, typer.Option(help="Checkpoint, by its number of images.", show_default="the newest")
    ] = None,
    device: Device = "auto",
    revision: Revision = "latest",
) -> None:
    """Write the poses that a run's discriminator sees in a dataset, for phq annotate --predictions."""
    check_dataset_at(data)
    with drawing("gan poses", run, None, files=[out], suffixes=[".jsonl"]):
        from phq.generator.evaluate.poses_file import write_poses
    count = write_poses(run, data, out, batch=batch, checkpoint=checkpoint, device=device, revision=revision)
    echo(f"{count} samples   {out}")
