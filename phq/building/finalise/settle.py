"""Duplicates, splits and order over all people of a build, column by column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.building.finalise.gather import take
from phq.config.build import Config
from phq.dataset.folder import SPLITS
from phq.decisions.alike import COMPACT, LIKENESS, find_alike
from phq.decisions.rows import UNGROUPED, split_of
from phq.decisions.split_groups import GROUPED_BY, split_groups
from phq.schema import DECISION
from phq.system.arrays import Ints


@dataclass(frozen=True)
class Settled:
    """Everyone, and who is kept."""

    table: pa.Table
    """As `phq.building.finalise.gather.Gathered.table`, with all decisions, and ``split`` ('' for a reject)."""
    order: Ints
    """Rows that are kept, by key."""

    @property
    def kept(self) -> pa.Table:
        """Those that are kept, by key."""
        return take(self.table, self.order)

    @property
    def rejects(self) -> pa.Table:
        """Those that are not, in the order of the plan."""
        return self.table.filter(pc.equal(self.table["decision"], "rejected")).combine_chunks()

    def by_split(self) -> dict[str, Ints]:
        """Kept rows of each split that there is, by key; train, without any, where nobody is kept."""
        split = np.asarray(self.table["split"].to_numpy(zero_copy_only=False))[self.order]
        rows = {name: self.order[split == name] for name in SPLITS}
        return {name: found for name, found in rows.items() if len(found)} or {SPLITS[0]: self.order}

    def counts(self) -> dict[str, Any]:
        """People, kept, and rejected by reason."""
        return {
            "people": len(self.table) - self.table["person_index"].null_count,
            "kept": len(self.order),
            "rejected": dict(sorted(Counter(self.rejects["reason"].to_pylist()).items())),
        }


def settle(table: pa.Table, config: Config, before: pa.Table | None = None) -> Settled:
    """Find duplicates among those that the thresholds keep, and give everyone else a split.

    Args:
        table: `phq.building.finalise.gather.Gathered.table`.
        before: samples of a dataset that stands (`STANDING`), by key: they stay, whatever they look like, and who
            repeats one of them goes.
    """
    columns = {name: table[name].to_pylist() for name in DECISION}
    keeping = np.flatnonzero(np.array([decision == "kept" for decision in columns["decision"]], bool))
    standing = _mark_alike(table, columns, keeping, config, before)
    kept = np.array([row for row in keeping.tolist() if columns["decision"][row] == "kept"], np.int64)
    names = list(table.column_names)
    for name in DECISION:
        field = table.schema.field(name)
        table = table.set_column(names.index(name), field, pa.array(columns[name], field.type))
    table = table.append_column("split", pa.array(_splits(table, kept, config, standing), pa.string()))
    keys = np.array(table["key"].take(pa.array(kept)).to_pylist(), "S16")
    return Settled(table, kept[np.argsort(keys, kind="stable")])


STANDING = tuple(dict.fromkeys((*LIKENESS, *COMPACT, "identity", "split")))
"""What `settle` needs to know of samples that stand."""
_GROUPS = tuple(name for name in GROUPED_BY if name in UNGROUPED)


def _mark_alike(
    table: pa.Table, columns: dict[str, list[Any]], keeping: Ints, config: Config, before: pa.Table | None
) -> pa.Table | None:
    """As `phq.decisions.rows.mark_duplicates`; samples that stand come first and are not judged.

    Returns:
        `before` with the groups that its samples are in beside the new ones, for the splits.
    """
    looked = take(table.select([*LIKENESS, *COMPACT]), keeping)
    stand = 0 if before is None else len(before)
    if before is not None:
        looked = pa.concat_tables([before.select(looked.column_names).cast(looked.schema), looked]).combine_chunks()
    groups = {name: [""] * stand for name in _GROUPS}
    for number, fields in find_alike(looked, config, stand).items():
        row = number if number < stand else int(keeping[number - stand])
        for name, value in fields.items():
            if number >= stand:
                columns[name][row] = value
            elif name in groups:
                groups[name][row] = value
    if before is not None:
        for name, values in groups.items():
            before = before.append_column(name, pa.array(values, pa.string()))
    return before


def _splits(table: pa.Table, kept: Ints, config: Config, before: pa.Table | None) -> list[str]:
    """Split of every row, '' for a reject.

    Groups are those of the rejects too: another threshold moves nobody to the other side. Who is linked to a sample
    that stands goes where it is, to train if they are on both sides.
    """
    groups = _groups([table] if before is None else [table, before])
    standing: dict[str, str] = {}
    for photo, split in _pairs(before, "source_sha256", "split"):
        group = groups.get(photo, photo)
        standing[group] = "train" if "train" in (split, standing.get(group)) else split
    found = [""] * len(table)
    photos = table["source_sha256"].take(pa.array(kept)).to_pylist()
    for row, photo in zip(kept.tolist(), photos, strict=True):
        group = groups.get(photo, photo)
        found[row] = standing.get(group) or split_of(group, config)
    return found


def _groups(tables: list[pa.Table]) -> dict[str, str]:
    """As `phq.decisions.split_groups.split_groups`, of the photos for which it is not the photo itself."""
    shared = GROUPED_BY[1:]
    pairs = {(name, *pair) for name in shared for table in tables for pair in _pairs(table, "source_sha256", name)}
    return split_groups({"source_sha256": photo, name: value} for name, photo, value in pairs if value)


def _pairs(table: pa.Table | None, *names: str) -> zip[tuple[Any, ...]]:
    return zip(*([] if table is None else table[name].to_pylist() for name in names), strict=True)
