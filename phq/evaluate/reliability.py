"""Whether stated doubt can be believed: `p_flip` and `yaw_sigma_deg` against the errors found.

A person is a dictionary with `p_flip`, `yaw_sigma` (degrees, None if not stated) and the signed errors `torso_yaw` and
`head_yaw`, degrees, None where the truth is not known; `torso_tol`, 0 if absent, is what the true torso yaw may be off
by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import binomtest

from phq.system.arrays import Floats

FLIP_DEG = 90.0
P_EDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)
SIGMA_EDGES = (0.0, 10.0, 13.0, 20.0, 90.0)

People = Sequence[Mapping[str, Any]]


def flipped(person: Mapping[str, Any]) -> bool:
    """Whether torso or head is more than `FLIP_DEG` off."""
    return any(abs(person[name]) > FLIP_DEG for name in ("torso_yaw", "head_yaw") if person[name] is not None)


def flip_reliability(people: People) -> list[dict[str, float]]:
    """Stated and found share of flips of torso or head, by bins of `p_flip` (`P_EDGES`); empty bins are left out.

    `low` and `high` are the 95 % interval of the found share (Wilson 1927).
    """
    stated = np.array([person["p_flip"] for person in people], float)
    turned = np.array([flipped(person) for person in people], bool)
    rows = []
    for (first, last), inside in _bins(stated, P_EDGES):
        interval = binomtest(int(turned[inside].sum()), int(inside.sum())).proportion_ci(method="wilson")
        rows.append({
            "from": first, "to": last, "n": int(inside.sum()), "stated": float(stated[inside].mean()),
            "found": float(turned[inside].mean()), "low": float(interval.low), "high": float(interval.high),
        })  # fmt: skip
    return rows


def sigma_ratios(people: People) -> tuple[Floats, Floats, Floats]:
    """(n,) stated σ of the torso's yaw, and its error and its error beyond tolerance in units of σ.

    Flips are left out: σ is that of a person whose front and back are not confused.
    """
    known = [
        (person["yaw_sigma"], abs(person["torso_yaw"]), person.get("torso_tol", 0.0))
        for person in people
        if person["yaw_sigma"] is not None and person["torso_yaw"] is not None and abs(person["torso_yaw"]) <= FLIP_DEG
    ]
    sigma, error, tolerance = np.array(known, float).reshape(-1, 3).T
    return sigma, error / sigma, np.maximum(error - tolerance, 0) / sigma


def sigma_reliability(people: People) -> list[dict[str, float]]:
    """Share of torso yaw errors within σ and 2σ, by bins of `yaw_sigma_deg` (`SIGMA_EDGES`) and, last, of all.

    Errors are taken twice: as they are (`within_1`, `within_2`), which counts what the truth itself is off, and beyond
    its tolerance (`beyond_within_1`, …). The share that an exact σ would have lies between: 68 % and 95 %.
    """
    sigma, ratio, beyond = sigma_ratios(people)
    if not len(sigma):
        return []
    rows = []
    for (first, last), inside in [*_bins(sigma, SIGMA_EDGES), ((0.0, SIGMA_EDGES[-1]), np.ones(len(sigma), bool))]:
        row = {"from": first, "to": last, "n": int(inside.sum()), "stated": float(sigma[inside].mean())}
        for times in (1, 2):
            row[f"within_{times}"] = float((ratio[inside] <= times).mean())
            row[f"beyond_within_{times}"] = float((beyond[inside] <= times).mean())
        rows.append(row)
    return rows


def _bins(values: Floats, edges: Sequence[float]) -> Iterable[tuple[tuple[float, float], Any]]:
    """((first, last), which values are there) of each bin that has some; a bin holds its upper edge."""
    for first, last in pairwise(edges):
        inside = (values > first) & (values <= last) | ((first == edges[0]) & (values == first))
        if inside.any():
            yield (first, last), inside


def tables(flips: Sequence[Mapping[str, float]], sigmas: Sequence[Mapping[str, float]]) -> list[str]:
    """Two Markdown tables, by line."""
    lines = ["", "| `p_flip` | n | stated | found: torso or head over 90° (95 % interval) |", "|---|---|---|---|"]
    for row in flips:
        lines.append(
            f"| {row['from']:g} to {row['to']:g} | {row['n']} | {row['stated']:.1%} "
            f"| {row['found']:.1%} ({row['low']:.0%} to {row['high']:.0%}) |"
        )
    head = "| `yaw_sigma_deg` | n | mean | torso error within σ, 2σ | the same beyond tolerance |"
    lines += ["", head, "|---|---|---|---|---|"]
    for row in sigmas:
        within, beyond = (
            f"{row[f'{kind}within_1']:.0%}, {row[f'{kind}within_2']:.0%}" for kind in ("", "beyond_")
        )  # fmt: skip
        lines.append(f"| {row['from']:g} to {row['to']:g} | {row['n']} | {row['stated']:.1f} | {within} | {beyond} |")
    return lines
