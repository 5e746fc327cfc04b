"""Overlays that stand on another revision than the latest: what is wrong can be left out, and is still read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_datasets import tiny_samples, write_tiny

from phq.curate.verify.verify import verify
from phq.dataset.overlays import write_overlay
from phq.dataset.reader import Dataset
from phq.dataset.root import Root
from phq.dataset.run import read_run
from phq.errors import InputError

SAMPLES = sorted(tiny_samples(9, 4), key=lambda sample: str(sample.row["key"]))
KEYS: list[str] = [sample.row["key"] for sample in SAMPLES]


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "heads", SAMPLES, [])
    return tmp_path / "heads"


def _put(folder: Path, name: str, keys: Sequence[str], **values: Any) -> None:
    write_overlay(folder, name, [{"key": key, **values} for key in keys], list(values), {"command": "test"})


def test_an_overlay_may_stand_on_any_revision_and_leave_out_those_above_it(heads: Path) -> None:
    _put(heads, "wrong", KEYS, blur=1.0)
    _put(heads, "worse", KEYS, luminance=2.0)
    write_overlay(heads, "right", [{"key": KEYS[0], "niqe": 3.0}], ["niqe"], {}, base="none")
    _put(heads, "next", KEYS[1:2], niqe=4.0)
    write_overlay(heads, "other", [{"key": KEYS[0], "niqe": 5.0}], ["niqe"], {}, base="wrong")
    stacks = {name: Dataset(heads, revision=name).overlays for name in ("worse", "right", "next", "other")}
    assert stacks == {
        "worse": ["wrong", "worse"], "right": ["right"], "next": ["right", "next"], "other": ["wrong", "other"],
    }  # fmt: skip
    assert Dataset(heads).overlays == stacks["other"]
    built = Dataset(heads, revision="none")[KEYS[0]].row
    assert Dataset(heads, revision="next")[KEYS[0]].row == built | {"niqe": 3.0}
    assert read_run(Root(heads))["bases"] == {"right": "none", "other": "wrong"}


@pytest.mark.parametrize("bases", [{"second": "second"}, {"second": "later"}, {"second": 3}, ["none"]])
def test_an_overlay_that_stands_on_none_before_it_is_refused(heads: Path, bases: Any) -> None:
    for name in ("first", "second", "later"):
        _put(heads, name, KEYS[:1], blur=1.0)
    run = json.loads((heads / "run.json").read_bytes())
    (heads / "run.json").write_text(json.dumps(run | {"bases": bases}))
    with pytest.raises(InputError, match=r"overlay (second|later) stands on"):
        Dataset(heads)
    assert "run_unreadable" in {found.kind for found in verify(heads, workers=1).violations}
