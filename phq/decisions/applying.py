"""A decision made an overlay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.dataset.overlays import check_name, check_taken, stack_names, write_overlay
from phq.dataset.whole_columns import columns
from phq.decisions.deciding import Decided
from phq.decisions.rows import split_of
from phq.decisions.split_groups import GROUPED_BY, split_groups
from phq.errors import InputError
from phq.schema import DECISION
from phq.system.version import __version__

NEAR = 1e-5
"""Numbers this near, or so near in proportion, are the same."""


def free_name(decided: Decided, stem: str = "decide", bare: bool = False) -> str:
    """``STEM-1``, or the next number that no overlay has; if `bare`, the first is STEM alone."""
    taken = {name.lower() for name in stack_names(decided.samples.run)}
    numbered = (stem if bare and n == 1 else f"{stem}-{n}" for n in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def apply(decided: Decided, name: str) -> int:
    """Put the decision on top of the dataset as overlay `name`; the number of samples that it speaks of.

    Only samples of which something changes are in it. One that enters and never had a split gets the one that a build
    would have given it.

    Raises:
        InputError: the dataset is not on this machine, or the name cannot be used or is taken.
        OutputError: another overlay was put on the dataset meanwhile, or it cannot be written.
    """
    folder = decided.samples.root.local
    if folder is None:
        raise InputError(f"{decided.samples.root.where} is not a folder on this machine; an overlay can only go there")
    check_name(name)
    check_taken(decided.samples.root, name, stack_names(decided.samples.run))
    changed = {name: _differs(decided, name) for name in (*DECISION, "p_flip")}
    splits = _new_splits(decided)
    written = [column for column, where in changed.items() if where.any()] or ["decision"]
    rows = np.flatnonzero(np.any([changed[column] for column in written], axis=0))
    about = {"command": "decide", "version": __version__, "config": decided.config.model_dump(mode="json")}
    named = [*written, "split"] if splits else written
    write_overlay(
        Path(folder), name, _rows(decided, rows, written, splits), named, about, below=decided.samples.overlays
    )
    return len(rows)


def _differs(decided: Decided, name: str) -> NDArray[np.bool_]:
    before, after = decided.before[name], decided.after[name]
    if str(after.type) == "string":
        return np.asarray(pc.not_equal(pc.fill_null(before, "\0"), pc.fill_null(after, "\0")))
    old, new = (np.asarray(pc.fill_null(column, np.nan)) for column in (before, after))
    return np.asarray(~np.isclose(old, new, rtol=NEAR, atol=NEAR, equal_nan=True))


def _rows(
    decided: Decided, rows: NDArray[np.int64], written: list[str], splits: dict[int, str]
) -> Iterator[dict[str, Any]]:
    keys, sides = (decided.before[name].take(rows).to_pylist() for name in ("key", "split"))
    values = [decided.after[name].take(rows).to_pylist() for name in written]
    for place, row in enumerate(rows.tolist()):
        said = {"key": keys[place], **{name: column[place] for name, column in zip(written, values, strict=True)}}
        yield said | {"split": splits.get(row, sides[place])} if splits else said


def _new_splits(decided: Decided) -> dict[int, str]:
    """By row the split of those that enter without one."""
    missing = decided.entering & np.asarray(pc.equal(pc.fill_null(decided.before["split"], ""), ""))
    if not missing.any():
        return {}
    table = columns(decided.samples, GROUPED_BY).to_pylist()
    groups = split_groups(table)
    rows = np.flatnonzero(missing).tolist()
    return {row: split_of(groups[table[row]["source_sha256"]], decided.config) for row in rows}
