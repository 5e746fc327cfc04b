"""Stages and executors: one fault costs one photo; running again gives the same."""

from __future__ import annotations

import copy
import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundled_photos import FOLDER

from phq.building.executors.calls import call_for_each
from phq.building.unit import photo_rows, run_unit
from phq.config.build import load_config
from phq.errors import WeightError
from phq.people.person import Person, Photo
from phq.people.record import Source
from phq.photos.discover import Found
from phq.stages.pipeline import Pipeline, stages, weights_used
from phq.weights.embedded import registry


class Breaks:
    """A stage that cannot stand one photo."""

    name = "breaks"

    def setup(self) -> None:
        self.ready = True

    def process(self, photos: list[Photo]) -> None:
        for photo in photos:
            if photo.name == "bad":
                raise ZeroDivisionError("the reason of the fault")
            photo.source = Source("done" * self.ready)


def test_a_fault_in_a_stage_costs_only_the_photo_at_fault():
    photos = [Photo(Path(n), n) for n in ("a", "bad", "b")]
    Pipeline([Breaks()]).run(photos)
    assert [p.rejected.reason if p.rejected else "" for p in photos] == ["", "internal_error", ""]
    assert "the reason of the fault" in photos[1].rejected.detail
    assert photos[0].source.source_sha256 == "done"


def test_photos_are_read_before_the_other_stages_are_set_up():
    """The first photo need not wait for networks; they belong to the worker's start, not to the photo."""
    told: list[object] = []

    class Notes(Breaks):
        def __init__(self, name: str) -> None:
            self.name = name

        def setup(self) -> None:
            super().setup()
            told.append(f"{self.name} ready")

        def process(self, photos: list[Photo]) -> None:
            super().process(photos)
            told.append(self.name)

    pipeline = Pipeline([Notes("read"), Notes("look"), Notes("fit")])
    pipeline.notify = pipeline.opening = told.append
    for name in ("a", "b"):
        pipeline.run([Photo(Path(name), name)])
    first = ["read ready", 1, "read", True, "look ready", "fit ready", False, "look", "fit", 0]
    assert told == [*first, 1, "read", "look", "fit", 0]


class Fills:
    """A stage that gives every photo pixels and somebody who has a picture of his own."""

    name = "fills"
    given: list[weakref.ref[Any]]

    def setup(self) -> None:
        self.given = []

    def process(self, photos: list[Photo]) -> None:
        for photo in photos:
            photo.pixels, person = np.zeros((8, 8, 3), np.uint8), Person.unmeasured(photo)
            person.crop, photo.people = photo.pixels.copy(), [person]
            person.reject("blur")
            self.given += [weakref.ref(photo.pixels), weakref.ref(person.crop)]


def test_pictures_of_a_finished_unit_do_not_wait_for_the_garbage_collector(tmp_path: Path):
    stage = Fills()
    gc.disable()
    try:
        run_unit(Pipeline([stage]), [Found(Path(n), n) for n in "abcdef"], tmp_path, 0, {})
        assert [ref() for ref in stage.given] == [None] * 12
    finally:
        gc.enable()


def test_later_stages_leave_rejected_photos_alone():
    config = load_config("everything", size=64)
    photo = Photo(FOLDER.parents[1] / "LICENSE", "text")
    Pipeline(stages(config)).run([photo])
    assert photo.rejected.reason == "not_an_image"
    ((row, members),) = photo_rows(photo)
    assert row["reason"] == "not_an_image"
    assert members == {}


def test_every_stage_is_retry_safe():
    (path,) = FOLDER.glob("*astronaut*")
    photo = Photo(path, path.name)
    pipeline = Pipeline(stages(load_config("everything", size=64)))
    for stage in pipeline.stages:
        stage.setup()
        stage.process([photo])
        once = copy.deepcopy([p.record() for p in photo.people]), copy.deepcopy([p.members for p in photo.people])
        stage.process([photo])
        again = [p.record() for p in photo.people], [p.members for p in photo.people]
        assert once[1] == again[1], stage.name
        for before, after in zip(once[0], again[0], strict=True):
            assert before.keys() == after.keys()
            for name in before:
                np.testing.assert_array_equal(before[name], after[name], err_msg=f"{stage.name}: {name}")


def test_stage_names_are_unique_and_models_are_registered():
    chain = stages(load_config())
    assert len({s.name for s in chain}) == len(chain)
    for fast in (False, True):
        assert set(weights_used(load_config(fast=fast))) <= set(registry().values())


def refuse() -> list[int]:
    raise WeightError("the weight file is another one")


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_while_a_worker_starts_keeps_its_name(workers):
    with pytest.raises(WeightError, match="is another one"):
        list(call_for_each(refuse, add, range(9), workers))


ORPHANS = """
import os, signal, time
from phq.building.executors.calls import call_for_each

def start(): return None
def work(state, unit):
    print("working", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    list(call_for_each(start, work, range(4), 2))
"""


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path):
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    environment = {**os.environ, "PYTHONPATH": str(FOLDER.parents[1])}
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"working\n"
    parent.kill()
    parent.communicate(timeout=30)  # the pipe closes when the last worker is gone


def start() -> list[int]:
    return [100]


def add(state: list[int], unit: int) -> int:
    if unit < 0:
        raise ValueError(f"unit {unit}")
    return state[0] + unit


@pytest.mark.parametrize("workers", [1, 2])
def test_every_unit_is_done_once(workers):
    assert sorted(call_for_each(start, add, range(9), workers)) == list(range(100, 109))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_unit_reaches_the_caller(workers):
    with pytest.raises(ValueError, match="unit -1"):
        list(call_for_each(start, add, [1, 2, -1, 3], workers))
