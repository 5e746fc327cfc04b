"""From the new labels to the overlay: decide again, leave out columns that have not changed, write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.curate.annotate.groups import Selection
from phq.curate.annotate.units import beyond_rounding
from phq.dataset.overlays import LATEST, apply_overlays, write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.dataset.whole_columns import columns as known_columns
from phq.decisions.decision import NEEDED, decide_table, open_rows
from phq.schema import DECISION, GROUPS, Fields, Row

BATCH = 1024
"""Rows turned into Python objects at a time."""


@dataclass(frozen=True)
class Statement:
    """The changes of an overlay."""

    columns: list[str]
    """Columns of the overlay: those in which anything has changed."""
    thrown_out: Counter[str]
    """Samples that a stage has rejected, by reason."""
    left: Counter[str]
    """Samples that are no longer kept, by reason."""
    entered: Counter[str]
    """Samples that are kept now, by the reason of their former rejection."""


Decisions = dict[str, Fields]
"""`DECISION` by key."""


def state(  # noqa: PLR0913 - what an annotation is
    samples: Dataset,
    name: str,
    labels: pa.Table | None,
    selection: Selection,
    config: Config,
    about: Mapping[str, Any],
    *,
    base: str = LATEST,
    look: Callable[[Root], object] | None = None,
) -> Statement:
    """Write the overlay `name`.

    Args:
        samples: those that were annotated.
        name: of the overlay.
        labels: see `phq.curate.annotate.units.unit_schema`; None if no stage has run.
        selection: the groups of labels.
        config: for the decisions.
        about: the record of the annotation.
        base: revision of `samples`, on which the overlay stands.
        look: see `phq.dataset.overlays.write_overlay`.

    Raises:
        OutputError: the dataset has got another overlay meanwhile, or cannot be written.
    """
    folder = samples.root.local
    assert folder is not None
    thrown_out = _thrown_out(labels)
    before = {row["key"]: row for row in known_columns(samples, ["key", *DECISION]).to_pylist()}
    now: Decisions = {}
    if "decisions" in selection.names:
        whole = _with_labels(folder, labels, base)
        now = _decided(whole, before, thrown_out, selection, config)
    now |= {key: _rejection(*why) for key, why in thrown_out.items()}
    after = {key: _rounded(old, now.get(key, old)) for key, old in before.items()}
    columns = _changed(before, after, labels)
    written = columns or ["decision"]  # an overlay has at least one column, even if nothing has changed
    write_overlay(folder, name, _rows(labels, after, written), written, about, read=samples.run, base=base, look=look)
    return Statement(columns, Counter(why[0] for why in thrown_out.values()), *_moves(before, after))


def _thrown_out(labels: pa.Table | None) -> dict[str, tuple[str, str]]:
    """Reason and detail by key of samples that a stage has rejected."""
    if labels is None:
        return {}
    rows = labels.filter(pc.not_equal(labels["reason"], "")).select(["key", "reason", "detail"]).to_pylist()
    return {row["key"]: (row["reason"], row["detail"]) for row in rows}


def _with_labels(folder: Path, labels: pa.Table | None, base: str) -> pa.Table:
    """`NEEDED` of every stored sample, with the new labels: duplicates are searched among all."""
    whole = known_columns(Dataset(folder, revision=base, rejects=True, where="shard <> ''"), NEEDED)
    if labels is None:
        return whole
    new = [name for name in labels.column_names if name in NEEDED and name not in DECISION]
    return apply_overlays(whole, [labels.select(new)])


def _decided(
    table: pa.Table, asked: Decisions, thrown_out: Mapping[str, Any], selection: Selection, config: Config
) -> Decisions:
    """The decision on every sample that no stage has just rejected.

    Args:
        table: `NEEDED` of every stored sample, as it is now.
        asked: by key, the samples to decide on; another that is rejected stays so, and no sample repeats it.
        thrown_out: by key, the samples that a stage has just rejected.
        selection: stages that have run again.
        config: thresholds, and what counts as a duplicate.
    """
    table = table.filter(pc.invert(_is_one_of(table["key"], thrown_out)))
    ours = pc.or_(_is_one_of(table["key"], asked), pc.equal(table["reason"], ""))
    decisions = decide_table(table, open_rows(table, selection.names) & np.asarray(ours), config)
    return dict(zip(table["key"].to_pylist(), decisions.to_pylist(), strict=True))


def _is_one_of(column: pa.ChunkedArray, keys: Mapping[str, Any]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(list(keys), pa.string()))


def _rejection(reason: str, detail: str) -> Fields:
    """`DECISION` of a sample that a stage has rejected."""
    no_score = {"score_name": "", "threshold": 0.0, "margin": 0.0}
    return {"decision": "rejected", "reason": reason, "detail": detail, **no_score, **dict.fromkeys(GROUPS, "")}


def _rounded(old: Fields, new: Fields) -> Fields:
    return {"key": old["key"], **{name: beyond_rounding(name, new[name], old[name]) for name in DECISION}}


def _changed(before: Decisions, after: Decisions, labels: pa.Table | None) -> list[str]:
    """Columns in which anything has changed, in the order of `Row`."""
    changed = {name for key, old in before.items() for name in DECISION if after[key][name] != old[name]}
    if labels is not None:
        changed |= set(pc.unique(pc.list_flatten(labels["changed"])).to_pylist())
    return [name for name in Row.model_fields if name in changed]


def _rows(labels: pa.Table | None, after: Decisions, columns: list[str]) -> Iterator[Fields]:
    decisions = [name for name in columns if name in DECISION]
    if labels is None:
        yield from ({name: row[name] for name in ("key", *decisions)} for row in after.values())
        return
    table = labels.select(["key", *(name for name in columns if name not in DECISION)])
    for batch in table.to_batches(max_chunksize=BATCH):
        for row in batch.to_pylist():
            yield row | {name: after[row["key"]][name] for name in decisions}


def _moves(before: Decisions, after: Decisions) -> tuple[Counter[str], Counter[str]]:
    """Samples that have left, by their reason, and those that have entered, by the reason they had."""
    left: Counter[str] = Counter()
    entered: Counter[str] = Counter()
    for key, old in before.items():
        new = after[key]
        if (old["decision"], new["decision"]) == ("kept", "rejected"):
            left[new["reason"]] += 1
        if (old["decision"], new["decision"]) == ("rejected", "kept"):
            entered[old["reason"]] += 1
    return left, entered
