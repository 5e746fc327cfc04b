"""`phq.decisions.rules.decide` over whole columns: the same answer for a hundred thousand people at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from phq.reasons import RULES, Rule
from phq.schema import BOX
from phq.system.arrays import Doubles


@dataclass(frozen=True)
class Spoken:
    """For each of N people the rule that rejected, or came closest to it."""

    rule: NDArray[np.int64]
    """(N,) place in `rules`, −1 where no rule spoke."""
    margin: Doubles
    """(N,) signed distance in units of the threshold, as `phq.decisions.rules.margin`; 0 where no rule spoke."""
    rules: tuple[Rule, ...]
    """Rules that have a threshold."""
    thresholds: tuple[float, ...]
    """Of `rules`."""

    @property
    def broken(self) -> NDArray[np.bool_]:
        """(N,) whether a threshold rejects."""
        return np.asarray(self.margin < 0)


def score_columns(table: pa.Table) -> dict[str, Doubles | pa.ChunkedArray]:
    """By name of the score the column that a rule speaks about, as far as the table has it, ``box_px`` among them."""
    found = {rule.score: table[rule.score] for rule in RULES if rule.score in table.column_names}
    if set(BOX) <= set(table.column_names):
        width, height = (pc.subtract(table[BOX[i + 2]], table[BOX[i]]) for i in (0, 1))
        found["box_px"] = pc.min_element_wise(width, height, skip_nulls=False)
    return found


def decide_columns(table: pa.Table, thresholds: Mapping[str, float]) -> Spoken:
    """The nearest threshold of every row.

    Args:
        table: columns of scores (see `score_columns`); a null is a score that was never taken, and does not speak.
        thresholds: by address (``blur.min``).
    """
    scores = score_columns(table)
    rules = tuple(rule for rule in RULES if rule.address in thresholds and rule.score in scores)
    limits = tuple(float(thresholds[rule.address]) for rule in rules)
    nearest, which = np.full(len(table), np.inf), np.full(len(table), -1, np.int64)
    for place, (rule, limit) in enumerate(zip(rules, limits, strict=True)):
        margin = _margins(scores[rule.score], rule, limit)
        closer = margin < nearest  # between equals the earlier rule
        nearest[closer], which[closer] = margin[closer], place
    return Spoken(which, np.where(which < 0, 0.0, nearest), rules, limits)


def _margins(column: pa.ChunkedArray, rule: Rule, limit: float) -> Doubles:
    """(N,) as `phq.decisions.rules.margin`, +∞ where nothing was scored."""
    absent = np.asarray(pc.is_null(column))
    values = np.asarray(pc.fill_null(column.cast(pa.float64()), 0.0))
    with np.errstate(over="ignore"):  # a threshold next to 0 is infinitely far away, as for one person
        distance = (values - limit if rule.side == "min" else limit - values) / (abs(limit) or 1.0)
    return np.where(absent, np.inf, np.where(np.isnan(values), -np.inf, distance))


def counted(values: Sequence[str]) -> list[tuple[str, int]]:
    """Names with how often each occurs, the most frequent first, then by name."""
    names, counts = np.unique(np.asarray(values, dtype=object).astype(str), return_counts=True)
    return sorted(zip(names.tolist(), counts.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
