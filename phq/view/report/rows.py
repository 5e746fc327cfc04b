"""The rows of a dataset as arrays, kept and rejected, with the thresholds in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.curate.balance.head_pose import head_to_torso
from phq.dataset.reader import Dataset
from phq.dataset.thresholds import thresholds_in_force
from phq.dataset.whole_columns import columns
from phq.pose.drawn import Bodies
from phq.reasons import STORED_SCORES
from phq.schema import BOX, PROVENANCE
from phq.system.arrays import Bools, Doubles
from phq.view.similar import ALL, Similar

ANGLES = ("camera_yaw_deg", "camera_pitch_deg", "head_yaw_deg")
_WORDS = ("key", "source_path", "source_sha256", "decision", "reason", "detail", "split", "shard", "score_name",
          "duplicate_of", *PROVENANCE)  # fmt: skip
_NUMBERS = (*ANGLES, *STORED_SCORES, *BOX, "margin")


@dataclass(frozen=True)
class Rows:
    """Every row of a dataset with its overlays applied; rejects come last.

    Arrays have one number a row, NaN where a reject has none.
    """

    dataset: Dataset
    words: pa.Table
    """Texts, '' where a row has none."""
    numbers: Mapping[str, Doubles]
    """Scores, angles, ``margin``, ``apart`` (`phq.view.similar.Similar.apart`), and the head's ``turn`` and ``nod``
    against the torso, degrees."""
    thresholds: Mapping[str, float]
    """Thresholds in force, by address."""
    bodies: Bodies
    """How bodies are drawn."""
    similar: Similar
    """Which rows are like which."""

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def kept(self) -> Bools:
        """Which rows are kept."""
        return np.asarray(pc.equal(self.words["decision"], "kept").to_numpy())

    @cached_property
    def stored(self) -> Bools:
        """Which rows have a stored picture."""
        return np.asarray(pc.not_equal(self.words["shard"], "").to_numpy())

    def text(self, name: str, row: int) -> str:
        """One text of a row."""
        return str(self.words[name][row].as_py())

    def of_kept(self, name: str) -> Doubles:
        """Numbers of those kept rows that have one."""
        values = self.numbers[name][self.kept]
        return values[np.isfinite(values)]


def read_rows(dataset: Dataset, bodies: Bodies) -> Rows:
    """All columns that the report needs.

    Args:
        dataset: opened with its rejects.
        bodies: how bodies are drawn.

    Raises:
        InputError: a table cannot be read, or is of an older phq.
    """
    table = columns(dataset, (*_WORDS, *_NUMBERS, "neck_head_pose"))
    numbers = {name: _floats(table[name]) for name in _NUMBERS}
    x0, y0, x1, y1 = (numbers.pop(name) for name in BOX)
    turn, nod = _head(table["neck_head_pose"])
    words = pa.table({name: table[name].cast(pa.string()).fill_null("") for name in _WORDS})
    similar = Similar(dataset)
    apart = similar.apart(ALL).astype(np.float64)
    numbers |= {"box_px": np.minimum(x1 - x0, y1 - y0), "turn": turn, "nod": nod, "apart": apart}
    return Rows(dataset, words, numbers, thresholds_in_force(dataset), bodies, similar)


def _floats(column: pa.ChunkedArray) -> Doubles:
    return np.asarray(column.cast(pa.float64()).fill_null(np.nan).to_numpy(), np.float64)


def _head(column: pa.ChunkedArray) -> tuple[Doubles, Doubles]:
    known = np.asarray(column.is_valid().to_numpy())
    turn, nod = np.full((2, len(column)), np.nan)
    if known.any():
        flat = column.filter(pa.array(known)).combine_chunks().flatten().to_numpy()
        turn[known], nod[known] = head_to_torso(flat)
    return turn, nod
