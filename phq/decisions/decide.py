"""`decide`: keep or reject again by the stored scores; no network runs, and no picture is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.overlays import about_overlay
from phq.dataset.reader import Dataset
from phq.dataset.tables import arrow_schema, take_rows
from phq.dataset.whole_columns import batches
from phq.decisions.decision import NEEDED, apply_thresholds, kept_rows, marked_batches, open_rows
from phq.decisions.likeness import LIKENESS, compact, compared_schema, find_likeness
from phq.decisions.settings import settings_for
from phq.errors import InputError
from phq.quality import flip
from phq.schema import DECISION
from phq.system.arrays import Bools, Doubles
from phq.system.columns_on_disk import ColumnsOnDisk

COLUMNS = tuple(dict.fromkeys([*NEEDED, "split", *flip.EVIDENCE, "orientation_sigma_deg", "p_flip"]))
"""Columns that a decision is based on, and those that it sets."""
SHOWN = ("key", "source_path", "source_sha256", "identity", "split", "camera_yaw_deg", "p_flip", *DECISION)
"""Those of them that a decision is shown by, and splits follow from."""
STORED = "shard <> ''"


@dataclass(frozen=True)
class Decided:
    """The decision on a dataset, before anything is written."""

    samples: Dataset
    """Every sample with stored bytes, kept or not."""
    config: Config
    before: pa.Table
    """`SHOWN` as they are, on the disk."""
    after: pa.Table
    """The columns `DECISION`, and ``p_flip``, by the new decision; on the disk."""
    scratch: TemporaryDirectory[str]
    """Folder of the columns."""

    @property
    def was_kept(self) -> Bools:
        """(N,)"""
        return np.asarray(pc.equal(self.before["decision"], "kept"))

    @property
    def is_kept(self) -> Bools:
        """(N,)"""
        return np.asarray(pc.equal(self.after["decision"], "kept"))

    @property
    def leaving(self) -> Bools:
        """(N,) kept before, rejected now."""
        return self.was_kept & ~self.is_kept

    @property
    def entering(self) -> Bools:
        """(N,) rejected before, kept now."""
        return ~self.was_kept & self.is_kept


def decide_dataset(
    dataset: str | Path, *, preset: str | None = None, config: Path | None = None, sets: Sequence[str] = ()
) -> Decided:
    """Decide on every stored sample of a dataset, with its overlays applied.

    A sample that a stage of the pipeline or a person has rejected stays rejected: only the reasons of thresholds and
    duplicates are revised. A label that an overlay has turned is judged as it is now: ``p_flip`` is computed again from
    the stored evidence. Nothing is written; see `phq.decisions.overlay.apply`.

    Args:
        dataset: folder or URL.
        preset: as for a build; without preset and file, `sets` apply on top of the thresholds in force, which are those
            of the topmost ``phq decide``, or else those that the dataset was built with.
        config: TOML file, as for a build.
        sets: ``key=value`` each, as for a build.

    Raises:
        ConfigError: see `phq.config.build.load_config`.
        InputError: no dataset, one of an older phq, or one without a stored sample.
    """
    samples = Dataset(dataset, rejects=True)
    decided = decide_with(samples, settings_for(in_force(samples), preset, config, sets))
    if not len(decided.before):
        raise InputError(f"{dataset} has no stored sample to decide on")
    return decided


def decide_with(dataset: Dataset, settings: Config) -> Decided:
    """`decide_dataset` of an open dataset, rejects among its rows, by a whole configuration."""
    samples = dataset.filter(STORED)
    scratch = TemporaryDirectory(prefix="phq-")
    before, thresholds, likeness = _by_thresholds(samples, settings, Path(scratch.name))
    after = ColumnsOnDisk(Path(scratch.name) / "after", thresholds.schema)
    flips = thresholds.table()["p_flip"]
    alike, start = find_likeness(likeness.table(), settings), 0
    for table in marked_batches(thresholds.table().select(DECISION), likeness.table(), alike, settings):
        after.append(table.append_column("p_flip", flips.slice(start, len(table))))
        start += len(table)
    return Decided(samples, settings, before.table(), after.table(), scratch)


def _by_thresholds(samples: Dataset, settings: Config, folder: Path) -> tuple[ColumnsOnDisk, ...]:
    """`SHOWN` of every sample; `DECISION` by thresholds alone and the new ``p_flip``; and what those are compared by
    that the thresholds keep."""
    known = arrow_schema()
    before = ColumnsOnDisk(folder / "before", pa.schema([known.field(name) for name in SHOWN]))
    thresholds = ColumnsOnDisk(folder / "thresholds", pa.schema([known.field(n) for n in (*DECISION, "p_flip")]))
    likeness = ColumnsOnDisk(folder / "likeness", compared_schema())
    for table in batches(samples, COLUMNS):
        index = table.schema.get_field_index("p_flip")
        now = table.set_column(index, table.schema.field(index), pa.chunked_array([np.round(_p_flips(table), 6)]))
        decisions = apply_thresholds(now, open_rows(now), settings)
        before.append(table.select(SHOWN))
        thresholds.append(decisions.append_column("p_flip", now["p_flip"]))
        likeness.append(compact(take_rows(now.select(LIKENESS), kept_rows(decisions))))
    return before, thresholds, likeness


def _p_flips(table: pa.Table) -> Doubles:
    """(N,) of each row's label as it is; the stored one where there is no evidence of the orientation."""
    evidence: dict[str, Any] = {name: table[name].to_numpy() for name in flip.EVIDENCE if name != "coco_keypoints"}
    evidence["coco_keypoints"] = pc.list_flatten(table["coco_keypoints"]).to_numpy()
    known = table["orientation_sigma_deg"].to_numpy() > 0
    return np.where(known, flip.p_flips(evidence), table["p_flip"].to_numpy())


def in_force(samples: Dataset) -> Mapping[str, Any]:
    """The record with the configuration in force: that of the topmost ``phq decide``, else of the build."""
    for name in reversed(samples.overlays):
        about = about_overlay(samples.root, name)
        if about.get("command") == "decide" and isinstance(about.get("config"), dict):
            return about
    return samples.run
