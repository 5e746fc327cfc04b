"""Content of the page: plain values for JSON, columns and pictures in base64."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phq.reasons import REASONS, RULES, SCORES
from phq.system.arrays import Doubles
from phq.view.report.choose import DOUBTS, Chosen
from phq.view.report.facts import build, facts, masses, models, sources
from phq.view.report.pictures import encoded, thumb, with_body
from phq.view.report.rows import Rows
from phq.view.similar import ALL

MOST_ROWS = 100_000
"""Most samples that the page can filter; of a larger dataset it has this many, spread evenly over its rows."""
BINS = 40
NEIGHBOURS = 23
"""Most similar samples that the page knows of each that it shows; with the sample itself four rows of six."""
UNKNOWN = 255
NO_ANGLE = -32768
_COLUMNS = {"yaw": "camera_yaw_deg", "pitch": "camera_pitch_deg", "turn": "turn", "nod": "nod"}
_TENTHS = 10.0
Content = dict[str, Any]


def content(rows: Rows, chosen: Chosen) -> Content:
    """Everything the page shows, in a fixed order."""
    taken = _taken(len(rows))
    places = {int(row): place for place, row in enumerate(taken)}
    pictured = [row for row in chosen.pictured() if rows.stored[row]]
    thumbs = {row: thumb(rows.dataset, row) for row in pictured}
    shown = [row for row in chosen.pictured() if not rows.stored[row] or thumbs[row]]
    number = {row: place for place, row in enumerate(shown)}
    near = _near(rows, [row for row in shown if thumbs.get(row)], number)
    scores = list(_scores(rows, taken))
    names = [score["name"] for score in scores]
    run = rows.dataset.run
    return {
        "title": _title(run),
        "dataset": rows.dataset.root.where.rstrip("/").rsplit("/", 1)[-1],
        "overlays": rows.dataset.overlays,
        "facts": [asdict(fact) for fact in facts(rows)],
        "masses": masses(rows),
        "rows": {"all": len(rows), "taken": len(taken), "kept": int(rows.kept.sum())},
        "unreadable": sum(not picture for picture in thumbs.values()),
        "bins": BINS,
        "columns": _columns(rows, taken),
        "scores": scores,
        "reasons": _reasons(rows, chosen, number),
        "samples": [
            _sample(rows, row, places.get(row, -1), thumbs.get(row, ""))
            | {"near": near.get(row, []), "values": _values(rows, row, names)}
            for row in shown
        ],
        "gallery": [number[row] for row in chosen.everywhere if row in number],
        "doubts": [
            {"name": name, "text": DOUBTS[name], "samples": [number[row] for row in found if row in number]}
            for name, found in chosen.doubtful.items()
        ],
        "around": _around(rows, chosen),
        "sources": sources(rows),
        "models": models(run),
        "build": build(run),
    }


def _title(run: dict[str, Any]) -> str:
    card = run.get("card")
    return str(card.get("title", "")) if isinstance(card, dict) else ""


def _taken(count: int) -> NDArray[np.int64]:
    """Numbers of the rows on the page, evenly over all."""
    return np.arange(min(count, MOST_ROWS)) * count // min(count, MOST_ROWS) if count else np.arange(0)


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _columns(rows: Rows, taken: NDArray[np.int64]) -> Content:
    """Angles as little-endian int16 in tenths of a degree; the reason as uint8, 0 being kept, 1 the first reason."""
    packed = {}
    for name, column in _COLUMNS.items():
        values = rows.numbers[column][taken]
        tenths = np.where(np.isfinite(values), np.round(values * _TENTHS), NO_ANGLE)
        packed[name] = _packed(tenths.astype("<i2"))
    codes = {reason: code for code, reason in enumerate(_reason_names(rows), 1)}
    found = np.array([codes.get(text, 0) for text in rows.words["reason"].take(taken).to_pylist()], np.uint8)
    packed["reason"] = _packed(np.where(rows.kept[taken], 0, np.maximum(found, 1)).astype(np.uint8))
    return packed


def _reason_names(rows: Rows) -> list[str]:
    """Most frequent first."""
    counts = rows.words.filter(~rows.kept)["reason"].value_counts().to_pylist()
    return [entry["values"] for entry in sorted(counts, key=lambda entry: (-entry["counts"], entry["values"]))][:254]


def _scores(rows: Rows, taken: NDArray[np.int64]) -> Iterator[Content]:
    """Every score with its bins (`UNKNOWN` where a reject has none), thresholds and range."""
    for name in SCORES:
        values = rows.numbers[name]
        known = values[np.isfinite(values)]
        limits: list[Content] = [
            {"side": rule.side, "value": rows.thresholds[rule.address], "reason": rule.reason, "address": rule.address}
            for rule in RULES
            if rule.score == name and rule.address in rows.thresholds
        ]
        if not len(known):
            continue
        low, high = _range(known, [limit["value"] for limit in limits])
        bins = np.clip(np.nan_to_num((values - low) / (high - low)) * BINS, 0, BINS - 1).astype(np.uint8)
        text = next(rule.text for rule in RULES if rule.score == name)
        yield {
            "name": name, "text": text, "low": low, "high": high, "limits": limits,
            "same": bool(known.min() == known.max()),
            "bins": _packed(np.where(np.isfinite(values), bins, UNKNOWN)[taken].astype(np.uint8)),
        }  # fmt: skip


def _range(known: Doubles, limits: list[float]) -> tuple[float, float]:
    """Range of a histogram: 99 of 100 samples, and the thresholds; the rest is in the end bins."""
    low, high = np.percentile(known, [0.5, 99.5]).tolist()
    low, high = min([low, *limits]), max([high, *limits])
    margin = 0.03 * (high - low) or 0.5
    return round(max(low - margin, min(0.0, low)), 6), round(high + margin, 6)


def _reasons(rows: Rows, chosen: Chosen, number: dict[int, int]) -> list[Content]:
    texts = {reason.name: reason.text for reason in REASONS} | {rule.reason: rule.text for rule in RULES}
    reasons = rows.words["reason"].filter(~rows.kept).to_pylist()
    return [
        {
            "name": name,
            "text": texts.get(name, ""),
            "count": reasons.count(name),
            "samples": [number[row] for row in chosen.by_reason.get(name, []) if row in number],
        }
        for name in _reason_names(rows)
    ]


def _sample(rows: Rows, row: int, place: int, picture: str) -> Content:
    texts = {name: rows.text(name, row) for name in ("key", "source_path", "reason", "detail", "score_name")}
    numbers = {
        short: round(float(rows.numbers[name][row]), 3 if name != "p_flip" else 6)
        for short, name in (*_COLUMNS.items(), ("head", "head_yaw_deg"), ("margin", "margin"),
                            ("flip", "p_flip"), ("sigma", "yaw_sigma_deg"), ("apart", "apart"))
        if np.isfinite(rows.numbers[name][row])
    }  # fmt: skip
    return {"row": place, "kept": bool(rows.kept[row]), "picture": picture} | texts | numbers


def _near(rows: Rows, pictured: list[int], number: dict[int, int]) -> dict[int, list[int]]:
    """By row the places on the page of the samples most like it."""
    found = rows.similar.neighbours(ALL, pictured, NEIGHBOURS)
    return {row: [number[pictured[one]] for one in near] for row, near in zip(pictured, found, strict=True)}


def _values(rows: Rows, row: int, names: list[str]) -> list[float | None]:
    """Scores of a row to four digits, None where it has none."""
    values = (float(rows.numbers[name][row]) for name in names)
    return [float(f"{value:.4g}") if np.isfinite(value) else None for value in values]


def _around(rows: Rows, chosen: Chosen) -> list[Content]:
    found = []
    for middle, members in chosen.around.items():
        pairs = [(row, with_body(rows.dataset, row, rows.bodies)) for row in members]
        tiles = [
            {
                "picture": encoded(pair[0]),
                "body": encoded(pair[1]),
                "sample": _sample(rows, row, -1, ""),
                "note": rows.bodies.note(rows.dataset[row].row),
            }
            for row, pair in pairs
            if pair is not None
        ]
        found.append({"middle": middle, "tiles": tiles})
    return found
