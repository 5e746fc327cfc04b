"""Redaction and reviews: marks of what is gone vanish, and an open review holds it off."""

from __future__ import annotations

from pathlib import Path

import pytest
from curated_datasets import files, traces
from tiny_datasets import TinySample

from phq.curate.redact import redact
from phq.curate.verify.verify import verify
from phq.dataset.marks_log import open_log
from phq.dataset.reader import Dataset
from phq.errors import OutputError
from phq.view.review.overlay import fold


def test_marks_of_a_redacted_sample_vanish(made: tuple[Path, list[TinySample]]) -> None:
    """From the log and from every overlay that the marks were folded into; marks of others stand as they stood."""
    folder, samples = made
    gone, other, third = (samples[n].row["key"] for n in (6, 1, 2))
    with open_log(folder) as log:
        log.mark("ann", "reject", "review_cut", [gone, other])
        log.mark("bob", "flip", "", [gone])
        assert fold(folder, log.marks) == "review-1"
        log.undo("bob")  # says nothing but the number of what it takes back
        log.mark("bob", "keep", "", [third])
        log.mark("bob", "keep", "", [gone])
        assert fold(folder, log.marks) == "review-2"
        before = {key: log.marks.opinions(key) for key in (other, third)}
    assert {where.split(" in ")[1] for where in traces(folder, {"key": gone.encode()})} > {
        "reviews/marks.jsonl", "overlays/review-1.parquet", "overlays/review-2.parquet",
    }  # fmt: skip
    redact(folder, [gone])
    assert traces(folder, {"key": gone.encode()}) == []
    assert verify(folder, workers=1).violations == []
    with open_log(folder) as log:
        assert log.marks.keys == sorted([other, third])
        assert {key: [(a.reviewer, a.mark, a.reason, a.time) for a in log.marks.opinions(key)] for key in before} == {
            key: [(a.reviewer, a.mark, a.reason, a.time) for a in actions] for key, actions in before.items()
        }
        log.mark("ann", "keep", "", [other])
        assert fold(folder, log.marks) == "review-3"
    decided = {row["key"]: row["decision"] for row in Dataset(folder, rejects=True).table.to_pylist() if row["shard"]}
    assert (decided[other], decided[third], gone in decided) == ("kept", "kept", False)


def test_a_log_of_nothing_but_redacted_samples_is_empty(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    gone = [samples[n].row["key"] for n in (4, 5)]
    with open_log(folder) as log:
        log.mark("ann", "keep", "", gone)
        log.mark("ann", "flip", "", gone[:1])
        log.undo("ann")
    redact(folder, source="photos/pair.jpg")
    assert traces(folder, {key: key.encode() for key in gone}) == []
    with open_log(folder) as log:
        assert (log.marks.keys, log.undo("ann")[0]) == ([], None)


def test_an_open_review_holds_a_redaction_off(made: tuple[Path, list[TinySample]]) -> None:
    folder, samples = made
    key = samples[6].row["key"]
    with open_log(folder) as log:
        log.mark("ann", "keep", "", [key])
        before = files(folder)
        with pytest.raises(OutputError, match="another phq review is open"):
            redact(folder, [key])
        assert files(folder) == before
    assert redact(folder, [key]).keys == (key,)
