"""The plan of a build: its frozen list of inputs, cut into work units by content, not by the number of workers."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from phq.building.inputs import SAME, Difference, FrozenInputs, compare, freeze, listed, thaw
from phq.config.build import Config
from phq.dataset.folder import MANIFEST, WORK
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.errors import InputError, OutputError
from phq.photos.discover import Found
from phq.schema import SCHEMA_VERSION
from phq.system.atomic import output_errors, write_bytes
from phq.system.kernels import kernels
from phq.system.locking import LOCK
from phq.system.place import file_system, is_remote
from phq.system.version import __version__

NOTE = "plan.json"


@dataclass(frozen=True)
class Plan:
    """A build: inputs in order, configuration, and how many photos make a unit."""

    inputs: list[Found]
    config: Config
    sidecar: str = field(default="", kw_only=True)
    """sha256 of the sidecar file, '' without one."""
    weights: tuple[str, ...] = field(default=(), kw_only=True)
    """sha256 of weights that do not come with phq."""
    parts: tuple[int, ...] = field(default=(), kw_only=True)
    """Inputs of the first plan and of each extension, each cut into units by itself; () is one part."""

    @property
    def id(self) -> str:
        """Hash of the configuration, the sidecar and the photos' names; the same on every machine."""
        names = [found.name for found in self.inputs]
        parted = [list(self.parts)] if len(self.parts) > 1 else []
        given = [{"weights": list(self.weights)}] if self.weights else []
        text = json.dumps([__version__, SCHEMA_VERSION, self.config.canonical(), self.sidecar, names, *parted, *given])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def fingerprint(self) -> str:
        """Hash of `id`, and size and time of every photo: what an interrupted build must still find unchanged."""
        text = json.dumps([self.id, [found.fingerprint() for found in self.inputs]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def units(self) -> list[list[Found]]:
        """Inputs cut into consecutive units."""
        return [self.inputs[start:stop] for start, stop in _cuts(self.parts or (len(self.inputs),))]


def unit_size(photos: int) -> int:
    """Photos a unit: small for a small plan (progress, balance), larger for a large one (fewer files)."""
    return 4 if photos <= 256 else 16 if photos <= 16384 else 64


def _cuts(parts: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    end = 0
    for size in parts:
        start, end = end, end + size
        yield from ((i, min(i + unit_size(size), end)) for i in range(start, end, unit_size(size)))


@dataclass(frozen=True)
class Resumed:
    """A plan compared with the work of an interrupted build."""

    plan: Plan
    """As it was frozen, and perhaps extended; the plan as it was given, if they have nothing in common."""
    differs: Difference = SAME
    """How the inputs differ from the frozen ones."""
    extends: str | None = None
    """Fingerprint of the frozen plan that this one extends."""


def resumed(out: Path, plan: Plan, extend: bool, name: str = WORK) -> Resumed:
    """The plan as an interrupted build has frozen it, if these inputs are the same.

    Args:
        out: folder or URL of the dataset.
        plan: of the inputs as they are now.
        extend: add inputs that are new as another part, and go on where others have changed or are gone.
        name: of the work folder.

    Raises:
        OutputError: inputs have changed or are gone because another folder is given: they are not lost, and would
            become rejects.
    """
    noted, frozen = noted_id(out / name), frozen_inputs(out / name)
    if frozen is None:
        return Resumed(plan)
    differs = compare(frozen, plan.inputs)
    there = {found.name: found for found in plan.inputs}
    root = _root(plan.inputs)
    stamped = zip(frozen.names, frozen.stamps, strict=True)
    old = [replace(there.get(name, Found(root / name, name)), stamp=stamp) for name, stamp in stamped]
    before = replace(plan, inputs=old, parts=frozen.parts if len(frozen.parts) > 1 else ())
    if before.fingerprint() != noted or (not extend and any(differs.sentences())):
        return Resumed(plan, differs)
    if differs.vanished or differs.changed:
        _check_root(out, name, root)
    if not differs.new:
        return Resumed(before, differs)
    new = [there[name] for name in differs.new]
    return Resumed(replace(before, inputs=old + new, parts=(*frozen.parts, len(new))), differs, noted)


def _check_root(out: Path, name: str, root: Path) -> None:
    before = _noted(out / name, "root")
    if before not in (None, _absolute(root)):
        raise OutputError(
            f"{out} holds an unfinished build of the photos in {before}, and not all of them are in {root}: finish it "
            f"by the command that began it, then add the others with --extend; or remove {out / name} to start again"
        )


def _absolute(root: Path) -> str:
    return str(root) if is_remote(root) else str(root.resolve())


def _root(inputs: Sequence[Found]) -> Path:
    """Folder that the names are relative to: a missing file is looked for there and nowhere else."""
    for found in inputs:
        parts = PurePosixPath(found.name).parts
        inner = range(len(parts), 0, -1) if found.entry else [len(parts)]  # the name goes on inside the file
        for length in inner:
            if found.path.parts[-length:] == parts[:length]:
                return found.path.parents[length - 1]
    return inputs[0].path.parent


def frozen_inputs(work: Path) -> FrozenInputs | None:
    """The list of the plan of a work folder; None if it has no plan.

    Raises:
        OutputError: the plan's note or the list is damaged.
    """
    noted = noted_id(work)
    path = work / f"inputs-{noted}.parquet"
    return thaw(path) if noted is not None and path.exists() else None


def noted_id(work: Path) -> str | None:
    """Fingerprint of the plan of a work folder; None if it has no plan.

    Raises:
        OutputError: its note is damaged.
    """
    found = _noted(work, "id")
    return None if found is None else str(found)


def noted_kernels(work: Path) -> dict[str, str] | None:
    """What the plan of a work folder was begun with, see `phq.system.kernels`; None if it has no plan.

    Raises:
        OutputError: its note is damaged.
    """
    found = _noted(work, "kernels")
    return dict(found) if isinstance(found, dict) else None


def _noted(work: Path, what: str) -> Any:
    note = work / NOTE
    if not note.exists():
        return None
    try:
        return json.loads(note.read_bytes())[what]
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{note} is damaged ({error}), so it is not known which build it belongs to; remove {work} to start again"
        ) from error


def open_work_folder(
    out: Path, plan: Plan, differs: Difference = SAME, extends: str | None = None, name: str = WORK
) -> Path:
    """The work folder of this plan, new or with what an interrupted build had finished.

    Args:
        out: folder or URL of the dataset.
        plan: of the build.
        differs: see `Resumed`.
        extends: see `Resumed`.
        name: of the folder.

    Raises:
        OutputError: the folder holds the unfinished work of another plan, or cannot be written.
    """
    work, fingerprint = out / name, plan.fingerprint()
    with output_errors(work):
        work.mkdir(parents=True, exist_ok=True)
        found = noted_id(work)
        if found not in (None, fingerprint, extends):
            raise OutputError(_of_another(out, work, differs))
        if found is None:
            _empty(work)
        for stale in sorted(work.glob("*.tmp")):
            stale.unlink()
    path = work / f"inputs-{fingerprint}.parquet"
    if found != fingerprint or not path.exists():
        frozen = listed(plan.inputs)
        freeze(path, replace(frozen, parts=plan.parts or frozen.parts))
        root = _absolute(_root(plan.inputs))
        note = {
            "id": fingerprint,
            "photos": len(plan.inputs),
            "plan": plan.id,
            "root": root,
            "kernels": noted_kernels(work) or kernels(),
        }
        write_bytes(work / NOTE, json.dumps(note).encode())
    with output_errors(work):
        for stale in sorted(work.glob("inputs-*.parquet")):
            if stale != path:
                stale.unlink()
    return work


def _empty(work: Path) -> None:
    """Remove all but the lock: units without a note are left from a finished plan whose folder was being removed when
    the process was killed."""
    for path in sorted(work.glob("*")):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def forget_plan(work: Path) -> None:
    """Drop the plan of a work folder, so that the next `open_work_folder` removes its units.

    Raises:
        OutputError: the note cannot be removed.
    """
    with output_errors(work / NOTE):
        (work / NOTE).unlink(missing_ok=True)


def inputs_path(work: Path) -> Path:
    """The frozen list of an open work folder."""
    return work / f"inputs-{noted_id(work)}.parquet"


def _of_another(out: Path, work: Path, differs: Difference) -> str:
    changes = "; ".join(differs.sentences())
    hint = ", or add what is new with --extend" if differs.new else ""
    return (
        f"{out} holds an unfinished build of other photos or another configuration or sidecar"
        f"{f' ({changes})' if changes else ''}; finish it, choose another folder, or remove {work}{hint}"
    )


def check_unreplaced(out: Path) -> None:
    """Refuse to write results where a dataset has come into the folder since the build began.

    Args:
        out: folder or URL of the dataset.

    Raises:
        OutputError: there is one.
    """
    if (out / MANIFEST).exists():
        raise OutputError(
            f"{out} holds a dataset that the unfinished build there has not made and would replace; nothing was "
            f"changed. Move that dataset away and run the same build again, which continues from {out / WORK}"
        )


def has_written(out: Path) -> bool:
    """Whether the dataset in a folder is what the plan of its work folder gives, so that only a kill has left that.

    Raises:
        OutputError: the plan's note is damaged.
    """
    planned = _noted(out / WORK, "plan")
    if planned is None:  # units without a plan cannot be continued
        return True
    try:
        run = read_run(Root(str(out)))
    except InputError:
        return False
    return run.get("plan") == planned and run.get("command") != "bake"  # which keeps the plan of its source


def drop_written_work(out: Path) -> None:
    """Remove the work folder that a kill has left beside its finished dataset.

    Raises:
        OutputError: the dataset is of another origin, and the build is not finished.
    """
    if not has_written(out):
        check_unreplaced(out)
    close_work_folder(out / WORK)


def close_work_folder(work: Path) -> None:
    """Remove the work folder of a finished dataset."""
    if is_remote(work):
        fs, name = file_system(work)
        if fs.exists(name):
            fs.rm(name, recursive=True)
    elif work.exists():
        with suppress(FileNotFoundError):  # another process, which has found the dataset whole, is removing it too
            shutil.rmtree(work)
