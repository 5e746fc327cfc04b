"""Numbers at the head of the report, and tables of sources and the build below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from phq.camera.sides import shares
from phq.dataset.credits import counted
from phq.dataset.statements import names_of
from phq.schema import PROVENANCE
from phq.view.report.rows import Rows

NEAR = 0.1
"""Margin, in units of the threshold, below which a sample counts as a close call."""
_ROWS = 12
"""Lines of a table of sources."""


@dataclass(frozen=True)
class Fact:
    """A number, its name, how it is computed, and whether it needs attention."""

    value: str
    label: str
    hint: str
    warn: bool = False


def facts(rows: Rows) -> list[Fact]:
    """The first numbers to judge a dataset by."""
    return [*_sizes(rows), *_directions(rows), *_doubts(rows)]


def masses(rows: Rows) -> dict[str, float]:
    """Shares of the kept samples: thirds of the circle as `phq.view.stats` has them, and the half behind."""
    yaw = rows.of_kept("camera_yaw_deg")
    behind = np.abs(yaw) > 90
    return shares(yaw) | {"behind": round(float(behind.mean()), 6) if len(yaw) else 0.0}


def _sizes(rows: Rows) -> Iterator[Fact]:
    kept, every = int(rows.kept.sum()), len(rows)
    mine = rows.words.filter(rows.kept)
    splits = ", ".join(f"{name} {n:,}" for name, n in sorted(Counter(mine["split"].to_pylist()).items()))
    yield Fact(f"{kept:,}", "samples kept", splits or "none", warn=not kept)
    yield Fact(f"{every - kept:,}", "rejected", f"{_share(every - kept, every)} of {every:,} found")
    photos = int(pc.count_distinct(mine["source_sha256"]).as_py())
    people = {name for text in mine["identity"].to_pylist() for name in names_of(text)}
    identities = f"{len(people):,} identities stated" if people else "no identity stated"
    yield Fact(f"{photos:,}", "photos of these", identities)


def _directions(rows: Rows) -> Iterator[Fact]:
    behind, yaw = masses(rows)["behind"], rows.of_kept("camera_yaw_deg")
    yield Fact(
        f"{behind:.1%}", "seen from behind", "over 90° from the front; 50 % is even all round; marked below 20 %",
        warn=behind < 0.2,
    )  # fmt: skip
    counts = np.bincount(np.floor((yaw + 195) / 30).astype(int) % 12, minlength=12)
    least, even = int(counts.argmin()), len(yaw) / 12
    yield Fact(
        f"{counts[least]:,}", f"in the rarest direction, {least * 30 - 180} ± 15°".replace("-", "−"),
        f"an even ring has {even:,.0f} in each 30°; marked below a third of that",
        warn=bool(counts[least] < even / 3),
    )  # fmt: skip


def _doubts(rows: Rows) -> Iterator[Fact]:
    kept = int(rows.kept.sum())
    flips, sigma = float(rows.of_kept("p_flip").sum()), rows.of_kept("yaw_sigma_deg")
    yield Fact(
        f"{flips:.1f}" if flips < 100 else f"{flips:,.0f}", "labels turned round",
        f"expected, the sum of p_flip: {_share(flips, kept)}; marked above 1 %",
        warn=flips > 0.01 * kept,
    )  # fmt: skip
    median = float(np.median(sigma)) if len(sigma) else 0.0
    yield Fact(f"{median:.1f}°", "typical error of yaw", "median of yaw_sigma_deg, as calibrated")
    spoken = rows.kept & np.asarray(pc.not_equal(rows.words["score_name"], "").to_numpy())
    near = int((spoken & (rows.numbers["margin"] < NEAR)).sum())
    yield Fact(f"{near:,}", "close calls", f"kept, and within {NEAR:.0%} of a threshold: {_share(near, kept)}")
    head = rows.of_kept("head_px")
    yield Fact(f"{np.median(head) if len(head) else 0:,.0f} px", "height of a head", "median, pixels of the photo")
    stated = int(pc.sum(pc.not_equal(rows.words.filter(rows.kept)["licence"], "")).as_py() or 0)
    yield Fact(
        _share(stated, kept), "with a licence", "samples kept whose licence is stated; marked below 100 %",
        warn=stated < kept,
    )  # fmt: skip


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "0 %"


def sources(rows: Rows) -> dict[str, list[tuple[str, int]]]:
    """Licences, authors and sources of the kept samples with their counts, the most frequent; '' is not stated."""
    stated = rows.words.filter(rows.kept).select(PROVENANCE).to_pylist()
    found: dict[str, list[tuple[str, int]]] = {}
    for name in ("licence", "author", "source"):
        counts = counted(stated, name)
        rest = sum(n for _, n in counts[_ROWS:])
        found[name] = counts[:_ROWS] + ([(f"… and {len(counts) - _ROWS:,} more", rest)] if rest else [])
    return found


def build(run: Mapping[str, Any]) -> dict[str, Any]:
    """What ``run.json`` says of the build: settings, counts, seconds by stage over all processes, photos a second."""
    config = run.get("config") if isinstance(run.get("config"), Mapping) else {}
    seconds = {str(k): float(v) for k, v in dict(run.get("seconds") or {}).items() if isinstance(v, (int, float))}
    wall = seconds.pop("wall", 0.0)
    counts = run.get("counts") if isinstance(run.get("counts"), Mapping) else {}
    rates = {
        name: round(counts[name] / wall, 2)
        for name in ("photos", "people", "kept")
        if wall and isinstance(counts, Mapping) and isinstance(counts.get(name), int)
    }
    named = {"tool": run.get("tool"), "version": run.get("version"), "python": run.get("python")}
    settings = {name: dict(config or {}).get(name) for name in ("preset", "size", "seed", "fast")}
    texts = {name: str(value) for name, value in (named | settings).items() if value is not None}
    return {"settings": texts, "wall": wall, "rates": rates, "stages": sorted(seconds.items(), key=lambda s: -s[1])}


def models(run: Mapping[str, Any]) -> list[dict[str, str]]:
    """Networks and body models that touched the dataset, with their licences."""
    card = run.get("card")
    found = card.get("models", []) if isinstance(card, Mapping) else []
    return [{name: str(model.get(name, "")) for name in ("name", "purpose", "licence", "source")} for model in found]
