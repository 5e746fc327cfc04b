"""The command ``phq``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from phq.building.executors.choice import PHOTO_TIMEOUT_S, SETUP_TIMEOUT_S, Engine, Execution, workers_of
from phq.commands.annotate import annotate_command, bake_command, diff_command
from phq.commands.backends import backends_app
from phq.commands.balance import balance_command
from phq.commands.curate import (
    coco_command,
    merge_command,
    redact_command,
    show_command,
    split_command,
    stats_command,
)
from phq.commands.decide import decide_command
from phq.commands.evaluate_gan import gan_command
from phq.commands.generator import invert_command, mesh_command, orbit_command, sample_command, viewer_command
from phq.commands.labels import export_app, import_command
from phq.commands.report import report_command
from phq.commands.review import calibrate_command, review_command
from phq.commands.synth import synth_command
from phq.commands.train import train_command
from phq.commands.verify import verify_command
from phq.commands.weights import DeviceOption, choose_device, weights_app
from phq.errors import PhqError
from phq.system import opencv
from phq.system.logs import STDOUT, opened_log
from phq.system.stopping import told_when_stopped
from phq.system.version import __version__

app = typer.Typer(
    help="360° portrait datasets: raw photographs in, annotated one-quarter headshots out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"phq {__version__}")
        _tell_of_opencv()
        raise typer.Exit


def _tell_of_opencv() -> None:
    if told := opencv.trouble():
        typer.echo(f"phq: {told}", err=True)


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Version.")] = False,
) -> None:
    """Options of every command."""


@app.command()
@told_when_stopped()
def build(  # noqa: PLR0913, PLR0917 - one parameter an option
    photos: Annotated[str, typer.Argument(help="Folder (recursive), list (.txt), image, glob or URL. Read only.")],
    out: Annotated[str, typer.Argument(help="Folder or URL of the dataset; an interrupted build is continued.")],
    preset: Annotated[str | None, typer.Option(help="default, strict, upstream (360°PHQ's) or everything.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the crops, pixels. [default: 512]")] = None,
    workers: Annotated[str, typer.Option(help="Processes, or auto: what cores and memory have room for.")] = "auto",
    fast: Annotated[bool, typer.Option("--fast", help="The smaller landmark network.")] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the split.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file over the preset.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. blur.min=0.3 (repeatable).")] = None,
    sidecar: Annotated[Path | None, typer.Option(help="CSV or JSON: path, licence, author, source, identity.")] = None,
    keep_rejects: Annotated[
        bool, typer.Option("--keep-rejects", help="Store rejected people too; an overlay rejects them.")
    ] = False,
    extend: Annotated[bool, typer.Option("--extend", help="Add photos that are new to what is there.")] = False,
    executor: Annotated[Engine, typer.Option(help="Where the work is done; see docs/running.md.")] = Engine.processes,
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster, or auto. [default: this machine]")] = None,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="GPUs that Ray reserves for each worker.")] = 0.0,
    photo_timeout: Annotated[float, typer.Option(min=0, help="Seconds a photo may take; 0: any.")] = PHOTO_TIMEOUT_S,
    setup_timeout: Annotated[float, typer.Option(min=0, help="Seconds a worker may take to start.")] = SETUP_TIMEOUT_S,
    device: DeviceOption = None,
    log_json: Annotated[str | None, typer.Option(help="File to append a JSON object a line to; - is stdout.")] = None,
) -> None:
    """Build a dataset from a folder of photos."""
    _tell_of_opencv()
    from phq.building.build import build as run  # numpy, ONNX Runtime and Arrow: not for --help
    from phq.building.summary import summary

    choose_device(device)
    flags = {"fast": fast or None, "keep_rejects": keep_rejects or None, "extend": extend}
    settings = {"preset": preset, "size": size, "seed": seed, "config": config, "sets": set_ or ()}
    with opened_log(log_json) as log:
        how = Execution(executor, workers_of(workers), photo_timeout, address, gpus_per_worker, log, setup_timeout)
        result = run(photos, out, execution=how, quiet=False, sidecar=sidecar, **flags, **settings)  # type: ignore[arg-type]
    typer.echo("\n" + summary(result), err=log_json == STDOUT)


evaluate = typer.Typer(help="How good labels are, and how good a trained generator.", no_args_is_help=True)
app.add_typer(evaluate, name="evaluate")


@evaluate.command("pose")
def evaluate_pose(
    dataset: Annotated[Path, typer.Argument(help="Dataset built from rendered people.")],
    truth: Annotated[Path, typer.Option(help="Folder with their truth, NNNNN.json.")],
) -> None:
    """Yaw, pitch, roll, flips and crop errors, by framing and by side."""
    from phq.evaluate.pose import evaluate as run
    from phq.evaluate.pose import table

    typer.echo(table(run(dataset, truth)))


evaluate.command("gan")(gan_command)
app.add_typer(export_app, name="export")
app.add_typer(weights_app, name="weights")
app.add_typer(backends_app, name="backends")
app.command("import")(told_when_stopped()(import_command))
app.command("annotate")(told_when_stopped()(annotate_command))
app.command("decide")(decide_command)
app.command("diff")(diff_command)
app.command("bake")(told_when_stopped()(bake_command))
app.command("verify")(verify_command)
app.command("synth")(told_when_stopped()(synth_command))
app.command("train")(told_when_stopped()(train_command))
for _name, _command in (
    ("report", report_command),
    ("balance", balance_command),
    ("review", review_command),
    ("calibrate", calibrate_command),
    ("sample", sample_command),
    ("orbit", orbit_command),
    ("mesh", mesh_command),
    ("invert", invert_command),
    ("viewer", viewer_command),
    ("redact", redact_command),
    ("merge", merge_command),
    ("split", split_command),
    ("stats", stats_command),
    ("show", show_command),
):
    app.command(_name)(_command)
export_app.command("coco")(coco_command)


def main() -> None:
    """Entry point: errors that phq raises on purpose are one sentence and exit code 2."""
    try:
        app(standalone_mode=True)
    except PhqError as error:
        typer.echo(f"phq: {error}", err=True)
        sys.exit(2)
