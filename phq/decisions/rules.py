"""Thresholds over stored scores: a pure function, so that a decision can be taken again without any image.

One implementation over columns; `decide` is the same for one person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from phq.reasons import RULES, STORED_SCORES, Rule
from phq.schema import BOX, CONSENT
from phq.system.arrays import Doubles

SCORED = ("consent", *BOX, *STORED_SCORES)
"""Columns that thresholds are applied to."""
Scores = Mapping[str, "np.ma.MaskedArray"]  # in quotes: numpy loads the module when it is asked for
"""(N,) values by the name of a score; masked where a score was never computed."""


@dataclass(frozen=True)
class Decision:
    """Outcome for one person; the fields are those of `phq.schema.Row`."""

    decision: Literal["kept", "rejected"]
    reason: str
    """Name of the reason, '' if kept."""
    detail: str
    """The score, its value and the threshold in words; '' if kept."""
    score_name: str
    """Score of the nearest threshold: the one that rejected, or came closest to it; '' if no rule applied."""
    threshold: float
    """That threshold, 0 if no rule applied."""
    margin: float
    """Signed distance to it in units of it; negative when rejected, −inf for a NaN, 0 if no rule applied."""


def scores_of(fields: Mapping[str, Any]) -> dict[str, float]:
    """Every score that a rule is about, from a record that may be incomplete.

    Args:
        fields: fields of `phq.schema.Sample` computed so far; ``box_px``, the shorter side of the person's box in photo
            pixels, is derived from ``box_x0`` … ``box_y1``, and ``consent_level`` from ``consent`` by
            `phq.schema.CONSENT`.
    """
    found = {rule.score: float(fields[rule.score]) for rule in RULES if rule.score in fields}
    if "box_x0" in fields:
        width, height = fields["box_x1"] - fields["box_x0"], fields["box_y1"] - fields["box_y0"]
        found["box_px"] = float(min(width, height))
    if "consent" in fields:
        found["consent_level"] = CONSENT[fields["consent"]]
    return found


def score_columns(table: pa.Table) -> Scores:
    """The scores of a table's rows, as far as it has them, those of `scores_of` among them; null is masked."""
    found = {rule.score: table[rule.score] for rule in RULES if rule.score in table.column_names}
    if set(BOX) <= set(table.column_names):
        width, height = (pc.subtract(table[BOX[i + 2]], table[BOX[i]]) for i in (0, 1))
        found["box_px"] = pc.min_element_wise(width, height, skip_nulls=False)
    if "consent" in table.column_names:
        places = pc.index_in(table["consent"], value_set=pa.array(list(CONSENT)), skip_nulls=True)
        found["consent_level"] = pa.chunked_array([pa.array(list(CONSENT.values()))]).take(places)
    return {name: _masked(column) for name, column in found.items()}


def _masked(column: pa.ChunkedArray) -> np.ma.MaskedArray:
    values = np.asarray(pc.fill_null(column.cast(pa.float64()), 0.0))
    return np.ma.MaskedArray(values, np.asarray(pc.is_null(column)))


def decide(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> Decision:
    """`decide_scores` for one person.

    Args:
        scores: by name of the score, see `scores_of`.
        thresholds: by address (``blur.min``), as in the configuration.
    """
    columns = decide_scores({name: np.ma.MaskedArray([value]) for name, value in scores.items()}, thresholds, 1)
    return Decision(**{name: column[0] for name, column in columns.items()})


def decide_scores(scores: Scores, thresholds: Mapping[str, float], count: int) -> dict[str, list[Any]]:
    """Keep each person whose every score is within its threshold.

    The nearest threshold is the one with the smallest margin; among broken rules that is the one broken worst, and it
    gives the reason. Between equal margins the earlier rule of `phq.reasons.RULES` wins. A rule without a threshold, or
    whose score was not computed, does not apply; a NaN breaks its rule.

    Args:
        scores: of N people.
        thresholds: by address (``blur.min``), as in the configuration.
        count: N.

    Returns:
        N values for each field of `Decision`, numbers not rounded.
    """
    rules = [rule for rule in RULES if rule.address in thresholds and rule.score in scores]
    nearest, which = np.full(count, np.inf), np.full(count, -1, np.int64)
    for number, rule in enumerate(rules):
        margin = margins(scores[rule.score], rule, float(thresholds[rule.address]))
        closer = margin < nearest  # between equals the earlier rule
        nearest[closer], which[closer] = margin[closer], number
    distances = np.where(which < 0, 0.0, nearest).tolist()
    chosen: list[Rule | None] = [(*rules, None)[number] for number in which.tolist()]
    columns: dict[str, list[Any]] = {
        "decision": ["rejected" if margin < 0 else "kept" for margin in distances],
        "reason": [rule.reason if rule and m < 0 else "" for rule, m in zip(chosen, distances, strict=True)],
        "detail": [""] * count,
        "score_name": [rule.score if rule else "" for rule in chosen],
        "threshold": [float(thresholds[rule.address]) if rule else 0.0 for rule in chosen],
        "margin": distances,
    }
    for row in np.flatnonzero(nearest < 0).tolist():
        rule = rules[which[row]]
        columns["detail"][row] = in_words(rule, float(scores[rule.score].data[row]), thresholds[rule.address])
    return columns


def broken(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> list[tuple[Rule, str]]:
    """Every rule that one person breaks, in words; the worst broken first, which is the reason that `decide` gives.

    Args:
        scores: see `decide`.
        thresholds: see `decide`.
    """
    found = []
    for rule in (rule for rule in RULES if rule.address in thresholds and rule.score in scores):
        value, threshold = scores[rule.score], float(thresholds[rule.address])
        margin = float(margins(np.ma.MaskedArray([value]), rule, threshold)[0])
        if margin < 0:
            found.append((margin, rule, in_words(rule, value, threshold)))
    return [(rule, words) for _, rule, words in sorted(found, key=lambda one: one[0])]


def margins(scores: np.ma.MaskedArray, rule: Rule, threshold: float) -> Doubles:
    """(N,) signed distances from a threshold in units of |threshold| (of 1 where that is 0).

    Negative where the rule is broken, 0 on the threshold itself (which is kept), −inf for NaN, +inf where masked, and
    where a statement is enough.
    """
    values = np.asarray(scores.data, np.float64)
    with np.errstate(over="ignore"):  # a threshold next to 0 is infinitely far away
        distance = (values - threshold if rule.side == "min" else threshold - values) / (abs(threshold) or 1.0)
    if rule.stated:
        distance = np.where(distance >= 0, np.inf, distance)
    return np.where(np.ma.getmaskarray(scores), np.inf, np.where(np.isnan(values), -np.inf, distance))


def in_words(rule: Rule, value: float, threshold: float) -> str:
    """``sharpness of the person is 0.12, below blur.min = 0.25``."""
    # enough digits that the two numbers never look equal
    digits = next((d for d in range(3, 17) if f"{value:.{d}g}" != f"{threshold:.{d}g}"), 17)
    relation = "below" if rule.side == "min" else "above"
    if math.isnan(value):
        return f"{rule.text} is not a number ({rule.address} = {threshold:g})"
    return f"{rule.text} is {value:.{digits}g}, {relation} {rule.address} = {threshold:.{digits}g}"
