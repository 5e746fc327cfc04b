"""Samples that a decision moves: counts by reason and by yaw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from phq.decisions.decide import Decided
from phq.system.arrays import Bools, Ints

BIN_DEG = 30
BINS = 360 // BIN_DEG


def reasons_of(decided: Decided, rows: Bools, before: bool) -> list[tuple[str, int]]:
    """Reasons of the chosen rows, before or after, the most frequent first."""
    table = decided.before if before else decided.after
    counts = Counter(table["reason"].filter(rows).to_pylist())
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def yaw_bins(decided: Decided) -> Ints:
    """(N,) number of the 30° bin of each sample's yaw; bin 0 is centred on the front, bin 6 on the back."""
    yaw = decided.before["camera_yaw_deg"].to_numpy()
    return np.asarray(np.floor((yaw + BIN_DEG / 2) / BIN_DEG).astype(np.int64) % BINS)


def by_yaw(decided: Decided) -> Ints:
    """(12, 4) kept before, entering, leaving, kept after, by bin from −150° to 180°."""
    bins = yaw_bins(decided)
    order = (np.arange(BINS) - BINS // 2 + 1) % BINS
    masks = (decided.was_kept, decided.entering, decided.leaving, decided.is_kept)
    return np.stack([np.bincount(bins[mask], minlength=BINS)[order] for mask in masks], axis=1)


def record(decided: Decided) -> dict[str, Any]:
    """The counts as JSON has them."""
    return {
        "stored": len(decided.before),
        "kept": {"before": int(decided.was_kept.sum()), "after": int(decided.is_kept.sum())},
        "entering": dict(reasons_of(decided, decided.entering, before=True)),
        "leaving": dict(reasons_of(decided, decided.leaving, before=False)),
    }


def lines(decided: Decided) -> Iterator[str]:
    """The whole decision as text."""
    was, now = int(decided.was_kept.sum()), int(decided.is_kept.sum())
    enter, leave = int(decided.entering.sum()), int(decided.leaving.sum())
    yield f"kept {was} → {now} of {len(decided.before)} stored people: {leave} of these leave, {enter} rejected enter"
    if was == len(decided.before):
        yield "nobody can enter: no rejected person is stored; phq build --keep-rejects stores them"
    for text, rows, before in (("leave", decided.leaving, False), ("enter", decided.entering, True)):
        for reason, count in reasons_of(decided, rows, before):
            yield f"  {count:7d}  {text}: {reason}"
    yield f"{'yaw':>6}{'kept':>9}{'enter':>9}{'leave':>9}{'then':>9}"
    for number, row in enumerate(by_yaw(decided).tolist()):
        yield f"{(number - BINS // 2 + 1) * BIN_DEG:5d}°" + "".join(f"{n:9d}" for n in row)
