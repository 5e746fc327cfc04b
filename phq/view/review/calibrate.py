"""Thresholds that agree with the marks. What ``phq calibrate`` does is this one call.

A rule says on which side of its threshold a sample is thrown out, so there is one number to choose a rule. They are
chosen one after the other, each for the greatest balanced accuracy of all rules together against the marks, until
none moves (coordinate ascent). Only rules with a threshold take part: switching one on is a person's choice.
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
from phq.system.atomic import write_bytes
from phq.view.review.catalogue import Catalogue

LEAST = 20
"""Kept and rejected samples that are needed, each: below, the error of a rate alone is over 0.1 (binomial)."""
FOLDS = 5
GAIN = 0.005
"""Balanced accuracy that a move must bring, so that no threshold moves for one sample among hundreds."""
_ROUNDS = 20
_MOST_CANDIDATES = 200
_SIGNED = "# Written by phq calibrate"


@dataclass(frozen=True)
class Calibrated:
    """Thresholds, and how they agree with the marks."""

    kept: int
    """Marks to keep that this is based on."""
    rejected: int
    reviewers: int
    before: dict[str, float]
    """Thresholds that were in force, by address."""
    after: dict[str, float]
    accuracy_before: float
    """Balanced accuracy against the marks."""
    accuracy_after: float
    accuracy_held_out: float
    """The same where each fifth of the marks is judged by thresholds chosen on the other four."""

    @property
    def moved(self) -> dict[str, tuple[float, float]]:
        """Thresholds that moved: old and new."""
        return {name: (old, self.after[name]) for name, old in self.before.items() if self.after[name] != old}


def calibrate(
    dataset: str | Path, *, preset: str | None = None, config: Path | None = None, least: int = LEAST
) -> Calibrated:
    """Choose thresholds by the marks of a dataset; nothing is written.

    Args:
        dataset: a folder with marks. preset, config: where to start from; without either the thresholds that the
            dataset was decided by, or, where it was by none, those of ``default``.
        least: marks to keep, and to reject, that there must be.

    Raises:
        InputError: no dataset, a damaged log, or too few marks.
        ConfigError: see `phq.config.build.load_config`.
    """
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
        balanced_accuracy(_thrown_out(rules, scores, first), bad),
        balanced_accuracy(_thrown_out(rules, scores, chosen), bad),
        _held_out(rules, scores, bad, first, _folds(keys)),
    )  # fmt: skip


def _start(catalogue: Catalogue, preset: str | None, config: Path | None) -> dict[str, float]:
    if preset is None and config is None and catalogue.thresholds:
        return catalogue.thresholds
    return load_config(preset, config).thresholds


def fit(rules: Sequence[Rule], scores: Sequence[Doubles], bad: Bools, start: Doubles) -> Doubles:
    """Thresholds (R,) that agree best with what people said.

    Args:
        rules: R. scores: (N,) for each. bad: (N,) what people rejected. start: (R,) where to begin.
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
    """The threshold of one rule that serves all together best; the nearest to `now` among equals."""
    candidates = _candidates(values)
    if not len(candidates):
        return now
    accuracy = np.array([balanced_accuracy(others | _broken(rule, values, t), bad) for t in (now, *candidates)])
    if accuracy.max() < accuracy[0] + GAIN:
        return now
    best = candidates[accuracy[1:] == accuracy.max()]
    return float(best[np.argmin(np.abs(best - now))])


def _candidates(values: Doubles) -> Doubles:
    """Between two scores that follow each other, and the least and the greatest of all; at most some 200."""
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


def _thrown_out(rules: Sequence[Rule], scores: Sequence[Doubles], thresholds: Doubles) -> Bools:
    parts = [_broken(rule, values, t) for rule, values, t in zip(rules, scores, thresholds, strict=True)]
    return np.asarray(np.any(parts, axis=0))


def balanced_accuracy(thrown_out: Bools, bad: Bools) -> float:
    """Mean of the fraction of bad samples that are thrown out and of good ones that are not; each class not empty."""
    return float((thrown_out[bad].mean() + (~thrown_out[~bad]).mean()) / 2)


def _folds(keys: Sequence[str]) -> NDArray[np.int64]:
    """Which fifth each sample is in, by the hash of its key."""
    return np.array([hashlib.sha256(key.encode()).digest()[0] % FOLDS for key in keys])


def _held_out(
    rules: Sequence[Rule], scores: Sequence[Doubles], bad: Bools, start: Doubles, folds: NDArray[np.int64]
) -> float:
    thrown_out = np.zeros(len(bad), dtype=bool)
    for fold in range(FOLDS):
        inside = folds == fold
        rest = ~inside
        usable = bad[rest].any() and not bad[rest].all()
        chosen = fit(rules, [values[rest] for values in scores], bad[rest], start) if usable else start
        thrown_out[inside] = _thrown_out(rules, [values[inside] for values in scores], chosen)
    return balanced_accuracy(thrown_out, bad)


def write_config(path: Path, result: Calibrated) -> None:
    """Write the thresholds as a configuration for ``phq decide`` and ``phq build --config``.

    Raises:
        OutputError: the file is there and was not written by this, or it cannot be written.
    """
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(_SIGNED.encode())):
        raise OutputError(f"{path} already exists; choose another name (nothing is ever overwritten)")
    write_bytes(path, config_text(result).encode())


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
    """For people."""
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
