"""Samples that the report shows: few enough to embed, chosen as representative or as doubtful."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phq.camera.angles import apart_deg
from phq.curate.balance.fill import draw, spread
from phq.curate.balance.target import cells
from phq.system.arrays import Bools, Ints
from phq.view.report.rows import Rows

EVERYWHERE, DOUBTFUL, A_REASON, A_DIRECTION = 360, 40, 16, 3
"""Most pictures: of the gallery, of each kind of doubt, of a reason, of a direction of 30°."""
DOUBTS = {
    "margin": "nearest to a threshold",
    "p_flip": "front and back perhaps confused",
    "yaw_sigma_deg": "yaw least certain",
    "apart": "unlike all others, by colours and directions",
}
"""Scores that order the doubtful samples, and their meaning."""


@dataclass(frozen=True)
class Chosen:
    """Numbers of rows."""

    everywhere: list[int]
    """Kept, as evenly over directions and head poses as the samples allow."""
    doubtful: dict[str, list[int]]
    """Kept, by `DOUBTS`, the most doubtful first."""
    by_reason: dict[str, list[int]]
    """Rejected, by reason; those with pictures first, and of these the closest calls."""
    around: dict[int, list[int]]
    """Kept, by the middle of their direction, −180, −150, … 150 degrees: arbitrary samples, not the best."""

    def pictured(self) -> list[int]:
        """All but those of `around`, each once, in order."""
        groups = [self.everywhere, *self.doubtful.values(), *self.by_reason.values()]
        return sorted({row for group in groups for row in group})


def choose(rows: Rows) -> Chosen:
    """The samples to show, the same for the same dataset."""
    shown = rows.kept & rows.stored
    return Chosen(_everywhere(rows, shown), _doubtful(rows, shown), _by_reason(rows), _around(rows, shown))


def _everywhere(rows: Rows, shown: Bools) -> list[int]:
    named = ("camera_yaw_deg", "camera_pitch_deg", "turn", "nod")
    angles = np.stack([rows.numbers[name] for name in named])
    found = np.flatnonzero(shown & np.isfinite(angles).all(0))
    bins = cells(*angles[:, found])
    wanted = min(EVERYWHERE, len(found))
    weights = spread(float(wanted), bins, 1.0, lambda occupied, _: np.ones(len(occupied)))
    return [int(row) for row in found[draw(weights, bins, seed=0)]] if wanted else []


def _doubtful(rows: Rows, shown: Bools) -> dict[str, list[int]]:
    found = {}
    for name in DOUBTS:
        values = rows.numbers[name] if name == "margin" else -rows.numbers[name]
        known = np.isfinite(values)
        if name == "margin":  # 0 where no threshold applies
            known = known & (np.asarray(rows.words["score_name"]) != "")
        elif not (rows.numbers[name][shown] > 0).any():
            continue
        if best := _first(np.flatnonzero(shown & known), values, DOUBTFUL):
            found[name] = best
    return found


def _by_reason(rows: Rows) -> dict[str, list[int]]:
    reasons = np.asarray(rows.words["reason"])
    closeness = np.where(rows.stored, 0.0, 1e9) - np.nan_to_num(rows.numbers["margin"], neginf=-1e6)
    return {
        str(reason): _first(np.flatnonzero((reasons == reason) & ~rows.kept), closeness, A_REASON)
        for reason in sorted(set(reasons[~rows.kept].tolist()))
    }


def _around(rows: Rows, shown: Bools) -> dict[int, list[int]]:
    keys = np.asarray(rows.words["key"])
    yaw = rows.numbers["camera_yaw_deg"]
    known = shown & np.isfinite(yaw)
    away = {middle: apart_deg(yaw, middle) <= 15 for middle in range(-180, 180, 30)}
    return {middle: _first(np.flatnonzero(known & near), keys, A_DIRECTION) for middle, near in away.items()}


def _first(found: Ints, values: NDArray[np.generic], most: int) -> list[int]:
    return [int(row) for row in found[np.argsort(values[found], kind="stable")[:most]]]
