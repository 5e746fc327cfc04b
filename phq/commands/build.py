"""The commands that make a dataset: ``phq build``, ``phq import`` and ``phq synth``."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from phq.building.executors.choice import Execution
from phq.commands.options import ConfigFile, Seed, Sets, Sidecar, SplitSeed, ValFraction, preset_option, run_options
from phq.commands.output import Json, echo, report
from phq.system.arrow import without_pandas

NewDataset = Annotated[
    Path, typer.Argument(help="Folder of the new dataset; an interrupted call is continued.", show_default=False)
]


class FormatName(str, Enum):
    """Names of `phq.exchange.formats.FORMATS`, known without loading numpy."""

    PORTRAITGAN = "3dportraitgan"
    EG3D = "eg3d"
    PANOHEAD = "panohead"
    SPHEREHEAD = "spherehead"


Format = Annotated[
    FormatName, typer.Option("--format", help="Generator whose loader reads or wrote the set.", show_default=False)
]


@run_options
def build_command(  # noqa: PLR0913 - one parameter an option
    photos: Annotated[
        str,
        typer.Argument(
            help="Folder (recursive), list (.txt), image, video, zip, tar, Parquet, glob or URL. Read only.",
            show_default=False,
        ),
    ],
    dataset: Annotated[
        str,
        typer.Argument(help="Folder or URL of the new dataset; an interrupted build is continued.", show_default=False),
    ],
    *,
    preset: Annotated[str | None, preset_option("phq.config", "default")] = None,
    config: ConfigFile = None,
    set_: Sets = None,
    size: Annotated[int | None, typer.Option(help="Side of the crops, pixels.", show_default="512")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Use the smaller landmark network.")] = False,
    seed: SplitSeed = None,
    sidecar: Sidecar = None,
    keep_rejects: Annotated[
        bool, typer.Option("--keep-rejects", help="Store rejected people too; an overlay rejects them.")
    ] = False,
    extend: Annotated[bool, typer.Option("--extend", help="Add photos that are new to an existing dataset.")] = False,
    json: Json = None,
    execution: Execution,
) -> dict[str, int]:
    """Build a dataset from photos."""
    echo(f"phq: loading, then looking for photos in {photos}", err=True)
    from phq.system import opencv

    if trouble := opencv.trouble():
        echo(f"phq: {trouble}", err=True)
    without_pandas()
    from phq.building.build import build  # numpy, ONNX Runtime and Arrow: not for --help
    from phq.building.summary import summary

    done = build(
        photos, dataset, preset=preset, size=size, seed=seed, config=config, sets=set_ or (), fast=fast or None,
        keep_rejects=keep_rejects or None, extend=extend, sidecar=sidecar, execution=execution, quiet=False,
    )  # fmt: skip
    report("build", {"dataset": str(done.out), **done.counts}, ["", summary(done)], json)
    return {"kept": done.samples}


@run_options
def import_command(  # noqa: PLR0913 - one parameter an option
    source: Annotated[
        Path, typer.Argument(help="Zip or folder with pictures and dataset.json. Read only.", show_default=False)
    ],
    dataset: NewDataset,
    *,
    format: Format,
    masks: Annotated[
        Path | None, typer.Option(help="Zip or folder with a mask for each picture.", show_default="none")
    ] = None,
    seed: SplitSeed = None,
    sidecar: Sidecar = None,
    json: Json = None,
    execution: Execution,
) -> None:
    """Make a dataset of a labelled image set of 3DPortraitGAN (360°PHQ), EG3D, PanoHead or SphereHead."""
    from phq.exchange.importing import import_labels

    done = import_labels(
        source, dataset, format.value, masks=masks, seed=seed, sidecar=sidecar, execution=execution, quiet=False
    )
    rejected = dict(sorted(Counter(row["reason"] for row in done.rejects).items()))
    lines = [f"kept {len(done.kept)}   rejected {len(done.rejects)}   {done.out}"]
    lines += [f"  {count:6d}  {reason}" for reason, count in rejected.items()]
    lines += done.coverage.sentences() if done.coverage else ()
    report("import", {"dataset": str(done.out), "kept": len(done.kept), "rejected": rejected}, lines, json)


@run_options
def synth_command(  # noqa: PLR0913 - one parameter an option
    dataset: NewDataset,
    *,
    count: Annotated[int, typer.Option(min=1, help="Number of portraits.", show_default=False)],
    size: Annotated[int, typer.Option(min=64, max=2048, help="Side of the pictures, pixels.")] = 256,
    seed: Seed = 0,
    pose_noise: Annotated[
        float,
        typer.Option(min=0, max=60, help="Standard deviation of neck and head in the overlay 'coarse', degrees an "
                     "axis; 0: no overlay."),
    ] = 0.0,
    val: ValFraction = 0.05,
    pitch: Annotated[float, typer.Option(min=0, max=30, help="Spread of the camera's pitch, degrees.")] = 10.0,
    roll: Annotated[float, typer.Option(min=0, max=30, help="Spread of the camera's roll, degrees.")] = 4.0,
    turn: Annotated[float, typer.Option(min=0, max=45, help="Spread of the head's yaw on the torso, degrees.")] = 25.0,
    json: Json = None,
    execution: Execution,
) -> None:  # fmt: skip
    """Draw a dataset of made-up people with exact cameras, poses and masks; no photos and no network are needed."""
    from phq.dataset.folder import SHEET
    from phq.synth.synthesising import synthesise
    from phq.synth.views import Spread

    spread = Spread(pitch=pitch, roll=roll, turn=turn, pose_noise=pose_noise)
    done = synthesise(dataset, count, size=size, seed=seed, val=val, spread=spread, execution=execution, quiet=False)
    lines = [f"{len(done.kept)} portraits   {done.out}   contact sheet: {done.out / SHEET}"]
    for name in done.overlays:
        lines += [f"overlay {name}: perturbed poses of neck and head; --revision none reads the exact ones"]
    report("synth", {"dataset": str(done.out), "kept": len(done.kept), "overlays": done.overlays}, lines, json)
