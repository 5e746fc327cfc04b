from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phq.decisions.rules import broken, decide, scores_of
from phq.reasons import RULE_BY_ADDRESS, RULES

SCORES = {"blur": 0.5, "p_flip": 0.1, "luminance": 0.4, "padding_fraction": 0.0}

finite = st.floats(-1e6, 1e6)
score_values = st.dictionaries(st.sampled_from(sorted({rule.score for rule in RULES})), finite)
threshold_values = st.dictionaries(st.sampled_from(sorted(RULE_BY_ADDRESS)), finite)


def test_without_thresholds_everything_is_kept() -> None:
    outcome = decide(SCORES, {})
    assert (outcome.decision, outcome.reason, outcome.detail) == ("kept", "", "")
    assert (outcome.score_name, outcome.threshold, outcome.margin) == ("", 0.0, 0.0)


def test_a_kept_sample_names_the_threshold_it_came_closest_to() -> None:
    outcome = decide(SCORES, {"blur.min": 0.4, "flip.max": 0.4, "luminance.min": 0.1})
    assert (outcome.decision, outcome.reason) == ("kept", "")
    assert (outcome.score_name, outcome.threshold) == ("blur", 0.4)
    assert outcome.margin == pytest.approx(0.25)


def test_the_worst_broken_rule_is_the_reason() -> None:
    outcome = decide({**SCORES, "p_flip": 0.9}, {"blur.min": 0.6, "flip.max": 0.3})
    assert (outcome.decision, outcome.reason, outcome.score_name) == ("rejected", "flip_risk", "p_flip")
    assert outcome.margin == pytest.approx(-2.0)
    assert "0.9" in outcome.detail and "above flip.max = 0.3" in outcome.detail


@given(score_values, threshold_values)
def test_the_first_of_the_broken_rules_is_the_reason(scores: dict[str, float], limits: dict[str, float]) -> None:
    found, outcome = broken(scores, limits), decide(scores, limits)
    assert bool(found) == (outcome.decision == "rejected")
    assert [(rule.reason, words) for rule, words in found[:1]] == [(outcome.reason, outcome.detail)][: len(found)]


def test_on_the_threshold_is_kept() -> None:
    for address in ("blur.min", "flip.max"):
        value = SCORES[RULE_BY_ADDRESS[address].score]
        outcome = decide(SCORES, {address: value})
        assert (outcome.decision, outcome.margin) == ("kept", 0.0)


def test_a_threshold_of_zero_measures_in_plain_units() -> None:
    outcome = decide({"padding_fraction": 0.2}, {"padding.max": 0.0})
    assert (outcome.reason, outcome.margin) == ("too_much_padding", pytest.approx(-0.2))


def test_a_missing_score_does_not_speak() -> None:
    assert decide({}, {"blur.min": 0.4}).decision == "kept"


def test_nan_is_rejected_and_outranks_any_number() -> None:
    outcome = decide({"blur": math.nan, "p_flip": 1.0}, {"blur.min": 0.4, "flip.max": 0.01})
    assert (outcome.decision, outcome.reason, outcome.margin) == ("rejected", "blurred", -math.inf)
    assert "not a number" in outcome.detail


def test_equal_margins_go_to_the_first_rule_of_the_table() -> None:
    nobody = {"mask_fraction": 0.0, "blur": 0.0, "luminance": 0.0}
    thresholds = {"luminance.min": 0.1, "blur.min": 0.2, "mask.min": 0.1}
    assert decide(nobody, thresholds).reason == "mask_too_small"
    assert decide(nobody, dict(reversed(thresholds.items()))).reason == "mask_too_small"


def test_the_two_numbers_of_the_detail_never_look_equal() -> None:
    assert "0.2499999 " not in decide({"blur": 0.2499999}, {"blur.min": 0.25}).detail
    assert "0.2499999," in decide({"blur": 0.2499999}, {"blur.min": 0.25}).detail


@given(score_values, threshold_values)
def test_it_agrees_with_asking_every_rule(scores: dict[str, float], thresholds: dict[str, float]) -> None:
    broken, asked = set(), 0
    for rule in RULES:
        if rule.score in scores and rule.address in thresholds:
            value, limit = scores[rule.score], thresholds[rule.address]
            asked += not (rule.stated and value >= limit)
            if (rule.side == "min" and value < limit) or (rule.side == "max" and value > limit):
                broken.add(rule.reason)
    outcome = decide(scores, thresholds)
    assert outcome.decision == ("rejected" if broken else "kept")
    assert outcome.reason in broken if broken else outcome.reason == ""
    assert (outcome.margin < 0) == bool(broken)
    assert bool(outcome.score_name) == bool(asked)
    assert bool(outcome.detail) == bool(broken)


@given(score_values, threshold_values)
def test_fewer_thresholds_reject_no_more(scores: dict[str, float], thresholds: dict[str, float]) -> None:
    before = decide(scores, thresholds)
    for address in thresholds:
        after = decide(scores, {a: t for a, t in thresholds.items() if a != address})
        assert not (before.decision == "kept" and after.decision == "rejected")


def test_consent_is_enough_or_not_and_never_nearly_so() -> None:
    kept = {"": [True, False, False], "no": [False] * 3, "limited": [True, True, False], "yes": [True] * 3}
    for stated, outcomes in kept.items():
        scores = scores_of({"consent": stated, "blur": 0.5})
        found = [decide(scores, {"consent.min": level, "blur.min": 0.4}) for level in (0, 0.5, 1)]
        assert [one.decision == "kept" for one in found] == outcomes
        assert {one.reason for one in found} <= {"", "no_consent"}
        assert {one.score_name for one in found if one.decision == "kept"} <= {"blur"}


def test_scores_of_a_half_finished_record() -> None:
    fields = {"box_x0": 10.0, "box_y0": 0.0, "box_x1": 40.0, "box_y1": 90.0, "key": "x", "blur": 1}
    assert scores_of(fields) == {"box_px": 30.0, "blur": 1.0}
    assert scores_of({}) == {}
