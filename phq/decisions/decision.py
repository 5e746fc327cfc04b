"""The decision on a table of people: thresholds, then duplicates, scenes and faces among those that they keep.

The one implementation for a build, an extension, ``phq decide``, a re-annotation and a repair.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.tables import arrow_schema, take_rows
from phq.decisions.likeness import COMPACT, COMPARED, LIKENESS, Likeness, compact, find_likeness
from phq.decisions.rules import SCORED, decide_scores, score_columns
from phq.reasons import RULES
from phq.schema import DECISION, GROUPS, rounded
from phq.system.arrays import Bools, Ints
from phq.system.columns_on_disk import batches

NEEDED = tuple(dict.fromkeys(["key", *SCORED, *LIKENESS, *DECISION]))
"""Columns that `decide_table` takes."""
_BY_SCORE = {rule.reason for rule in RULES} | {"duplicate", "exact_duplicate", "same_scene"}
_BY_STAGE = {"keypoints": {"no_landmarks", "no_person", "internal_error"}, "pose": {"degenerate_pose"}}


def open_rows(table: pa.Table, groups: Sequence[str] = ()) -> Bools:
    """(N,) whether a row can be decided again: it is kept, or was rejected for a score or as a duplicate.

    Any other reason, such as a reviewer's, stays.

    Args:
        table: the column ``reason``.
        groups: groups of stages that have run again (`phq.curate.annotate.groups`), whose own reasons may change too.
    """
    reasons = {"", *_BY_SCORE}.union(*(_BY_STAGE.get(group, set()) for group in groups))
    return np.asarray(pc.is_in(pc.fill_null(table["reason"], ""), value_set=pa.array(sorted(reasons))))


def decide_table(table: pa.Table, undecided: Bools, config: Config) -> pa.Table:
    """The columns `DECISION` of every row.

    Args:
        table: `NEEDED` of N people.
        undecided: (N,) rows to decide on; the others stay as they are, and no row counts as a duplicate of them unless
            they are kept.
        config: thresholds, and what counts as a duplicate.
    """
    decisions = apply_thresholds(table, undecided, config)
    kept = kept_rows(decisions)
    likeness = compact(take_rows(table.select(LIKENESS), kept))
    return mark_likeness(decisions, kept, likeness, config)


def apply_thresholds(table: pa.Table, undecided: Bools, config: Config) -> pa.Table:
    """The columns `DECISION` by thresholds alone: rows that are decided on are in no group yet.

    Args:
        table: `SCORED`, as far as it was computed, and `DECISION`.
        undecided: (N,) rows to decide on; the others stay as they are.
        config: for its thresholds.
    """
    new = decide_scores(score_columns(table), config.thresholds, len(table))
    columns, mask, schema = [], pa.array(undecided), arrow_schema()
    for name in DECISION:
        kind = schema.field(name).type
        values = [rounded(name, value) for value in new[name]] if name in new else [""] * len(table)
        old = pc.fill_null(table[name], "") if name in GROUPS else table[name]
        columns.append(pc.if_else(mask, pa.array(values, kind), old.cast(kind)))
    return pa.table(columns, schema=pa.schema([pa.field(name, schema.field(name).type) for name in DECISION]))


def kept_rows(table: pa.Table) -> Ints:
    """Numbers of the rows that are kept."""
    return np.flatnonzero(np.asarray(pc.equal(table["decision"], "kept")))


def marked_batches(
    thresholds: pa.Table, table: pa.Table, alike: Likeness, config: Config, existing: int = 0
) -> Iterator[pa.Table]:
    """`marked` some rows at a time, for columns that lie on a disk.

    Args:
        thresholds: `DECISION` of N people.
        table: ``key`` and ``source_path`` of samples of an existing dataset, then of those people who are kept.
        alike: of the samples of `table`.
        config: what counts as a duplicate.
        existing: samples of the existing dataset.
    """
    touched = alike.touched()
    for decisions in batches(thresholds):
        kept, place = kept_rows(decisions), np.full(len(decisions), -1, np.int64)
        place[kept] = np.arange(existing, existing + len(kept))
        existing += len(kept)
        yield marked(decisions, place, alike, touched, table, config)


def mark_likeness(decisions: pa.Table, rows: Ints, likeness: pa.Table, config: Config) -> pa.Table:
    """Set what each row repeats and the groups it is in; reject it if the configuration says so.

    Args:
        decisions: `DECISION` of N people.
        rows: (M,) numbers of the rows to compare, those that are kept.
        likeness: `COMPARED` and `COMPACT` of these M rows.
        config: what counts as a duplicate, and whether it is rejected.
    """
    place = np.full(len(decisions), -1, np.int64)
    place[rows] = np.arange(len(rows))
    likeness = likeness.select([*COMPARED, *COMPACT]).combine_chunks()
    alike = find_likeness(likeness, config)
    return marked(decisions, place, alike, alike.touched(), likeness, config)


def marked(
    decisions: pa.Table, place: Ints, alike: Likeness, touched: Bools, table: pa.Table, config: Config
) -> pa.Table:
    """Decisions with what likeness sets in them.

    Args:
        decisions: `DECISION` of N people.
        place: (N,) number of each among the samples that were compared, −1 where it was not.
        alike: of the M samples that were compared.
        touched: (M,) see `phq.decisions.likeness.Likeness.touched`.
        table: their ``key`` and ``source_path``.
        config: what counts as a duplicate.
    """
    compared = np.flatnonzero(place >= 0)
    rows = compared[touched[place[compared]]]
    if not len(rows):
        return decisions
    columns: dict[str, list[Any]] = {name: decisions[name].to_pylist() for name in DECISION}
    for row, fields in zip(rows.tolist(), alike.fields(table, place[rows], config), strict=True):
        for name, value in fields.items():
            columns[name][row] = value
    return pa.table(columns, schema=decisions.schema)
