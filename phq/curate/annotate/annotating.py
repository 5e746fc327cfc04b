"""`annotate`: compute labels again, as an overlay beside the shards. The command ``phq annotate`` is this one call."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from phq.building.build import models_of
from phq.building.carrying import CarryUnits
from phq.building.contact_sheet import choose, write_contact_sheet
from phq.building.executors.choice import Execution, chosen_execution
from phq.building.plan import noted_id, open_work_folder
from phq.building.running import run_plan
from phq.config.build import Config, Video
from phq.curate.annotate.bodies import placing
from phq.curate.annotate.chain import make_pipeline
from phq.curate.annotate.groups import Selection, select
from phq.curate.annotate.overlay import Statement, state
from phq.curate.annotate.raw_photos import find_photos, video_settings
from phq.curate.annotate.samples import left_out, samples_to_annotate
from phq.curate.annotate.units import AnnotatePlan, StoredInput, annotate_unit, open_stored, read_units
from phq.dataset.derived import check_drawing
from phq.dataset.embedded import bodies_of
from phq.dataset.folder import MANIFEST, WORK
from phq.dataset.overlays import LATEST, check_name, local_folder, stack_names
from phq.dataset.reader import Dataset, check_dataset
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.decisions.settings import settings_for
from phq.errors import ConfigError, OutputError
from phq.photos.discover import Found
from phq.pose.body import Body, load_body
from phq.pose.body_choice import body_entry, open_body
from phq.pose.transfer import Transfer, transfer_to
from phq.schema import BOX
from phq.stages.pipeline import foreign, weights_used
from phq.system.atomic import disk_errors_explained
from phq.system.locking import alone_in
from phq.system.version import __version__
from phq.weights.embedded import Weight
from phq.weights.licences import Model, notices


@dataclass(frozen=True)
class Annotated:
    """The result of an annotation."""

    name: str
    """Of the overlay."""
    groups: list[str]
    samples: int
    kinds: dict[str, int]
    """Samples by their input: ``raw`` photo, stored ``crop``, or the ``record`` alone."""
    statement: Statement
    models: tuple[Model, ...]
    """Networks and bodies behind the labels, with their licences."""
    placed: dict[str, Any]
    """How another body was placed, see `phq.curate.annotate.bodies.placing`; {} if none was asked for."""


@disk_errors_explained
def annotate(  # noqa: PLR0913 - the options of the command
    dataset: str | Path,
    name: str,
    *,
    groups: Sequence[str] | None = None,
    photos: str | Path | None = None,
    revision: str = LATEST,
    where: str | None = None,
    preset: str | None = None,
    config: Path | None = None,
    sets: Sequence[str] = (),
    execution: Execution | None = None,
    workers: int | None = None,
    body: str | None = None,
    pictures: Path | None = None,
    quiet: bool = True,
    notify: Callable[[str], object] = lambda _: None,
) -> Annotated:
    """Run some stages again over a dataset as its overlays leave it, and put the result on top as overlay `name`.

    No shard is touched. The person is the stored box; the picture is the stored one, so a camera that would have cut
    it differently is stated by ``intrinsics``. A person whom a stage throws out is rejected in the overlay, with the
    labels from before. Samples in ``rejects.parquet`` have no stored picture and stay what they are. An interrupted
    annotation is continued by the same call.

    Args:
        dataset: a folder.
        name: of the new overlay, see `phq.dataset.overlays.check_name`.
        groups: labels to make again, names of `phq.curate.annotate.groups.GROUPS`; all by default. Groups that they
            need are added.
        photos: folder, list or glob of the photos, found by their sha256; where one is missing or cannot be decoded,
            and where `photos` is None, the stored crop is used instead.
        revision: that the labels start from and the overlay stands on; overlays above it are left out of the new
            revision.
        where: only samples for which this condition holds, see `phq.dataset.filters.matching`.
        preset: as for a build; by default, without `config`, what the dataset was built with.
        config: TOML file over the preset.
        sets: ``key=value`` each, over both.
        execution: where the work is done and how it is watched, in place of `workers`; no result depends on it.
        workers: processes, by default as many as cores and memory have room for.
        body: spec of `phq.pose.body_choice`: the existing labels are expressed for that body, and no stage runs.
        pictures: PNG with some of the samples and their new labels.
        quiet: no progress bar.
        notify: receives a sentence where something is done that was not requested.

    Raises:
        ConfigError, OutputError, WeightError, MissingExtraError: with a sentence for the user; what was
            finished stays.
    """
    how = chosen_execution(execution, workers)
    selection = select(groups, body)
    chosen = open_body(body) if body is not None else load_body()
    transfer = transfer_to(chosen)  # a body that cannot be used is refused before anything is done
    if pictures is not None:
        check_drawing(pictures, ".png")
    _clear_finished(dataset, name)
    samples = samples_to_annotate(dataset, name, revision, where)
    folder = samples.root.local
    assert folder is not None
    settings = settings_for(samples.run, preset, config, sets)
    used = weights_used(settings, selection.slots)
    for line in (*selection.lines, *notices(used), left_out(samples, name)):
        if line:
            notify(line)
    plan = _plan(samples, photos, settings, selection, chosen, foreign(used), notify)
    with _alone(_work_folder(folder, name), samples, plan) as work:
        labels = _run(samples, plan, selection, body, work, how, quiet)
        about = _about(samples, settings, selection, transfer, where, labels, used)
        look = partial(draw_state, pictures, samples.keys, body) if pictures is not None else None
        statement = state(samples, name, labels, selection, settings, about, base=revision, look=look)
        shutil.rmtree(work, ignore_errors=True)
    models, placed = _models(used, selection, chosen), about["body"].get("placed", {})
    return Annotated(name, selection.names, len(samples), about["samples"], statement, models, placed)


def _clear_finished(dataset: str | Path, name: str) -> None:
    """Remove the work of an overlay that is there: what a kill after the last write may have left."""
    check_name(name)
    root = Root(dataset)
    check_dataset(root)
    if name in stack_names(read_run(root)):
        shutil.rmtree(_work_folder(local_folder(root, dataset), name), ignore_errors=True)


def _work_folder(folder: Path, name: str) -> Path:
    return folder / f"{WORK}-annotate-{name}"


def _plan(
    samples: Dataset,
    raw: str | Path | None,
    config: Config,
    selection: Selection,
    body: Body,
    weights: tuple[str, ...],
    say: Callable[[str], object],
) -> AnnotatePlan:
    assert samples.root.local is not None
    names = ("source_sha256", "source_path", "pose_presence")
    digests, recorded, presence = (samples.columns([name])[name].to_pylist() for name in names)
    wanted = dict(zip(digests, recorded, strict=True))
    paths = _found_again(raw, wanted, video_settings(samples.run), selection, say)
    keeping = sum(seen > 0 and digest not in paths for digest, seen in zip(digests, presence, strict=True))
    if selection.photo_pixels and keeping:
        _say_who_keeps_landmarks(keeping, len(samples), selection, say)
    crowds = _boxes_by_photo(samples.root.local) if paths else {}
    inputs: dict[str, StoredInput] = {}
    for number, (digest, name, key) in enumerate(zip(digests, recorded, samples.keys, strict=True)):
        found = paths.get(digest)
        together = digest if found else key  # people of one photo share its pixels
        before = inputs[together].samples if together in inputs else ()
        path, entry = (found.path, found.entry) if found else (samples.root.local / MANIFEST, None)
        boxes = crowds.get(digest, ()) if found else ()
        inputs[together] = StoredInput(path, name, (*before, number), found is not None, boxes, entry=entry)
    return AnnotatePlan(list[Found](inputs.values()), config, _task(samples, selection, body, paths), weights=weights)


def _boxes_by_photo(folder: Path) -> dict[str, tuple[tuple[float, ...], ...]]:
    """Boxes of everybody who was detected, kept or not, by sha256 of the photo; photos of one person are left out."""
    table = Dataset(folder, rejects=True).columns(["source_sha256", *BOX])
    found: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for digest, *box in zip(*(table[name].to_pylist() for name in ("source_sha256", *BOX)), strict=True):
        found[digest].append(tuple(box))
    return {digest: tuple(boxes) for digest, boxes in found.items() if len(boxes) > 1}


def _found_again(
    raw: str | Path | None,
    wanted: Mapping[str, str],
    video: Video,
    selection: Selection,
    say: Callable[[str], object],
) -> dict[str, Found]:
    if raw is None:
        return {}
    if not selection.pixels:
        say(f"no stage that was chosen looks at a picture: {raw} is not read")
        return {}
    paths = find_photos(raw, wanted, video)
    if len(paths) < len(wanted):
        say(f"{len(wanted) - len(paths)} photos were not found in {raw}: their samples are seen in the stored crops")
    return paths


def _say_who_keeps_landmarks(keeping: int, samples: int, selection: Selection, say: Callable[[str], object]) -> None:
    if keeping == samples and selection.names == ["keypoints"]:
        raise ConfigError(
            "keypoints are found in the photo, a stored crop shows too little of it; give --photos PHOTOS"
        )
    say(f"{keeping} samples are seen in their stored crops: they keep their landmarks, found in the whole photo")


def _task(samples: Dataset, selection: Selection, body: Body, paths: Mapping[str, Found]) -> str:
    """What an annotation depends on beside configuration and the photos' names."""
    return json.dumps([samples.overlays, selection.names, samples.keys, sorted(paths), body.name, body.sha256])


def _run(
    samples: Dataset,
    plan: AnnotatePlan,
    selection: Selection,
    body: str | None,
    work: Path,
    execution: Execution,
    quiet: bool,
) -> pa.Table | None:
    """What the stages say of every sample, see `phq.curate.annotate.units.unit_schema`; None if there are none to
    run."""
    if not selection.stages:
        return None
    inner = open_work_folder(work, plan)
    setup = partial(make_pipeline, samples, plan.config, selection, body)
    carry = CarryUnits(setup, inner, partial(annotate_unit, columns=selection.columns), open_stored)
    run_plan(carry, plan, execution, quiet)
    return read_units(inner, len(plan.units), selection.columns)


@contextmanager
def _alone(work: Path, samples: Dataset, plan: AnnotatePlan) -> Iterator[Path]:
    """The annotation's work folder, for this process alone; an error leaves it only if it can be continued.

    Raises:
        OutputError: another process has it, it holds the work of another plan, or it cannot be made.
    """
    with alone_in(work, f"another phq process is making the annotation in {work}; wait until it has finished"):
        try:
            _check_resumed(work, plan)
            yield work
        except BaseException:
            if not (work / WORK).exists() or stack_names(read_run(samples.root)) != stack_names(samples.run):
                shutil.rmtree(work, ignore_errors=True)  # nothing could continue from it
            raise


def _check_resumed(work: Path, plan: AnnotatePlan) -> None:
    if noted_id(work / WORK) not in (None, plan.fingerprint()):
        raise OutputError(
            f"{work} holds an unfinished annotation of that name which this one cannot continue: it is of other "
            "samples, photos or overlays, or has other options; choose another name, or remove that folder"
        )


def _about(
    samples: Dataset,
    config: Config,
    selection: Selection,
    transfer: Transfer,
    where: str | None,
    labels: pa.Table | None,
    weights: Sequence[Weight],
) -> dict[str, Any]:
    """What the overlay states about its origin."""
    kinds = labels["kind"] if labels is not None else pa.chunked_array([["record"] * len(samples)])
    counts = sorted(pc.value_counts(kinds).to_pylist(), key=lambda entry: str(entry["values"]))
    body = transfer.body
    of_body: dict[str, Any] = {"name": body.name, "sha256": body.sha256, "licence": body_entry(body).licence}
    if "body" in selection.names and labels is not None:
        of_body["placed"] = placing(samples, labels, transfer)
    return {
        "command": "annotate",
        "version": __version__,
        "stages": selection.names,
        "below": samples.overlays,
        "where": where or "",
        "samples": {entry["values"]: entry["counts"] for entry in counts},
        "config": config.model_dump(mode="json"),
        "weights": [vars(weight) for weight in weights],
        "body": of_body if selection.body else {},
        "models": [vars(model) for model in _models(weights, selection, body)],
    }


def _models(weights: Sequence[Weight], selection: Selection, body: Body) -> tuple[Model, ...]:
    return models_of(weights, body=False) + ((body_entry(body),) if selection.body else ())


def draw_state(path: Path, keys: Sequence[str], body: str | None, dataset: Root) -> None:
    """Write a PNG with some of the samples of a dataset, as `phq.building.contact_sheet` draws them.

    Args:
        path: of the PNG.
        keys: samples to choose from.
        body: spec of `phq.pose.body_choice`, for records of that body.
        dataset: with its overlays.

    Raises:
        OutputError: it cannot be written.
    """
    opened = Dataset(dataset, rejects=True)
    table = opened.columns(["key", "camera_yaw_deg"]).to_pylist()
    wanted = set(keys)
    rows = [opened[row["key"]].row for row in choose([row for row in table if row["key"] in wanted])]
    pictures = {row["key"]: {name: opened.read(row["key"], name) for name in ("jpg", "mask.png")} for row in rows}
    write_contact_sheet(path, rows, lambda row: pictures[row["key"]], bodies_of(opened, body))
