"""A decision written as an overlay.

A build with ``keep_rejects`` is a build without thresholds with its decision as an overlay: the rejected samples are
stored like all others and can come back. ``phq decide`` revises it, ``phq bake`` writes the dataset without them, and
`phq.dataset` does not show them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.overlays import about_overlay, check_name, check_taken, stack_names, stage_overlay, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.dataset.whole_columns import columns
from phq.decisions.decide import Decided, decide_with
from phq.decisions.split_groups import LINKS, assign_splits, sides_of, split_groups
from phq.errors import InputError
from phq.schema import DECISION
from phq.system.arrays import Bools, Ints
from phq.system.journal import Change
from phq.system.version import __version__

BUILD = "build"
"""Name of the overlay that a build with ``keep_rejects`` writes; those of its extensions have a number behind it."""
NEAR = 1e-5
"""Numbers this near, or so near in proportion, are the same."""


def free_name(decided: Decided, stem: str = "decide", bare: bool = False) -> str:
    """``STEM-1``, or the next number that no overlay has; if `bare`, the first is STEM alone."""
    taken = {name.lower() for name in stack_names(decided.samples.run)}
    numbered = (stem if bare and n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def applied_as(decided: Decided) -> str | None:
    """Name of the topmost overlay if it has this very decision, so that nothing would change."""
    names = decided.samples.overlays
    if not names or about_overlay(decided.samples.root, names[-1]) != _about(decided):
        return None
    return None if _changes(decided)[0] else names[-1]


def _about(decided: Decided) -> dict[str, Any]:
    """How the overlay is made."""
    return {"command": "decide", "version": __version__, "config": decided.config.model_dump(mode="json")}


def apply(decided: Decided, name: str) -> int:
    """Put the decision on top of the dataset as overlay `name`; the number of samples in it.

    Only samples of which something changes are in it. One that enters and has no split yet goes where the samples are
    that it is linked to, or else where a build would have put it.

    Raises:
        InputError: the dataset is not on this machine, or the name cannot be used or is taken.
        OutputError: another overlay was put on the dataset meanwhile, or it cannot be written.
    """
    folder = decided.samples.root.local
    if folder is None:
        raise InputError(f"{decided.samples.root.where} is not a folder on this machine; an overlay can only go there")
    check_name(name)
    check_taken(decided.samples.root, name, stack_names(decided.samples.run))
    rows, columns = _changes(decided)
    write_overlay(Path(folder), name, rows, columns, _about(decided), below=decided.samples.overlays)
    return len(rows)


def stage_build_decision(change: Change, config: Config) -> tuple[str, Decided] | None:
    """Decide by a build's own configuration on the dataset that it stored by `phq.config.build.Config.storing_all`.

    Args:
        change: with the dataset's new tables and ``run.json``; the overlay is added.
        config: of the build.

    Returns:
        Name of the overlay, and the decision; None if no sample is stored.

    Raises:
        OutputError: the overlay cannot be written.
    """
    decided = decide_with(Dataset(Root(change.folder, change.new), rejects=True), config)
    if not len(decided.before):
        return None
    name = free_name(decided, BUILD, bare=True)
    stage_overlay(change, name, *_changes(decided), _about(decided))
    return name, decided


def _changes(decided: Decided) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the samples of which something changes, and their columns."""
    changed = {name: _differs(decided, name) for name in (*DECISION, "p_flip")}
    splits = _new_splits(decided)
    written = [column for column, where in changed.items() if where.any()] or ["decision"]
    rows = np.flatnonzero(np.any([changed[column] for column in written], axis=0))
    return list(_rows(decided, rows, written, splits)), [*written, "split"] if splits else written


def _differs(decided: Decided, name: str) -> Bools:
    before, after = decided.before[name], decided.after[name]
    if str(after.type) == "string":
        return np.asarray(pc.not_equal(pc.fill_null(before, "\0"), pc.fill_null(after, "\0")))
    old, new = (np.asarray(pc.fill_null(column, np.nan)) for column in (before, after))
    return np.asarray(~np.isclose(old, new, rtol=NEAR, atol=NEAR, equal_nan=True))


def _rows(decided: Decided, rows: Ints, written: list[str], splits: dict[int, str]) -> Iterator[dict[str, Any]]:
    keys, sides = (decided.before[name].take(rows).to_pylist() for name in ("key", "split"))
    values = [decided.after[name].take(rows).to_pylist() for name in written]
    for number, row in enumerate(rows.tolist()):
        fields = {"key": keys[number], **{name: column[number] for name, column in zip(written, values, strict=True)}}
        yield fields | {"split": splits.get(row, sides[number])} if splits else fields


def _new_splits(decided: Decided) -> dict[int, str]:
    """By row the split of those that enter without one."""
    splits = pc.fill_null(decided.before["split"], "")
    missing = np.flatnonzero(decided.entering & np.asarray(pc.equal(splits, ""))).tolist()
    if not missing:
        return {}
    groups = split_groups(columns(decided.samples, LINKS))
    sides = sides_of(groups, splits.to_pylist())
    entering = assign_splits([groups[row] for row in missing], sides, decided.config)
    return dict(zip(missing, entering, strict=True))
