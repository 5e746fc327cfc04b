"""Filter and order of the samples in the grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from phq.dataset.marks import MARKS, Action, Marks
from phq.errors import InputError
from phq.reasons import REVIEW_REASON_NAMES as REASON_NAMES
from phq.system.arrays import Bools, Doubles, Singles
from phq.view.review.catalogue import ANGLES, Catalogue
from phq.view.similar import ALL

NEAR, SIMILAR, APART, CHANGED = "near", "similar", "apart", "changed"
"""Orders: nearest to a threshold, nearest to some samples, farthest from all others, and most changed, first."""
KEY = 16
MOST_NAMED = 500
"""Most samples that a filter can name."""
MOST_CORNERS = 200
_BINS = 48


class Choice(BaseModel):
    """A filter and an order."""

    model_config = ConfigDict(extra="forbid")

    ranges: dict[str, tuple[float, float]] = {}
    """Least and greatest value by name of a score or angle; an angle whose least is above its greatest goes round."""
    reasons: list[str] | None = None
    """Reasons of the thresholds, '' for what they keep; None for all."""
    sources: list[str] | None = None
    splits: list[str] | None = None
    text: str = ""
    """Part of the photo's path or beginning of the key, small or capital."""
    marked: str = "any"
    """``any``, ``unmarked``, ``mine``, ``not_mine``, a mark, a reviewer's reason, ``disagree`` (reviewers do) or
    ``against`` (people and thresholds do)."""
    reviewer: str = ""
    """Reviewer meant by ``mine`` and ``not_mine``."""
    tags: list[str] | None = None
    """Tags of which a sample must have one; None for all samples."""
    only: str = Field("", max_length=(KEY + 1) * MOST_NAMED)
    """Keys of the samples among which to choose, joined by '.'; '' for all."""
    like: str = Field("", max_length=(KEY + 1) * MOST_NAMED)
    """Keys, joined by '.', of the samples that the order `SIMILAR` measures from."""
    space: str = ALL
    """What likeness means: a space of `phq.view.similar.Similar`."""
    lasso: list[tuple[float, float]] = Field([], max_length=MOST_CORNERS)
    """Corners of a polygon on the map of that space; none for the whole map."""
    compare: tuple[str, str] = ("", "")
    """Revisions that the order `CHANGED` compares; '' is the latest."""
    order: str = ""
    """Name of a score or angle, `NEAR`, `SIMILAR`, `APART`, `CHANGED`, or '' for the dataset's order."""
    descending: bool = False


def choose(catalogue: Catalogue, marks: Marks, choice: Choice) -> NDArray[np.int32]:
    """(N,) numbers of the samples that pass the filter, in its order; equal ones in the dataset's order.

    Raises:
        InputError: an unknown score, kind of mark, sample, space or revision.
    """
    chosen = np.ones(len(catalogue), dtype=bool)
    for name, (low, high) in choice.ranges.items():
        chosen &= _between(name, _values(catalogue, name), low, high)
    for name, wanted in (("reason", choice.reasons), ("source", choice.sources), ("split", choice.splits)):
        if wanted is not None:
            chosen &= catalogue.words[name].among(wanted)
    if choice.text:
        chosen &= _with_text(catalogue, choice.text)
    if choice.marked != "any":
        chosen &= _marked(catalogue, marks, choice)
    if choice.tags is not None:
        chosen &= _among(catalogue, {key for tag in choice.tags for key in marks.tagged(tag)})
    if choice.only:
        chosen &= _among(catalogue, choice.only.split("."))
    if choice.lasso:
        chosen &= inside(catalogue.similar.map(_space(catalogue, choice)), choice.lasso)
    found = np.flatnonzero(chosen)
    return found[_order(catalogue, choice)(found)].astype(np.int32)


def _values(catalogue: Catalogue, name: str) -> NDArray[np.float64]:
    if name not in catalogue.numbers:
        raise InputError(f"there is no score {name!r}; there are: {', '.join(catalogue.numbers)}")
    return catalogue.numbers[name]


def _between(name: str, values: NDArray[np.float64], low: float, high: float) -> Bools:
    if name in ANGLES and low > high:
        return np.asarray((values >= low) | (values <= high))
    return np.asarray((values >= low) & (values <= high))


def _among(catalogue: Catalogue, keys: Iterable[str]) -> Bools:
    mask = np.zeros(len(catalogue), dtype=bool)
    mask[[row for key in keys if (row := catalogue.rows.get(key)) is not None]] = True
    return mask


def _space(catalogue: Catalogue, choice: Choice) -> str:
    if choice.space not in catalogue.similar.spaces:
        known = ", ".join(catalogue.similar.spaces)
        raise InputError(f"samples are not compared by {choice.space!r}; they are by: {known}")
    return choice.space


def inside(places: Singles, corners: Sequence[tuple[float, float]]) -> Bools:
    """(N,) which places (N, 2) are inside a polygon, by the even-odd rule; NaN never is."""
    x, y = places.T
    odd = np.zeros(len(places), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


def _with_text(catalogue: Catalogue, text: str) -> Bools:
    found = pc.match_substring(catalogue.paths, text, ignore_case=True)
    mask = np.array(pc.fill_null(found, False).to_numpy(), dtype=bool)
    return mask | np.char.startswith(catalogue.key_array, text.lower())


def _marked(catalogue: Catalogue, marks: Marks, choice: Choice) -> Bools:
    tests = _tests(marks, choice.reviewer, catalogue)
    if choice.marked not in tests:
        raise InputError(f"there is no kind of mark {choice.marked!r}; there are: any, {', '.join(tests)}")
    test = tests[choice.marked]
    mask = _among(catalogue, (key for key in marks.keys if key in catalogue.rows and test(key)))
    return ~mask if choice.marked in ("unmarked", "not_mine") else mask


def _tests(marks: Marks, reviewer: str, catalogue: Catalogue) -> dict[str, Callable[[str], bool]]:
    """For each kind of filter, a test whether a marked sample passes."""

    def mine(key: str) -> bool:
        return any(action.reviewer == reviewer for action in marks.opinions(key))

    def verdict(key: str) -> Action:
        return marks.opinions(key)[-1]

    def against(key: str) -> bool:
        return (verdict(key).decision == "rejected") != bool(catalogue.rejected[catalogue.rows[key]])

    def has(name: str) -> Callable[[str], bool]:
        return lambda key: name in (verdict(key).mark, verdict(key).reason)

    return {name: has(name) for name in (*MARKS, *REASON_NAMES)} | {
        "unmarked": lambda key: True,
        "mine": mine,
        "not_mine": mine,
        "disagree": lambda key: not marks.agrees(key),
        "against": against,
    }


def _order(catalogue: Catalogue, choice: Choice) -> Callable[[NDArray[np.int64]], NDArray[np.int64]]:
    if not choice.order:
        return lambda rows: np.arange(len(rows))[:: -1 if choice.descending else 1]
    values = _measured(catalogue, choice)
    signed = -values if choice.descending else values
    return lambda rows: np.argsort(signed[rows], kind="stable")  # NaN goes last


def _measured(catalogue: Catalogue, choice: Choice) -> Doubles | Singles:
    """(N,) what the order goes by."""
    if choice.order == NEAR:
        return np.abs(catalogue.numbers["margin"])
    if choice.order == SIMILAR:
        to = np.flatnonzero(_among(catalogue, choice.like.split(".")))
        return catalogue.similar.distances(_space(catalogue, choice), to.tolist())
    if choice.order == APART:
        return -catalogue.similar.apart(_space(catalogue, choice))
    if choice.order == CHANGED:
        return -catalogue.change(*choice.compare)
    return _values(catalogue, choice.order)


def histograms(catalogue: Catalogue) -> dict[str, dict[str, object]]:
    """Counts of each score and angle over equal steps between two ends; values beyond count at the ends."""
    found: dict[str, dict[str, object]] = {}
    for name, values in catalogue.numbers.items():
        finite = values[np.isfinite(values)]
        if not len(finite):
            continue
        low, high = _ends(name, finite)
        counts, _ = np.histogram(np.clip(finite, low, high), bins=_BINS, range=(low, high))
        whole = (float(finite.min()), float(finite.max()))
        found[name] = {"low": low, "high": high, "least": whole[0], "most": whole[1], "counts": counts.tolist()}
    return found


def _ends(name: str, values: NDArray[np.float64]) -> tuple[float, float]:
    if name in ANGLES:
        return (-90.0, 90.0) if "pitch" in name else (-180.0, 180.0)
    low, high = np.percentile(values, [0.5, 99.5]).tolist()
    return (low, high) if high > low else (low - 0.5, high + 0.5)
