"""`calibrate`: thresholds that agree with the marks of a review. What ``phq calibrate`` does is this one call.

A rule rejects samples on one side of its threshold, so there is one number to choose a rule. The thresholds are chosen
one after the other, each for the greatest balanced accuracy of all rules together against the marks, until none moves
(coordinate ascent). Only rules with a threshold take part: switching one on is a person's choice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phq.config.build import load_config
from phq.dataset.marks import FLIP, Marks
from phq.dataset.marks_log import read_log
from phq.decisions.rules import margins
from phq.errors import InputError, OutputError
from phq.reasons import RULE_BY_ADDRESS, Rule
from phq.system.arrays import Bools, Doubles
from phq.system.atomic import disk_errors_explained, write_bytes
from phq.view.review.catalogue import Catalogue

LEAST = 20
"""Least number of kept and of rejected samples: below, the standard error of a rate alone is over 0.1 (binomial)."""
FOLDS = 5
GAIN = 0.005
"""Least gain in balanced accuracy of a move, so that no threshold moves for one sample among hundreds."""
_ROUNDS = 20
_MOST_CANDIDATES = 200
_SIGNED = "# Written by phq calibrate"


@dataclass(frozen=True)
class Calibrated:
    """Thresholds, and how they agree with the marks."""

    kept: int
    """Marks to keep among those used."""
    rejected: int
    """Marks to reject among those used."""
    reviewers: int
    before: dict[str, float]
    """Thresholds that were in force, by address."""
    after: dict[str, float]
    accuracy_before: float
    """Balanced accuracy against the marks."""
    accuracy_after: float
    accuracy_held_out: float
    """The same with each fifth of the marks judged by thresholds chosen on the other four."""

    @property
    def moved(self) -> dict[str, tuple[float, float]]:
        """Thresholds that moved: old and new."""
        return {name: (old, self.after[name]) for name, old in self.before.items() if self.after[name] != old}


@disk_errors_explained
def calibrate(
    dataset: str | Path,
    *,
    out: str | Path | None = None,
    preset: str | None = None,
    config: Path | None = None,
    least: int = LEAST,
) -> Calibrated:
    """Choose thresholds by the marks of a dataset.

    Args:
        dataset: a folder with marks.
        out: TOML file to write the thresholds to, a configuration for ``phq decide`` and ``phq build --config``.
        preset: thresholds to start from; without `preset` and `config` those that the dataset was decided by, or if
            there are none those of ``default``.
        config: TOML file over the preset.
        least: least number of marks to keep, and of marks to reject.

    Raises:
        InputError: no dataset, a damaged log, or too few marks.
        ConfigError: see `phq.config.build.load_config`.
        OutputError: `out` exists and no earlier call has written it, or it cannot be written.
    """
    if out is not None:
        _check_replaceable(Path(out))
    result = _calibrated(dataset, preset, config, least)
    if out is not None:
        write_bytes(Path(out), config_text(result).encode())
    return result


def _check_replaceable(path: Path) -> None:
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(_SIGNED.encode())):
        raise OutputError(f"{path} already exists; choose another name (nothing is ever overwritten)")


def _calibrated(dataset: str | Path, preset: str | None, config: Path | None, least: int) -> Calibrated:
    catalogue = Catalogue(Path(dataset))
    marks = Marks(read_log(catalogue.folder))
    start = _start(catalogue, preset, config)
    keys = [key for key in marks.keys if key in catalogue.rows]
    verdicts = [verdict for key in keys if (verdict := marks.verdict(key))]
    bad = np.array([verdict.decision == "rejected" for verdict in verdicts], dtype=bool)
    kept, rejected = int((~bad).sum()), int(bad.sum())
    if min(kept, rejected) < least:
        flips = sum(verdict.mark == FLIP for verdict in verdicts)
        raise InputError(
            f"too few marks to move thresholds by: {kept} to keep and {rejected} to reject ({flips} of them flips); "
            f"{least} of each are needed"
        )
    rows = np.array([catalogue.rows[key] for key in keys])
    rules = [RULE_BY_ADDRESS[name] for name in start if RULE_BY_ADDRESS[name].score in catalogue.numbers]
    scores = [catalogue.numbers[rule.score][rows] for rule in rules]
    first = np.array([start[rule.address] for rule in rules])
    chosen = fit(rules, scores, bad, first)
    return Calibrated(
        kept, rejected, len(marks.reviewers), start,
        start | {rule.address: float(value) for rule, value in zip(rules, chosen, strict=True)},
        balanced_accuracy(_rejected(rules, scores, first), bad),
        balanced_accuracy(_rejected(rules, scores, chosen), bad),
        _held_out(rules, scores, bad, first, _folds(keys)),
    )  # fmt: skip


def _start(catalogue: Catalogue, preset: str | None, config: Path | None) -> dict[str, float]:
    own = catalogue.thresholds
    if preset is None and config is None and any(not RULE_BY_ADDRESS[name].stated for name in own):
        return own
    return load_config(preset, config).thresholds


def fit(rules: Sequence[Rule], scores: Sequence[Doubles], bad: Bools, start: Doubles) -> Doubles:
    """Thresholds (R,) that agree best with the reviewers.

    Args:
        rules: R rules.
        scores: of each rule the scores (N,) of the samples.
        bad: (N,) whether the reviewers rejected a sample.
        start: (R,) thresholds to begin with.
    """
    chosen = start.copy()
    broken = np.array([_broken(rule, values, t) for rule, values, t in zip(rules, scores, start, strict=True)])
    for _ in range(_ROUNDS):
        before = chosen.copy()
        for number, rule in enumerate(rules):
            others = np.asarray(np.delete(broken, number, axis=0).any(0))
            chosen[number] = _best(rule, scores[number], bad, others, chosen[number])
            broken[number] = _broken(rule, scores[number], chosen[number])
        if np.array_equal(before, chosen):
            break
    return chosen


def _best(rule: Rule, values: Doubles, bad: Bools, others: Bools, now: float) -> float:
    """The threshold of one rule that makes all rules together most accurate; among equals the nearest to `now`."""
    candidates = _candidates(values)
    if not len(candidates):
        return now
    accuracy = np.array([balanced_accuracy(others | _broken(rule, values, t), bad) for t in (now, *candidates)])
    if accuracy.max() < accuracy[0] + GAIN:
        return now
    best = candidates[accuracy[1:] == accuracy.max()]
    return float(best[np.argmin(np.abs(best - now))])


def _candidates(values: Doubles) -> Doubles:
    """A value between any two neighbouring scores, the least and the greatest score; at most some 200."""
    known = np.unique(values[np.isfinite(values)])
    if len(known) > _MOST_CANDIDATES:
        known = np.quantile(known, np.linspace(0, 1, _MOST_CANDIDATES))
    return np.array([*known[:1], *(_short(low, high) for low, high in pairwise(known.tolist())), *known[-1:]])


def _short(low: float, high: float) -> float:
    """The number with the fewest digits strictly between two, near their middle."""
    middle = (low + high) / 2
    numbers = (float(f"{middle:.{digits}g}") for digits in range(1, 16))
    return next((number for number in numbers if low < number < high), middle)


def _broken(rule: Rule, values: Doubles, threshold: float) -> Bools:
    """(N,) whether a rule rejects, as in a decision."""
    return np.asarray(margins(np.ma.MaskedArray(values), rule, threshold) < 0)


def _rejected(rules: Sequence[Rule], scores: Sequence[Doubles], thresholds: Doubles) -> Bools:
    parts = [_broken(rule, values, t) for rule, values, t in zip(rules, scores, thresholds, strict=True)]
    return np.asarray(np.any(parts, axis=0))


def balanced_accuracy(rejected: Bools, bad: Bools) -> float:
    """Mean of the fractions of bad samples that are rejected and of good ones that are not; no class may be empty."""
    return float((rejected[bad].mean() + (~rejected[~bad]).mean()) / 2)


def _folds(keys: Sequence[str]) -> NDArray[np.int64]:
    """(N,) the fifth, 0 to 4, of each sample, by the hash of its key."""
    return np.array([hashlib.sha256(key.encode()).digest()[0] % FOLDS for key in keys])


def _held_out(
    rules: Sequence[Rule], scores: Sequence[Doubles], bad: Bools, start: Doubles, folds: NDArray[np.int64]
) -> float:
    rejected = np.zeros(len(bad), dtype=bool)
    for fold in range(FOLDS):
        inside = folds == fold
        rest = ~inside
        usable = bad[rest].any() and not bad[rest].all()
        chosen = fit(rules, [values[rest] for values in scores], bad[rest], start) if usable else start
        rejected[inside] = _rejected(rules, [values[inside] for values in scores], chosen)
    return balanced_accuracy(rejected, bad)


def config_text(result: Calibrated) -> str:
    """The thresholds as TOML."""
    moved = result.moved
    head = [f"{_SIGNED} from {_based_on(result)}.", "", "[thresholds]"]
    body = [f"{name} = {value!r}" + (f"  # was {moved[name][0]:g}" if name in moved else "")
            for name, value in _ordered(result.after)]  # fmt: skip
    return "\n".join(head + body) + "\n"


def _ordered(thresholds: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    yield from ((name, thresholds[name]) for name in RULE_BY_ADDRESS if name in thresholds)


def _based_on(result: Calibrated) -> str:
    people = "1 reviewer" if result.reviewers == 1 else f"{result.reviewers} reviewers"
    return f"{result.kept + result.rejected} marks ({result.kept} keep, {result.rejected} reject) of {people}"


def lines(result: Calibrated) -> Iterator[str]:
    """The result as text."""
    yield f"based on {_based_on(result)}"
    yield (
        f"balanced accuracy against the marks: {result.accuracy_before:.3f} before, {result.accuracy_after:.3f} after, "
        f"{result.accuracy_held_out:.3f} on marks held out"
    )
    for name, (old, new) in result.moved.items():
        yield f"  {name:<24} {old:g} → {new:g}"
    if not result.moved:
        yield "no threshold moves: none would agree better with the marks by more than chance"
    elif result.accuracy_held_out <= result.accuracy_before:
        yield "on marks held out this is no better than before: more marks are needed before these can be trusted"
