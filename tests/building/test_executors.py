"""One work, three executors, the same files; and what a cluster is asked before it begins."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from misbehaving_work import CountsThreads, HangsToStart, OddWork, SaysItsDevice, SetupFails, tasks, written

from phq.building.build import build
from phq.building.executors.calls import call_for_each
from phq.building.executors.choice import Engine, Execution, workers_of
from phq.building.executors.contract import CRASHED, Event, Executor
from phq.building.executors.inline import Inline
from phq.building.executors.processes import Processes
from phq.errors import ConfigError, OutputError, PhqError
from phq.system.resources import Resources
from phq.system.threads import ONE_THREAD

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
UNITS = (list("abcde"), ["f"], list("ghijklmno"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a Ray cluster of two machines with one core each, both of them this one."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 << 20}
    with pytest.MonkeyPatch.context() as patch:
        root = Path(__file__).parents[2]
        patch.setenv(
            "PYTHONPATH", os.pathsep.join([str(root), str(Path(__file__).parent)])
        )  # of every process of the cluster
        patch.setenv("RAY_worker_niceness", "0")  # by default its workers give way to everything else
        # A driver ends its own process when a node seems dead; on a machine with much to do they are only slow.
        for name, value in {"period_ms": 30_000, "timeout_ms": 60_000, "failure_threshold": 20}.items():
            patch.setenv(f"RAY_health_check_{name}", str(value))
        two = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        two.add_node(**small)
    yield two.address
    two.shutdown()


def on_ray(address: str) -> Executor:
    return Execution(Engine.ray, address=address, photo_timeout=60).executor(Resources(), 8)


def digests(out: Path) -> dict[str, str]:
    """sha256 of every file but the record of the run, which has times in it."""
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and path.name != "run.json")
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("executor", [Inline(), Processes(1), Processes(2)], ids=["inline", "one", "two"])
def test_every_task_is_done_once(executor: Executor, tmp_path: Path):
    assert sorted(executor.run(OddWork(tmp_path), tasks(*UNITS))) == [0, 1, 2]
    assert written(tmp_path) == dict(enumerate(UNITS))


def test_tasks_are_drawn_as_they_are_needed(tmp_path: Path):
    """A million tasks are never all in memory."""
    drawn = []
    results = Processes(2).run(OddWork(tmp_path), (drawn.append(t.number) or t for t in tasks(*"abcdefgh")))
    next(results)
    assert len(drawn) <= 3
    results.close()


def test_the_cluster_does_every_task_and_finds_who_kills_its_workers(cluster: str, tmp_path: Path):
    events: list[Event] = []
    units = [*UNITS, ["p", "kill", "q"]]
    done = on_ray(cluster).run(OddWork(tmp_path), tasks(*units), events.append)
    assert sorted(done) == [0, 1, 2, 3]
    assert written(tmp_path) == dict(enumerate([*UNITS, ["p", CRASHED, "q"]]))
    assert [(event.task, event.item) for event in events if event.kind == "refused"] == [(3, 1)]


def test_three_executors_build_the_same_dataset(cluster: str, tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(PHOTOS.glob("*.jpg"))[:2]:
        (photos / path.name).write_bytes(path.read_bytes())
    for number in range(3):  # two units
        (photos / f"text{number}.jpg").write_text("no picture")
    made = {}
    for name, how in {
        "inline": Execution(Engine.inline),
        "processes": Execution(Engine.processes, workers=2),
        "ray": Execution(Engine.ray, address=cluster),
    }.items():
        build(photos, tmp_path / name, preset="everything", size=64, fast=True, execution=how)
        made[name] = digests(tmp_path / name)
    assert made["inline"] == made["processes"] == made["ray"]
    assert "manifest.parquet" in made["ray"]


def test_a_machine_that_does_not_see_the_same_folder_is_named(cluster: str, tmp_path: Path):
    with pytest.raises(PhqError, match="every machine"):
        list(on_ray(cluster).run(SetupFails("raise"), tasks(["a"])))


def test_an_error_on_the_cluster_keeps_its_class(cluster: str, tmp_path: Path):
    with pytest.raises(OutputError, match="disk is full"):
        list(on_ray(cluster).run(OddWork(tmp_path), tasks(["a"], ["refuse"])))


@pytest.mark.parametrize("engine", [Engine.processes, Engine.ray])
def test_workers_run_networks_on_the_device_of_the_command(engine: Engine, request, monkeypatch):
    address = request.getfixturevalue("cluster") if engine is Engine.ray else None
    monkeypatch.setenv("PHQ_DEVICE", "cuda:3")
    done = Execution(engine, workers=2, address=address).executor(Resources(), 3).run(SaysItsDevice(), tasks(*"abc"))
    assert list(done) == ["cuda:3"] * 3


def test_a_worker_of_the_cluster_that_hangs_as_it_starts_ends_the_run(cluster: str, tmp_path: Path):
    how = Execution(Engine.ray, address=cluster, workers=1, setup_timeout=3)
    with pytest.raises(PhqError, match="not ready after 3 s"):
        list(how.executor(Resources(), 1).run(HangsToStart(tmp_path), tasks(["a"])))


def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path):
    pytest.importorskip("ray")
    with pytest.raises(PhqError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        list(on_ray("127.0.0.1:1").run(OddWork(tmp_path), tasks(["a"])))


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"photo_timeout": -1.0},
        {"photo_timeout": float("nan")},
        {"setup_timeout": -1.0},
        {"address": "auto"},
        {"gpus_per_worker": 1.0},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]):
    with pytest.raises(ConfigError):
        Execution(**options)


def test_workers_are_a_number_or_auto():
    assert workers_of("auto") is None
    assert workers_of("3") == 3
    with pytest.raises(ConfigError, match="auto"):
        workers_of("many")


def test_a_stage_says_what_it_wants_and_a_worker_gets_what_all_of_them_want():
    from phq.config.build import load_config
    from phq.stages.contract import wanted
    from phq.stages.pipeline import stages

    chain = stages(load_config())
    before = wanted(chain)
    assert not hasattr(chain[1], "wants")
    chain[1].wants = Resources(cpus=2, gpus=0.5, memory=1 << 30)
    assert wanted(chain) == replace(before, cpus=2, gpus=0.5, memory=before.memory + (1 << 30))


def double(state: int, number: int) -> int:
    return state * number


def two() -> int:
    return 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_function_is_called_for_each(workers: int):
    assert sorted(call_for_each(two, double, range(5), workers)) == [0, 2, 4, 6, 8]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not count threads there")
def test_a_worker_has_one_thread_for_each_library(monkeypatch: pytest.MonkeyPatch):
    for name in ONE_THREAD:  # the tests' own setting must not do the executor's work
        monkeypatch.delenv(name)
    (counted,) = Processes(1).run(CountsThreads(), tasks(["a"]))
    assert counted["opencv"] == counted["blas"] == counted["arrow"] == 1
    # its own, the one that watches the parent, and what Arrow's allocator and ONNX Runtime have for their housekeeping
    assert counted["threads"] <= 4
