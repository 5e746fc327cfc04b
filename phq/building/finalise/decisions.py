"""Duplicates, splits and order over all people of a build, column by column on the disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from phq.building.finalise.gather import People
from phq.config.build import Config
from phq.dataset.folder import SPLITS
from phq.dataset.tables import arrow_schema
from phq.decisions.decision import kept_rows, marked_batches
from phq.decisions.likeness import Likeness, find_likeness
from phq.decisions.numbered import key_numbers
from phq.decisions.split_groups import LINKS, LinkedRows, linked_rows, split_of
from phq.schema import DECISION, GROUPS
from phq.system.arrays import Doubles, Ints
from phq.system.columns_on_disk import BATCH, ColumnsOnDisk

Sides = NDArray[np.int8]
"""Numbers of splits in `phq.dataset.folder.SPLITS`, −1 for none."""


@dataclass(frozen=True)
class Decisions:
    """Everyone, and who is kept."""

    people: People
    decided: ColumnsOnDisk
    """`DECISION` of everyone."""
    split: Sides
    """(N,) of everyone, −1 for a reject."""
    order: Ints
    """Rows that are kept, by key."""

    def table(self, names: tuple[str, ...]) -> pa.Table:
        """Columns of everyone, in the order of the plan: of `People.everyone`, and `DECISION`."""
        everyone, decided = self.people.everyone.table(), self.decided.table()
        return pa.table({name: decided[name] if name in DECISION else everyone[name] for name in names})

    def batches(self, names: tuple[str, ...], kept: bool) -> Iterator[pa.Table]:
        """Some columns of those that are kept, or of the others, in the order of the plan, some at a time; ``split``
        among them if it is named."""
        stored = tuple(name for name in names if name != "split")
        texts = np.array([*SPLITS, ""], object)
        for start in range(0, len(self.split), BATCH):
            rows = np.flatnonzero((self.split[start : start + BATCH] >= 0) == kept)
            if len(rows):
                table = self.table(stored).slice(start, BATCH).take(pa.array(rows))
                if "split" in names:
                    table = table.append_column("split", pa.array(texts[self.split[start + rows]], pa.string()))
                yield table

    def kept_yaws(self) -> Doubles:
        """(n,) camera yaw of those that are kept, by key, degrees."""
        yaws = self.table(("camera_yaw_deg",))["camera_yaw_deg"].to_numpy()
        return np.asarray(yaws[self.order], np.float64)

    def by_split(self) -> dict[str, Ints]:
        """Kept rows of each split that exists, by key; an empty train split if nobody is kept."""
        side = self.split[self.order]
        rows = {name: self.order[side == number] for number, name in enumerate(SPLITS)}
        return {name: found for name, found in rows.items() if len(found)} or {SPLITS[0]: self.order}

    def reasons(self) -> Counter[str]:
        """Rejects by reason."""
        tables = self.batches(("reason",), kept=False)
        return Counter(reason for table in tables for reason in table["reason"].to_pylist())

    def counts(self, photos: int) -> dict[str, Any]:
        """Photos, people, kept, and rejected by reason: "counts" of ``run.json``."""
        return {
            "photos": photos,
            "people": len(self.split) - self.table(("person_index",))["person_index"].null_count,
            "kept": len(self.order),
            "rejected": dict(sorted(self.reasons().items())),
        }


def decide_people(people: People, config: Config, before: Sides | None = None) -> Decisions:
    """Find duplicates among those that the thresholds keep, and give the others a split.

    Groups for the splits are those of the rejects too: another threshold moves nobody to the other side. Who is linked
    to a sample of an existing dataset goes where that is; those stay, whatever they look like, and who repeats one of
    them is rejected.

    Args:
        people: see `phq.building.finalise.gather.gather`.
        config: of the build.
        before: (`People.existing`,) splits of the existing samples.
    """
    alike = find_likeness(people.likeness.table(), config, people.existing)
    decided = _decided(people, alike, config)
    existing = np.empty(0, np.int8) if before is None else before
    kept = kept_rows(decided.table())
    split = _splits(people, decided, alike, existing, config, kept)
    keys = key_numbers(people.everyone.table()["key"])[kept]
    return Decisions(people, decided, split, kept[np.argsort(keys, kind="stable")])


def _decided(people: People, alike: Likeness, config: Config) -> ColumnsOnDisk:
    """`DECISION` of everyone, with what likeness sets."""
    schema = pa.schema([arrow_schema().field(name) for name in DECISION])
    decided = ColumnsOnDisk(people.folder / "decided", schema)
    thresholds, compared = people.decisions.table(), people.likeness.table()
    for table in marked_batches(thresholds, compared, alike, config, people.existing):
        decided.append(table)
    return decided


def _splits(
    people: People, decided: ColumnsOnDisk, alike: Likeness, existing: Sides, config: Config, kept: Ints
) -> Sides:
    """(N,) split of every row that is kept."""
    count = len(decided)
    rows = linked_rows(_links(people, decided, alike, len(existing)))
    sides = np.full(int(rows.label.max(initial=-1)) + 1, -1, np.int8)
    for number in range(len(SPLITS) - 1, -1, -1):  # of two, train
        sides[rows.label[count:][existing == number]] = number
    split = np.full(count, -1, np.int8)
    split[kept] = sides[rows.label[kept]]
    for start in range(0, count, BATCH):
        free = kept[slice(*np.searchsorted(kept, [start, start + BATCH]))]
        free = free[split[free] < 0]
        split[free] = _sides(rows, start, free - start, config)
    return split


def _sides(rows: LinkedRows, start: int, free: Ints, config: Config) -> list[int]:
    texts = rows.texts(start, BATCH) if len(free) else []
    return [SPLITS.index(split_of(texts[row], config)) for row in free.tolist()]


def _links(people: People, decided: ColumnsOnDisk, alike: Likeness, existing: int) -> pa.Table:
    """`LINKS` of everyone, then of the existing samples with the groups that they are in together with new ones."""
    everyone, groups = people.everyone.table(), decided.table()
    links = pa.table({name: groups[name] if name in GROUPS else everyone[name] for name in LINKS})
    if not existing:
        return links
    compared = people.likeness.table()
    named = alike.names(compared["key"], existing)
    old = pa.table({name: named[name] if name in GROUPS else compared[name].slice(0, existing) for name in LINKS})
    return pa.concat_tables([links, old.cast(links.schema)])
