"""Marks as an overlay: `phq.Dataset` reads them as decision, reason, reviewer and time.

A fold writes ``review-1``, ``review-2``, … on top of the stack, each with all marks in force; none is ever replaced, so
that a revision keeps its meaning. Samples whose mark was undone since an earlier fold get the labels that they have
without any review.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from phq.dataset.columns import Columns
from phq.dataset.marks import TAGS_JOINED_BY, Action, Marks
from phq.dataset.overlays import LATEST, about_overlay, names_up_to, open_overlay, stack_names, write_overlay
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.reasons import FLIPPED
from phq.reasons import REVIEW_REASONS as REASONS
from phq.schema import column_kind
from phq.system.atomic import disk_errors_explained
from phq.system.journal import recover
from phq.system.version import __version__

COMMAND = "review"
DECIDED = ("decision", "reason", "detail", "score_name", "threshold", "margin")
"""Columns of a decision; reviewers give neither score nor margin."""
OWN = ("review", "reviewer", "reviewed_at", "reviewers", "reviewers_agree", "tags")
"""Columns beyond the schema: mark, reviewer, time, number of reviewers, whether they agree, and the sample's tags."""
_NAME = re.compile(r"review-[1-9]\d*")
_UNMARKED = {"review": "", "reviewer": "", "reviewed_at": "", "reviewers": 0, "reviewers_agree": True}
_TEXTS = {reason.name: reason.text for reason in (*REASONS, FLIPPED)}


def review_names(names: Sequence[str]) -> list[str]:
    """The overlays that hold folded marks."""
    return [name for name in names if _NAME.fullmatch(name)]


def folded(root: Root, names: Sequence[str]) -> tuple[int, str]:
    """Number and time of the last action in an overlay; (0, '') if there is none."""
    reviews = review_names(names)
    about = about_overlay(root, reviews[-1]) if reviews else {}
    return about.get("seq", 0), about.get("time", "")


@disk_errors_explained
def fold(folder: Path, marks: Marks) -> str | None:
    """Write the marks as a new overlay on top; its name, or None if an overlay has all of them already.

    Marks of samples that are no longer in the dataset (redacted ones) are left out.

    Raises:
        InputError: see `phq.dataset.overlays.write_overlay`.
        OutputError: another process is changing the dataset, or the folder cannot be written.
    """
    recover(folder)
    root = Root(folder)
    run = read_run(root)
    names = names_up_to(run, LATEST)
    last = marks.seq, marks.time  # before the rows are made: marks that come meanwhile belong to the next overlay
    if last in ((0, ""), folded(root, names)):
        return None
    rows = list(_rows(root, names, marks))
    if not rows:  # every mark was undone before it reached an overlay
        return None
    name = f"review-{1 + len(review_names(stack_names(run)))}"
    about = {"command": COMMAND, "version": __version__, "seq": last[0], "time": last[1], "reviewers": marks.reviewers}
    write_overlay(folder, name, rows, (*DECIDED, *OWN), about, read=run)
    return name


def _rows(root: Root, names: Sequence[str], marks: Marks) -> Iterator[dict[str, Any]]:
    reviews = review_names(names)
    folded_keys = {key for name in reviews for key in open_overlay(root, name).read(["key"])["key"].to_pylist()}
    taken_back = folded_keys.intersection(marks.touched_since())  # not marks of an earlier log, from before a bake
    base = Columns(root, [name for name in names if name not in reviews], rejects=True)
    table = base.table(["key", *DECIDED])
    seen: set[str] = set()
    for number, key in enumerate(table["key"].to_pylist()):
        verdict, tags = (marks.verdict(key), marks.tags(key)) if key else (None, [])
        if key in seen or (verdict is None and not tags and key not in taken_back):
            continue
        seen.add(key)
        if verdict is not None:
            said = {**_decision(verdict), **_about(marks, key, verdict)}
        else:
            said = {name: table[name][number].as_py() or column_kind(name)[0]() for name in DECIDED} | _UNMARKED
        yield {"key": key, **said, "tags": TAGS_JOINED_BY.join(tags)}


def _decision(verdict: Action) -> dict[str, Any]:
    reason = verdict.stored_reason
    decision = {"decision": verdict.decision, "reason": reason, "detail": _TEXTS.get(reason, "")}
    return decision | {"score_name": "", "threshold": 0.0, "margin": 0.0}


def _about(marks: Marks, key: str, verdict: Action) -> dict[str, Any]:
    return {
        "review": verdict.mark,
        "reviewer": verdict.reviewer,
        "reviewed_at": verdict.time,
        "reviewers": len(marks.opinions(key)),
        "reviewers_agree": marks.agrees(key),
    }
