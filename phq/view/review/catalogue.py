"""The samples that can be reviewed, as columns in memory: chosen, put in order and counted in milliseconds."""

from __future__ import annotations

import hashlib
import json
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.camera.angles import apart_deg
from phq.dataset.columns import Columns
from phq.dataset.embedded import bodies_of
from phq.dataset.overlays import NONE, stack_names
from phq.dataset.reader import Dataset
from phq.dataset.tar import STORAGE
from phq.dataset.thresholds import thresholds_in_force
from phq.dataset.whole_columns import columns
from phq.errors import InputError
from phq.reasons import RULES
from phq.schema import BOX
from phq.system.arrays import Doubles, Ints
from phq.view.review.overlay import DECIDED, review_names
from phq.view.similar import Similar

ANGLES = ("camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg")
DOUBTS = ("p_flip", "yaw_sigma_deg", "margin")
_WORDS = ("reason", "split", "source")
_NO_NUMBERS = {*STORAGE, *BOX, "threshold", "person_index"}
"""Scalars that nobody sorts by."""


class Catalogue:
    """Stored samples of a dataset, kept or rejected, numbered from 0 in its order.

    Labels are those of the latest revision; decision and reason are those without any review, so that the page shows
    the decisions of thresholds and reviewers side by side.

    Args:
        folder: the dataset.
        body: spec of `phq.pose.body_choice`, to draw records that name that body.

    Raises:
        InputError: no dataset, not a folder on this machine, or none of its samples has a picture.
        ConfigError: the body cannot be chosen.
        WeightError: the body's file cannot be used.
        MissingExtraError: the body needs a package that is not installed.
    """

    def __init__(self, folder: Path, body: str | None = None) -> None:
        every = Dataset(folder, rejects=True)
        if every.root.local is None:
            raise InputError(f"{folder} is not a folder on this machine; marks can only be written into one")
        stored = np.asarray(pc.fill_null(pc.not_equal(every.columns(["shard"])["shard"], ""), False))
        rows = np.flatnonzero(stored)
        if not len(rows):
            raise InputError(f"{folder} has no sample with a picture to review")
        self.folder = every.root.local
        self.dataset = every.select(rows)
        """The samples, in order."""
        self.bodies = bodies_of(self.dataset, body)
        """How bodies are drawn."""
        self.hidden = len(every) - len(rows)
        """Rejects of which no picture is stored."""
        self.keys = self.dataset.keys
        self.reviews = review_names(every.overlays)
        self.overlays = [name for name in every.overlays if name not in self.reviews]
        drawn = [self.bodies.given.sha256] if self.bodies.given is not None else []
        self.state = hashlib.sha256(json.dumps([*self.overlays, *drawn]).encode()).hexdigest()[:12]
        """Changes with the labels, and with what they are drawn with."""
        self._columns = Columns(every.root, self.overlays, rejects=True)
        self._base = self._columns.table([*DECIDED, "split", "source"]).take(rows)
        self._at = cache(
            lambda name: Dataset(folder, revision=name, rejects=True).select(rows) if name else self.dataset
        )
        self.numbers = self._numbers(rows)
        """Every score and angle, by name; NaN where a reject has none."""
        self.words = {name: _Words(self._base[name]) for name in _WORDS}
        """Texts of few kinds, by column."""
        self.rejected: NDArray[np.bool_] = np.asarray(pc.fill_null(pc.equal(self._base["decision"], "rejected"), False))

    def __len__(self) -> int:
        return len(self.keys)

    def _numbers(self, rows: Ints) -> dict[str, Doubles]:
        """Angles, doubts and scores that have thresholds, then every other number of the record and of overlays."""
        scores = [name for name in dict.fromkeys(rule.score for rule in RULES) if name in self._columns.names]
        first = tuple(dict.fromkeys((*ANGLES, *DOUBTS[:2], *scores)))
        table = columns(self.dataset, (*first, *BOX))
        found = {name: _floats(table[name]) for name in first}
        x0, y0, x1, y1 = (_floats(table[name]) for name in BOX)
        found |= {"box_px": np.minimum(x1 - x0, y1 - y0), "margin": _floats(self._base["margin"])}
        others = [f.name for f in self._columns.schema if _is_number(f.type) and f.name not in {*found, *_NO_NUMBERS}]
        more = self._columns.table(others).take(rows)
        self._columns.forget(others)
        return found | {name: _floats(more[name]) for name in others}

    @cached_property
    def similar(self) -> Similar:
        """Which samples are like which."""
        return Similar(self.dataset)

    @cached_property
    def revisions(self) -> list[str]:
        """Revisions whose labels can be compared, the oldest first."""
        every = stack_names(self.dataset.run)
        return [NONE, *(name for name in every if name not in review_names(every))]

    def at(self, revision: str) -> Dataset:
        """The samples with the labels of a revision; '' for the latest.

        Raises:
            InputError: there is no such revision.
        """
        if revision and revision not in self.revisions:
            raise InputError(f"there is no revision {revision!r}; there are: {', '.join(self.revisions)}")
        return self._at(revision) if revision else self.dataset

    def change(self, before: str, after: str) -> Doubles:
        """(N,) degrees by which torso or head, whichever more, have turned between two revisions; NaN if unknown."""
        turned = []
        for yaw in (ANGLES[0], ANGLES[2]):
            old, new = (_floats(self.at(name).columns([yaw])[yaw]) for name in (before, after))
            turned.append(apart_deg(new, old))
        return np.asarray(np.fmax(*turned))

    @cached_property
    def rows(self) -> dict[str, int]:
        """Number of each sample by its key."""
        return {key: number for number, key in enumerate(self.keys)}

    @cached_property
    def key_array(self) -> NDArray[np.str_]:
        """Key of each sample."""
        return np.array(self.keys)

    @cached_property
    def sides(self) -> Ints:
        """Side of each stored picture, pixels."""
        return np.asarray(self.dataset.columns(["image_size"])["image_size"].to_numpy())

    @cached_property
    def paths(self) -> pa.ChunkedArray:
        """Path of each photo, as recorded."""
        return self.dataset.columns(["source_path"])["source_path"]

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """The thresholds in force, by address."""
        return thresholds_in_force(self.dataset)

    def record(self, number: int) -> dict[str, Any]:
        """What a cell of the grid shows of a sample, besides its marks."""
        shown = {name: _plain(self.numbers[name][number]) for name in (*ANGLES, *DOUBTS)}
        return (
            {"key": self.keys[number], "rejected": bool(self.rejected[number])}
            | shown
            | {name: words.text(number) for name, words in self.words.items()}
        )

    def decided(self, number: int) -> dict[str, Any]:
        """What the thresholds say of a sample."""
        return {name: self._base[name][number].as_py() for name in DECIDED}


class _Words:
    """A column of texts of few kinds."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        coded = column.fill_null("").combine_chunks().dictionary_encode()
        coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
        self.kinds: list[str] = coded.dictionary.to_pylist()
        self.codes: NDArray[np.int32] = coded.indices.to_numpy()

    def text(self, number: int) -> str:
        return self.kinds[self.codes.item(number)]

    def among(self, wanted: list[str]) -> NDArray[np.bool_]:
        codes = [code for code, kind in enumerate(self.kinds) if kind in wanted]
        return np.isin(self.codes, codes)

    def counts(self) -> dict[str, int]:
        counted = np.bincount(self.codes, minlength=len(self.kinds)).tolist()
        return dict(sorted(zip(self.kinds, counted, strict=True), key=lambda pair: (-pair[1], pair[0])))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _floats(column: pa.ChunkedArray) -> Doubles:
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(), dtype=np.float64)


def _plain(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return round(float(value), 4) if np.isfinite(value) else None
