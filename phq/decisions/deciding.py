"""`decide`: keep or reject, taken again from the stored scores; no network runs, and no picture is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.config.build import Config
from phq.dataset.overlays import about_overlay
from phq.dataset.reader import Dataset
from phq.dataset.whole_columns import columns
from phq.decisions.again import revisable
from phq.decisions.alike import STORED as LIKENESS
from phq.decisions.alike import Fields, compacted, find_alike
from phq.decisions.columnar import Spoken, decide_columns
from phq.decisions.flip_again import EVIDENCE, p_flip_columns
from phq.decisions.rules import in_words
from phq.decisions.settings import settings_for
from phq.errors import InputError
from phq.reasons import RULES
from phq.schema import BOX, DECISION
from phq.system.arrays import Bools

SCORES = tuple(rule.score for rule in RULES if rule.score != "box_px")
NEEDED = tuple(dict.fromkeys(["key", "split", *BOX, *SCORES, *LIKENESS, *EVIDENCE, *DECISION]))
"""Columns that a decision is taken on, and those that it sets."""
STORED = "shard <> ''"


@dataclass(frozen=True)
class Decided:
    """What was decided, before anything is written."""

    samples: Dataset
    """Every sample with stored bytes, kept or not."""
    config: Config
    before: pa.Table
    """`NEEDED`, as it stands."""
    after: pa.Table
    """The columns `DECISION`, and ``p_flip``, as they were decided now."""

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
    """Decide on every stored sample of a dataset, as its overlays leave it.

    What a stage of the pipeline or a person has rejected stays rejected: only the reasons of thresholds and duplicates
    are taken back. A label that an overlay has turned is judged as it stands: ``p_flip`` is stated anew from the stored
    evidence. Nothing is written; see `phq.decisions.applying.apply`.

    Args:
        preset, config, sets: as for a build; without preset and file, `sets` go over the thresholds in force, which are
            those of the topmost ``phq decide``, or else those that the dataset was built with.

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
    """`decide_dataset` of an open dataset, rejects among its rows, under a whole configuration."""
    samples = dataset.filter(STORED)
    before = columns(samples, NEEDED)
    flip = np.round(p_flip_columns(before), 6)
    stands = before.set_column(before.schema.get_field_index("p_flip"), "p_flip", pa.chunked_array([flip]))
    return Decided(samples, settings, before, _decided(stands, settings))


def in_force(samples: Dataset) -> Mapping[str, Any]:
    """The record that holds the configuration in force: of the topmost overlay that decided, else of the build."""
    for name in reversed(samples.overlays):
        about = about_overlay(samples.root, name)
        if about.get("command") == "decide" and isinstance(about.get("config"), dict):
            return about
    return samples.run


def _decided(table: pa.Table, config: Config) -> pa.Table:
    """`DECISION` and ``p_flip`` of every row."""
    spoken = decide_columns(table, config.thresholds)
    open_again = np.asarray(pc.is_in(pc.fill_null(table["reason"], ""), value_set=pa.array(["", *_may_fall()])))
    keeping = np.flatnonzero(open_again & ~spoken.broken)
    likeness = compacted(table.select(LIKENESS).take(pa.array(keeping)))
    alike = {int(keeping[row]): fields for row, fields in find_alike(likeness, config).items()}
    now = _by_score(table, spoken) | {name: table[name].to_pylist() for name in ("duplicate_of",)}
    for row in np.flatnonzero(open_again).tolist():
        now["duplicate_of"][row] = ""
    _state_alike(now, alike)
    closed = np.flatnonzero(~open_again)
    for name in DECISION:
        stays = table[name].take(pa.array(closed)).to_pylist()
        for row, value in zip(closed.tolist(), stays, strict=True):
            now[name][row] = value
    fields = [pa.field(name, table.schema.field(name).type) for name in (*DECISION, "p_flip")]
    return pa.table([*(now[name] for name in DECISION), table["p_flip"]], schema=pa.schema(fields))


def _may_fall() -> list[str]:
    return sorted(revisable(()))


def _by_score(table: pa.Table, spoken: Spoken) -> dict[str, list[Any]]:
    """Columns of the decision by thresholds alone, without duplicates."""
    none = ("", "", "", 0.0)
    names = [("", rule.reason, rule.score, limit) for rule, limit in zip(spoken.rules, spoken.thresholds, strict=True)]
    broken = spoken.broken.tolist()
    near = [(*names, none)[place] for place in spoken.rule.tolist()]
    now: dict[str, list[Any]] = {
        "decision": ["rejected" if b else "kept" for b in broken],
        "reason": [n[1] if b else "" for n, b in zip(near, broken, strict=True)],
        "score_name": [n[2] for n in near],
        "threshold": [n[3] for n in near],
        "margin": [round(m, 6) + 0.0 if np.isfinite(m) else m for m in spoken.margin.tolist()],
        "detail": [""] * len(broken),
        "duplicate_group": [""] * len(broken),
        "scene_group": [""] * len(broken),
        "identity_group": [""] * len(broken),
    }
    for row in np.flatnonzero(spoken.broken).tolist():
        now["detail"][row] = _in_words(table, spoken, row)
    return now


def _in_words(table: pa.Table, spoken: Spoken, row: int) -> str:
    rule, limit = spoken.rules[spoken.rule[row]], spoken.thresholds[spoken.rule[row]]
    if rule.score == "box_px":
        x0, y0, x1, y1 = (table[name][row].as_py() for name in BOX)
        return in_words(rule, min(x1 - x0, y1 - y0), limit)
    return in_words(rule, table[rule.score][row].as_py(), limit)


def _state_alike(now: dict[str, list[Any]], alike: Mapping[int, Fields]) -> None:
    for row, fields in alike.items():
        for name, value in fields.items():
            now[name][row] = value
