"""The decision: a pure function of scores and thresholds, so that it can be taken again without any image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from phq.reasons import RULES, Rule


@dataclass(frozen=True)
class Decision:
    """Outcome for one person; the fields are those of `phq.schema.Row`."""

    decision: Literal["kept", "rejected"]
    reason: str
    """Name of the reason, '' if kept."""
    detail: str
    """The score, its value and the threshold in words; '' if kept."""
    score_name: str
    """Score of the nearest threshold: the one that rejected, or came closest to it; '' if no rule spoke."""
    threshold: float
    """That threshold, 0 if no rule spoke."""
    margin: float
    """Signed distance to it in units of it; negative when rejected, −inf for a NaN, 0 if no rule spoke."""


def scores_of(fields: Mapping[str, Any]) -> dict[str, float]:
    """Every score that a rule can speak about, out of a record that may be incomplete.

    Args:
        fields: fields of `phq.schema.Sample` computed so far; ``box_px``, the shorter side of the person's
        box in
            photo pixels, is derived from ``box_x0`` … ``box_y1``.
    """
    found = {rule.score: float(fields[rule.score]) for rule in RULES if rule.score in fields}
    if "box_x0" in fields:
        width, height = fields["box_x1"] - fields["box_x0"], fields["box_y1"] - fields["box_y0"]
        found["box_px"] = float(min(width, height))
    return found


def margin(rule: Rule, value: float, threshold: float) -> float:
    """Signed distance of a score from its threshold, in units of |threshold| (of 1 where that is 0).

    Negative where the rule is broken, 0 on the threshold itself (which is kept), −inf for NaN.
    """
    if math.isnan(value):
        return -math.inf
    distance = value - threshold if rule.side == "min" else threshold - value
    return distance / (abs(threshold) or 1.0)


def decide(scores: Mapping[str, float], thresholds: Mapping[str, float]) -> Decision:
    """Keep a person whose every score is within its threshold.

    The nearest threshold is the one with the smallest margin; among broken rules that is the one broken
    worst, and it names the reason. Between equal margins the earlier rule of `phq.reasons.RULES`
    wins. A rule without threshold, or whose score has not been computed, does not speak; a NaN breaks its
    rule.

    Args:
        scores: by name of the score, see `scores_of`. thresholds: by address (``blur.min``), as in the
        configuration.
    """
    spoken = [
        (margin(rule, scores[rule.score], thresholds[rule.address]), rule)
        for rule in RULES
        if rule.address in thresholds and rule.score in scores
    ]
    if not spoken:
        return Decision("kept", "", "", "", 0.0, 0.0)
    nearest, rule = min(spoken, key=lambda pair: pair[0])
    value, threshold = scores[rule.score], float(thresholds[rule.address])
    if nearest >= 0:
        return Decision("kept", "", "", rule.score, threshold, nearest)
    return Decision("rejected", rule.reason, in_words(rule, value, threshold), rule.score, threshold, nearest)


def in_words(rule: Rule, value: float, threshold: float) -> str:
    """``sharpness of the person is 0.12, below blur.min = 0.25``."""
    # enough digits that the two numbers never look equal
    digits = next((d for d in range(3, 17) if f"{value:.{d}g}" != f"{threshold:.{d}g}"), 17)
    relation = "below" if rule.side == "min" else "above"
    if math.isnan(value):
        return f"{rule.text} is not a number ({rule.address} = {threshold:g})"
    return f"{rule.text} is {value:.{digits}g}, {relation} {rule.address} = {threshold:.{digits}g}"
