"""Putting a dataset together: each thing is asked for once, and the two writers give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from networkless_pipeline import SIDE, digests, names, photos

from phq.building import build as building
from phq.building.build import build
from phq.building.executors.choice import Engine, Execution
from phq.building.finalise import shards
from phq.curate.bake import bake

pytestmark = pytest.mark.usefixtures("networkless")

INLINE = Execution(engine=Engine.inline)


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """A list that grows by the arguments of every call of a module's function."""
    calls: list[Any] = []
    real = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *arguments: calls.append(arguments) or real(*arguments))
    return calls


def test_a_build_plans_the_shards_of_a_split_once_and_asks_for_its_weights_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = counted(monkeypatch, shards, "plan_shards")
    asked = counted(monkeypatch, building, "weights_used")
    source = photos(tmp_path / "photos", names(12))
    build(source, tmp_path / "out", preset="everything", size=SIDE, execution=INLINE, sets=["split.val_fraction=0.5"])
    assert len(planned) == len([split for split in ("train", "val") if (tmp_path / "out" / split).exists()]) == 2
    assert len(asked) == 1


def test_rows_in_memory_are_written_as_those_of_units_are(tmp_path: Path) -> None:
    """A bake writes rows that are in memory, a build streams them: the files are the same, but for the record."""
    source = photos(tmp_path / "photos", names(8))
    build(source, tmp_path / "out", preset="everything", size=SIDE, execution=INLINE)
    bake(tmp_path / "out", tmp_path / "baked")
    built, baked = digests(tmp_path / "out"), digests(tmp_path / "baked")
    own = {"run.json", "contact-sheet.png", ".phq-inputs.parquet"}
    assert {name: sha for name, sha in baked.items() if name not in own} == {
        name: sha for name, sha in built.items() if name not in own
    }
