"""Duplicates, splits and order over all people of a build, column by column."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.folder import SPLITS
from phq.dataset.tables import take_rows
from phq.decisions.decision import kept_rows, mark_likeness
from phq.decisions.likeness import COMPACT, COMPARED
from phq.decisions.split_groups import LINKS, assign_splits, sides_of, split_groups
from phq.schema import DECISION
from phq.system.arrays import Ints

EXISTING = tuple(dict.fromkeys((*COMPARED, *COMPACT, "identity", "split")))
"""Columns of the samples of an existing dataset that `decide_people` takes."""


@dataclass(frozen=True)
class Decisions:
    """Everyone, and who is kept."""

    table: pa.Table
    """As `phq.building.finalise.gather.gather` gives it, with all decisions, and ``split`` ('' for a reject)."""
    order: Ints
    """Rows that are kept, by key."""

    @property
    def kept(self) -> pa.Table:
        """Those that are kept, by key."""
        return take_rows(self.table, self.order)

    @property
    def rejects(self) -> pa.Table:
        """Those that are not, in the order of the plan."""
        return self.table.filter(pc.equal(self.table["decision"], "rejected")).combine_chunks()

    def by_split(self) -> dict[str, Ints]:
        """Kept rows of each split that exists, by key; an empty train split if nobody is kept."""
        split = np.asarray(self.table["split"].to_numpy(zero_copy_only=False))[self.order]
        rows = {name: self.order[split == name] for name in SPLITS}
        return {name: found for name, found in rows.items() if len(found)} or {SPLITS[0]: self.order}

    def counts(self, photos: int) -> dict[str, Any]:
        """Photos, people, kept, and rejected by reason: "counts" of ``run.json``."""
        return {
            "photos": photos,
            "people": len(self.table) - self.table["person_index"].null_count,
            "kept": len(self.order),
            "rejected": dict(sorted(Counter(self.rejects["reason"].to_pylist()).items())),
        }


def decide_people(table: pa.Table, config: Config, before: pa.Table | None = None) -> Decisions:
    """Find duplicates among those that the thresholds keep, and give the others a split.

    Groups for the splits are those of the rejects too: another threshold moves nobody to the other side. Who is linked
    to a sample of an existing dataset goes where that is.

    Args:
        table: see `phq.building.finalise.gather.gather`.
        config: of the build.
        before: `EXISTING` of a dataset's samples, by key: they stay, whatever they look like, and who repeats one of
            them is rejected.
    """
    kept = kept_rows(table)
    likeness = take_rows(table.select([*COMPARED, *COMPACT]), kept)
    decisions, before = mark_likeness(table.select(DECISION), kept, likeness, config, before)
    for name in DECISION:
        table = table.set_column(table.schema.get_field_index(name), decisions.schema.field(name), decisions[name])
    kept = kept_rows(table)
    splits = np.full(len(table), "", object)
    splits[kept] = _splits(table, kept, config, before)
    table = table.append_column("split", pa.array(splits, pa.string())).combine_chunks()
    keys = np.array(table["key"].take(pa.array(kept)).to_pylist(), "S16")
    return Decisions(table, kept[np.argsort(keys, kind="stable")])


def _splits(table: pa.Table, kept: Ints, config: Config, before: pa.Table | None) -> list[str]:
    """Split of every row that is kept."""
    links, sides = table.select(LINKS), [""] * len(table)
    if before is not None:
        links = pa.concat_tables([links, before.select(LINKS).cast(links.schema)])
        sides += before["split"].to_pylist()
    groups = split_groups(links)
    return assign_splits([groups[row] for row in kept.tolist()], sides_of(groups, sides), config)
