"""Workers die and hang: the run goes on, and what is at fault is found and refused alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from misbehaving_work import HangsAtItsSecondStart, HangsToStart, OddWork, OpensLate, SetupFails, tasks, written

from phq.building.executors.contract import CRASHED, TIMED_OUT, Event, Limits
from phq.building.executors.processes import Processes
from phq.building.executors.search import Attempt
from phq.errors import OutputError, PhqError
from phq.reasons import reason_names

pytestmark = pytest.mark.slow


def run(folder: Path, *units: list[str], workers: int = 1, limit: float = 60) -> tuple[list[int], list[Event]]:
    events: list[Event] = []
    done = list(Processes(workers, Limits(limit)).run(OddWork(folder), tasks(*units), events.append))
    return sorted(done), events


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path: Path):
    done, events = run(tmp_path, ["a", "kill once"], ["b"], workers=2)
    assert done == [0, 1]
    assert written(tmp_path) == {0: ["a", "kill"], 1: ["b"]}
    assert [event.kind for event in events] == ["worker_died", "retry"]
    assert "SIGKILL" in events[0].detail


def test_after_three_deaths_the_item_at_fault_alone_is_refused(tmp_path: Path):
    done, events = run(tmp_path, ["a"], ["b", "c", "d", "e", "f", "kill", "g"], ["h"])
    assert done == [0, 1, 2]
    assert written(tmp_path)[1] == ["b", "c", "d", "e", "f", CRASHED, "g"]
    assert sum(event.kind in ("worker_died", "refused") for event in events) == 3
    assert [(event.task, event.item) for event in events if event.kind == "refused"] == [(1, 5)]


def test_an_item_that_hangs_is_refused_after_its_time(tmp_path: Path):
    done, _ = run(tmp_path, ["a", "hang", "b"], limit=0.3)
    assert done == [0]
    assert written(tmp_path)[0] == ["a", TIMED_OUT, "b"]


def test_two_items_at_fault_in_one_task_are_both_found(tmp_path: Path):
    run(tmp_path, ["kill", "a", "hang"], limit=0.3)
    assert written(tmp_path)[0] == [CRASHED, "a", TIMED_OUT]


def test_what_is_slow_once_is_kept(tmp_path: Path):
    run(tmp_path, ["a", "hang once"], limit=0.3)
    assert written(tmp_path)[0] == ["a", "hang"]


def test_the_reasons_are_registered():
    assert {CRASHED, TIMED_OUT} <= reason_names()


def test_workers_that_die_as_they_start_end_the_run_with_a_sentence():
    with pytest.raises(PhqError, match=r"die as they start.*SIGKILL"):
        list(Processes(2).run(SetupFails("die"), tasks(["a"], ["b"])))


UNGUARDED = """
from phq.synth.synthesising import synthesise

synthesise("drawn", 9, size=64, workers=2)
"""


def test_a_script_without_its_guard_is_told_so_once_and_last(tmp_path: Path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    search = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": search}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.count("__main__") == 1
    assert "__main__" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "drawn").exists()


def test_a_worker_that_hangs_as_it_starts_ends_the_run_with_a_sentence(tmp_path: Path):
    with pytest.raises(PhqError, match=r"not ready after 3 s.*--setup-timeout"):
        list(Processes(2, Limits(setup=3)).run(HangsToStart(tmp_path), tasks(["a"], ["b"])))


def test_a_later_worker_that_hangs_as_it_starts_is_replaced(tmp_path: Path):
    """Others have done their work, so it may be an accident."""
    events: list[Event] = []
    work = HangsAtItsSecondStart(tmp_path)
    done = list(Processes(1, Limits(setup=8)).run(work, tasks(["b"], ["a", "kill once"]), events.append))
    assert sorted(done) == [0, 1]
    kinds = [(event.kind, event.detail) for event in events if event.kind != "retry"]
    assert kinds[1] == ("worker_stuck", "took longer than 8 s to start")
    assert written(tmp_path) == {0: ["b"], 1: ["a", "kill"]}


def test_a_worker_that_gets_ready_within_its_first_batch_has_the_time_of_a_start(tmp_path: Path):
    events: list[Event] = []
    limits = Limits(item=0.5, setup=60)
    done = list(Processes(1, limits).run(OpensLate(tmp_path), tasks(["a"], ["b", "hang"]), events.append))
    assert sorted(done) == [0, 1]
    assert [(event.task, event.item) for event in events if event.kind == "refused"] == [(1, 1)]


def test_a_worker_that_never_gets_ready_within_its_first_batch_ends_the_run(tmp_path: Path):
    with pytest.raises(PhqError, match="not ready after 1 s"):
        list(Processes(1, Limits(item=60, setup=1)).run(OpensLate(tmp_path, 600), tasks(["a"])))


def test_an_error_on_purpose_ends_the_run_and_keeps_its_class(tmp_path: Path):
    with pytest.raises(OutputError, match="disk is full"):
        run(tmp_path, ["a"], ["refuse"], ["b"], workers=2)


def test_deaths_that_no_item_is_at_fault_of_end_the_run():
    """A machine that is out of memory kills whoever is there: no photo is to be blamed."""
    (task,) = tasks(["a", "b"])
    attempt = Attempt(task)
    deaths = 0
    while not attempt.hopeless:
        attempt.begin()
        if attempt.alone is None:
            attempt.follow(2)
            attempt.failed(False, "killed")
            deaths += 1
        else:
            assert not attempt.succeeded()
    assert attempt.task.refused == {}
    assert deaths == 3


def test_only_the_batch_that_was_being_processed_is_searched():
    (task,) = tasks(list("abcdefgh"))
    attempt = Attempt(task)
    searched = []
    for _ in range(2):
        attempt.begin()
        for batch in (4, 0, 4):
            attempt.follow(batch)
        attempt.failed(False, "killed")
    while attempt.alone is not None:
        searched.append(attempt.alone)
        attempt.succeeded()
    assert searched == [4, 5, 6, 7]
