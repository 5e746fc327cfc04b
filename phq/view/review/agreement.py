"""Agreement of reviewers with each other and with the thresholds. What ``phq review --stats`` does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from phq.dataset.marks import MARKS, Marks
from phq.dataset.marks_log import read_log
from phq.view.review.catalogue import Catalogue


@dataclass(frozen=True)
class Agreement:
    """Two reviewers, or a reviewer and the thresholds, on the same samples."""

    first: str
    second: str
    samples: int
    """Number of samples that both judged."""
    same: float
    """Fraction of these judged alike, 0 if there are none."""
    kappa: float | None
    """Cohen's kappa; None where it is not defined (nothing in common, or both gave one and the same answer)."""
    table: dict[str, int]
    """Samples by both judgements, ``keep/reject``."""


@dataclass(frozen=True)
class ReviewStats:
    """Counts of the marks, and how far they agree."""

    samples: int
    marked: int
    marks: dict[str, int]
    """Samples by the mark in force."""
    reasons: dict[str, int]
    """Rejects and flips by reason, most frequent first."""
    reviewers: dict[str, int]
    """Samples by reviewer."""
    between: tuple[Agreement, ...]
    """Each pair of reviewers: keep, reject or flip."""
    thresholds: tuple[Agreement, ...]
    """All reviewers together and each alone, against the decisions of the thresholds: keep or reject."""


def kappa(first: Sequence[str], second: Sequence[str]) -> float | None:
    """Agreement beyond chance, 1 if complete and 0 if by chance alone (Cohen 1960, doi:10.1177/001316446002000104).

    (p_o − p_e) / (1 − p_e), with p_o the fraction of equal answers and p_e the one expected if both gave each answer
    as often as they do, but independently of each other. None where p_e is 1 or there are no answers.
    """
    if not first:
        return None
    total = len(first)
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    counts, others = Counter(first), Counter(second)
    by_chance = sum(counts[name] * others[name] for name in counts) / total**2
    return None if by_chance == 1 else (observed - by_chance) / (1 - by_chance)


def review_stats(dataset: str | Path) -> ReviewStats:
    """Count the marks of a dataset and compare them; nothing is written.

    Raises:
        InputError: no dataset, or a damaged log.
    """
    catalogue = Catalogue(Path(dataset))
    marks = Marks(read_log(catalogue.folder))
    keys = [key for key in marks.keys if key in catalogue.rows]
    opinions = {key: {action.reviewer: action.mark for action in marks.opinions(key)} for key in keys}
    verdicts = {key: action for key in keys if (action := marks.verdict(key))}
    in_force = Counter(action.mark for action in verdicts.values())
    decided = {key: "reject" if catalogue.rejected[catalogue.rows[key]] else "keep" for key in keys}
    reasons = Counter(action.stored_reason for action in verdicts.values() if action.stored_reason)
    everybody = {key: _as_decision(action.mark) for key, action in verdicts.items()}
    alone = {
        name: {key: _as_decision(answers[name]) for key, answers in opinions.items() if name in answers}
        for name in marks.reviewers
    }
    return ReviewStats(
        samples=len(catalogue),
        marked=len(keys),
        marks={mark: in_force[mark] for mark in MARKS},
        reasons=dict(sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        reviewers={name: len(answers) for name, answers in alone.items()},
        between=tuple(
            _agreement(
                a, b, {k: v[a] for k, v in opinions.items() if a in v}, {k: v[b] for k, v in opinions.items() if b in v}
            )
            for a, b in combinations(marks.reviewers, 2)
        ),
        thresholds=tuple(
            _agreement(name, "thresholds", answers, decided)
            for name, answers in (("everybody", everybody), *(alone.items() if len(alone) > 1 else ()))
        ),
    )


def _as_decision(mark: str) -> str:
    return "keep" if mark == "keep" else "reject"


def _agreement(first: str, second: str, a: dict[str, str], b: dict[str, str]) -> Agreement:
    both = sorted(a.keys() & b.keys())
    one, two = [a[key] for key in both], [b[key] for key in both]
    same = float(np.mean([x == y for x, y in zip(one, two, strict=True)])) if both else 0.0
    pairs = Counter(f"{x}/{y}" for x, y in zip(one, two, strict=True))
    return Agreement(first, second, len(both), same, kappa(one, two), dict(sorted(pairs.items())))


def lines(stats: ReviewStats) -> Iterator[str]:
    """The numbers as text."""
    counts = "   ".join(f"{mark} {count}" for mark, count in stats.marks.items())
    yield f"marked {stats.marked} of {stats.samples}   {counts}"
    yield from _counts("reviewers", stats.reviewers)
    yield from _counts("reasons", stats.reasons)
    yield from _pairs("between reviewers (keep, reject, flip)", stats.between)
    yield from _pairs("with the thresholds (keep, reject)", stats.thresholds)


def _counts(title: str, counts: dict[str, int]) -> Iterator[str]:
    if counts:
        yield f"\n{title}"
        yield from (f"  {count:8d}  {name}" for name, count in counts.items())


def _pairs(title: str, pairs: Sequence[Agreement]) -> Iterator[str]:
    common = [pair for pair in pairs if pair.samples]
    if common:
        yield f"\n{title}"
    for pair in common:
        beyond = "not defined" if pair.kappa is None else f"{pair.kappa:.2f}"
        table = ", ".join(f"{name} {count}" for name, count in pair.table.items())
        yield f"  {pair.first} and {pair.second}: {pair.samples} in common, {pair.same:.1%} alike, kappa {beyond}"
        yield f"      {table}"
