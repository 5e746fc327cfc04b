"""Agreement between people and thresholds, and thresholds that follow people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from review_client import throw_out
from review_dataset import review_dataset

from phq.config.build import load_config
from phq.dataset.marks_log import open_log
from phq.errors import InputError, OutputError
from phq.reasons import RULE_BY_ADDRESS
from phq.view.review.agreement import kappa, lines, review_stats
from phq.view.review.calibrate import balanced_accuracy, calibrate, fit


def test_kappa_is_that_of_cohens_table() -> None:
    """Worked example: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no give p_o = 0.7, p_e = 0.5, kappa = 0.4."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert kappa(first, second) == pytest.approx(0.4)
    assert kappa(["yes", "no"], ["yes", "no"]) == 1
    assert kappa(["yes", "yes"], ["yes", "yes"]) is None
    assert kappa([], []) is None


def test_stats_compare_reviewers_with_each_other_and_with_the_thresholds(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 10)
    throw_out(folder, keys[:2])
    with open_log(folder) as log:
        log.mark("ann", "reject", "review_blur", keys[:3])
        log.mark("ann", "keep", "", keys[3:8])
        log.mark("bob", "reject", "review_cut", keys[2:4])
        log.mark("bob", "keep", "", keys[4:6])
    found = review_stats(folder)
    assert (found.marked, found.marks, found.reviewers) == (
        8, {"keep": 4, "reject": 4, "flip": 0}, {"ann": 8, "bob": 4}
    )  # fmt: skip
    (pair,) = found.between
    assert (pair.samples, pair.same) == (4, 0.75)
    assert pair.table == {"keep/keep": 2, "keep/reject": 1, "reject/reject": 1}
    everybody = found.thresholds[0]
    assert (everybody.samples, everybody.same) == (8, 0.75)  # 0 and 1 rejected by both, 2 and 3 by people alone
    assert "ann and bob: 4 in common, 75.0% alike" in "\n".join(lines(found))


def test_thresholds_follow_the_marks(tmp_path: Path) -> None:
    """Blur is number / 100: whoever rejects everything below 0.30 moves the threshold from 0.1 to there."""
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 60, p_flip=0.0)
    start = tmp_path / "start.toml"
    start.write_text('preset = "everything"\nblur.min = 0.1\nflip.max = 0.5\n')
    with open_log(folder) as log:
        log.mark("ann", "reject", "review_blur", keys[:30])
        log.mark("ann", "keep", "", keys[30:])
    out = tmp_path / "thresholds.toml"
    result = calibrate(folder, out=out, config=start)
    assert (result.kept, result.rejected) == (30, 30)
    assert set(result.moved) == {"blur.min"}
    assert 0.29 < result.after["blur.min"] < 0.30
    assert (result.accuracy_before, result.accuracy_after) == (pytest.approx(2 / 3, abs=0.01), 1.0)
    assert result.accuracy_held_out > 0.9
    assert load_config("everything", out).thresholds == result.after
    assert "60 marks (30 keep, 30 reject) of 1 reviewer" in out.read_text()
    calibrate(folder, out=out, config=start)  # its own file may be written again
    with pytest.raises(OutputError, match="already exists"):
        calibrate(folder, out=start, config=start)


def test_a_threshold_never_leaves_its_side() -> None:
    """Blurred photos that people like and sharp ones that they do not: no minimum can say so, and none is made up."""
    rule = RULE_BY_ADDRESS["blur.min"]
    scores = np.linspace(0, 1, 100)
    bad = scores > 0.5
    (chosen,) = fit([rule], [scores], bad, np.array([0.3]))
    thrown_out = ~(scores >= chosen)
    assert balanced_accuracy(thrown_out, bad) >= balanced_accuracy(~(scores >= 0.3), bad)
    assert not thrown_out.any() or thrown_out.all()  # the best it can do is nothing


def test_thresholds_stay_where_marks_say_nothing() -> None:
    rule = RULE_BY_ADDRESS["noise.max"]
    bad = np.arange(400) % 2 == 0
    assert fit([rule], [np.full(400, 1.0)], bad, np.array([5.0])) == [5.0]


def test_two_rules_share_the_work() -> None:
    """Each catches its own half; together they say exactly what people said."""
    rules = [RULE_BY_ADDRESS["blur.min"], RULE_BY_ADDRESS["noise.max"]]
    rng = np.random.default_rng(1)
    blur, noise = rng.uniform(0, 1, 300), rng.uniform(0, 20, 300)
    bad = (blur < 0.4) | (noise > 15)
    blur_min, noise_max = fit(rules, [blur, noise], bad, np.array([0.1, 19.0]))
    assert blur_min == pytest.approx(0.4, abs=0.02)
    assert noise_max == pytest.approx(15, abs=0.4)


def test_too_few_marks_are_refused_with_how_many_there_are(tmp_path: Path) -> None:
    folder = tmp_path / "dataset"
    keys = review_dataset(folder, 30)
    with open_log(folder) as log:
        log.mark("ann", "keep", "", keys[:25])
        log.mark("ann", "flip", "", keys[25:28])
    with pytest.raises(InputError, match=r"25 to keep and 3 to reject \(3 of them flips\); 20 of each"):
        calibrate(folder)
