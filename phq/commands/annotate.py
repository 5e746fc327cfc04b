"""The commands that make labels again: ``phq annotate``, ``phq diff`` and ``phq bake``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phq.building.executors.choice import Execution
from phq.commands.options import (
    ConfigFile,
    Dataset,
    LocalDataset,
    OverlayName,
    Photos,
    Revision,
    Sets,
    Where,
    preset_option,
    run_options,
)
from phq.commands.output import Json, echo, report
from phq.commands.predictions import (
    ConventionNames,
    Fuse,
    Kind,
    Licence,
    PredictionsFile,
    Sigma,
    Source,
    SourceVersion,
    TrustConvention,
    annotate_with_file,
    predictions_of,
    refuse_beside,
    refuse_without_predictions,
)

if TYPE_CHECKING:
    from phq.curate.annotate.annotating import Annotated as Result
    from phq.curate.bake import Baked


class GroupName(str, Enum):
    """Names of `phq.curate.annotate.groups.GROUPS`, known without loading Arrow."""

    KEYPOINTS = "keypoints"
    POSE = "pose"
    FACE = "face"
    IDENTITY = "identity"
    CAMERA = "camera"
    QUALITY = "quality"
    DECISIONS = "decisions"


@run_options
def annotate_command(  # noqa: PLR0913 - one parameter an option
    dataset: LocalDataset,
    *,
    name: OverlayName,
    photos: Photos = None,
    groups: Annotated[
        str | None,
        typer.Option(help=f"Labels to make again, separated by commas: {', '.join(GroupName)}.", show_default="all"),
    ] = None,
    revision: Revision = "latest",
    where: Where = None,
    preset: Annotated[str | None, preset_option("phq.config", "the dataset's own configuration")] = None,
    config: ConfigFile = None,
    set_: Sets = None,
    sidecar: Annotated[
        Path | None,
        typer.Option(
            help="Only state licence, author, source, identity and consent by a CSV or JSON, as for a build.",
            show_default="none",
        ),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option(
            help="Only express the labels for this body: a SMPL, SMPL-H or SMPL-X file or folder, smplx-package:FILE, "
            "or phq, the embedded one.",
            show_default="none",
        ),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="PNG with some samples and their new labels.", show_default="none")
    ] = None,
    predictions: PredictionsFile = None,
    as_: Kind = None,
    convention: ConventionNames = "",
    fuse: Fuse = False,
    sigma: Sigma = None,
    source: Source = "",
    source_version: SourceVersion = "",
    licence: Licence = "",
    trust_convention: TrustConvention = False,
    json: Json = None,
    execution: Execution,
) -> dict[str, Any]:
    """Make labels again, or take those of another program or of a sidecar, as an overlay beside the shards; an
    interrupted call is continued."""
    if sidecar is not None:
        return _state_sidecar(dataset, name, sidecar, revision, where, set_ or (), json, {
            "--predictions": predictions, "--photos": photos, "--groups": groups, "--preset": preset,
            "--config": config, "--body": body, "--pictures": pictures,
        })  # fmt: skip
    if predictions is not None:
        stray = {"--photos": photos, "--groups": groups, "--preset": preset, "--config": config, "--set": set_,
                 "--pictures": pictures}  # fmt: skip
        refuse_beside("--predictions", [option for option, value in stray.items() if value is not None])
        stated = (convention, fuse, sigma, source, source_version, licence, trust_convention)
        annotate_with_file(dataset, name, predictions_of(predictions, as_, *stated), revision, where, body, json)
        return _base(dataset, name)
    refuse_without_predictions(as_, convention, fuse, sigma, source, source_version, licence, trust_convention)
    from phq.curate.annotate.annotating import annotate  # networks and Arrow: not for --help

    chosen = None if groups is None else [part.strip() for part in groups.split(",") if part.strip()]
    done = annotate(
        dataset, name, photos=photos, groups=chosen, revision=revision, where=where, preset=preset, config=config,
        sets=set_ or (), body=body, pictures=pictures, execution=execution, quiet=False, notify=echo,
    )  # fmt: skip
    report("annotate", done, _annotated_lines(done), json)
    return _base(dataset, name)


def _base(dataset: Path, name: str) -> dict[str, str]:
    """The revision that an overlay stands on."""
    from phq.dataset.overlays import NONE, names_up_to
    from phq.dataset.root import Root
    from phq.dataset.run import read_run

    return {"base": [NONE, *names_up_to(read_run(Root(dataset)), name)][-2]}


def _state_sidecar(  # noqa: PLR0913, PLR0917 - one parameter an option
    dataset: Path,
    name: str,
    sidecar: Path,
    revision: str,
    where: str | None,
    sets: Sequence[str],
    json: str | None,
    others: Mapping[str, object],
) -> dict[str, Any]:
    """State it; what the next command has to know: whether consent has changed, and whether who refused is rejected."""
    from phq.curate.annotate.provenance import annotate_from_sidecar

    refuse_beside("--sidecar", [option for option, value in others.items() if value is not None])
    done = annotate_from_sidecar(dataset, name, sidecar, revision=revision, where=where, sets=sets, notify=echo)
    lines = [f"  {count:6d}  samples with another {column}" for column, count in done.changes.items()]
    refused = f"{done.refused} samples of people who refused stay until phq decide --apply rejects them"
    report("annotate", done, [*lines, *([refused] if done.refused else []), f"overlay {done.name}"], json)
    return {"consent": "consent" in done.changes, "rejects_refused": done.rejects_refused}


def _annotated_lines(done: Result) -> Iterator[str]:
    from phq.weights.licences import model_lines

    kinds = {"raw": "seen in the raw photo", "crop": "seen in the stored crop", "record": "from the record alone"}
    changes = done.statement
    yield f"\nsamples {done.samples}   groups {', '.join(done.groups)}"
    for kind, count in done.kinds.items():
        yield f"  {count:6d}  {kinds[kind]}"
    moves = (("rejected by a stage", changes.thrown_out), ("left", changes.left), ("entered", changes.entered))
    for text, counts in moves:
        for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            yield f"  {count:6d}  {text}: {reason}"
    yield f"columns that change: {', '.join(changes.columns) or 'none'}"
    if done.models:
        yield "\nmodels that touched these labels"
    yield from model_lines(done.models)
    yield from _placement_lines(done.placed)
    yield f"\noverlay {done.name}"


def _placement_lines(placed: dict[str, Any]) -> Iterator[str]:
    """How the requested body fits the embedded one."""
    if placed.get("compared"):
        median, most = (f"{placed[name]:.2f} %" for name in ("median_percent", "most_percent"))
        yield (f"head, neck and shoulders differ from the embedded body's by {median} of the picture's side at the "
               f"median and {most} at most ({placed['compared']} samples)")  # fmt: skip
    if any(placed.get("neck_offset_mm", ())):
        yield ("its neck joint differs from SMPL's: it is "
               + ", ".join(f"{mm:.0f}" for mm in placed["neck_offset_mm"])
               + " mm (left, up, front) from the world's origin; cameras stay as they are")  # fmt: skip
    if placed.get("kept"):
        yield f"{placed['kept']} samples have no labels of the embedded body and stay as they are"


def diff_command(
    dataset: Dataset,
    before: Annotated[
        str, typer.Argument(help="Revision: none (as built), the name of an overlay, or latest.", show_default=False)
    ],
    after: Annotated[str, typer.Argument(help="Revision to compare it with.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option(help="HTML file with the largest changes in pictures.", show_default="none")
    ] = None,
    json: Json = None,
) -> None:
    """Compare two revisions of the labels: angles, poses, positions, decisions."""
    from phq.curate.annotate.comparing import compare, lines, record
    from phq.view.diff_page import write_report

    found = compare(dataset, before, after)
    if out is not None:
        write_report(out, found, before, after)
    pictures = [f"pictures   {out}"] if out is not None else []
    report("diff", record(found, before, after), [*lines(found, before, after), *pictures], json)


def bake_command(
    dataset: Dataset,
    out: Annotated[Path, typer.Argument(help="Folder of the new dataset.", show_default=False)],
    *,
    revision: Revision = "latest",
    json: Json = None,
) -> None:
    """Write a new dataset with the overlays folded in, in today's format."""
    from phq.curate.bake import bake

    done = bake(dataset, out, revision=revision, quiet=False)
    report("bake", done, _baked_lines(done), json)


def _baked_lines(done: Baked) -> Iterator[str]:
    yield f"kept {done.kept}   rejected {done.rejected}   {done.out}"
    yield f"overlays folded in: {', '.join(done.overlays) or 'none'}"
    for name, count in sorted(done.migrations.items()):
        yield f"  {count:6d}  records brought up to date: {name}"
    if done.carried:
        yield f"columns of their own stay as overlays: {', '.join(done.carried)}"
