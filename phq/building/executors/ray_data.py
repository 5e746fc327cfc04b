"""Running tasks on a Ray cluster: Ray Data hands them to a pool of actors, each with one worker process.

What travels between machines is a task (paths) and its result (counts). The worker process is that of
`phq.building.executors.processes`: the actor finds an item that kills or hangs it, and Ray sees a healthy actor. If a
whole machine is lost, Ray runs its tasks elsewhere; they are idempotent.
"""

from __future__ import annotations

import logging
import os
import pickle
import platform
import signal
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

from phq.building.executors.contract import UNLIMITED, Event, Limits, Report, Result, Results, Task, Work, unreported
from phq.building.executors.processes import Crew
from phq.building.executors.worker import sendable
from phq.errors import MissingExtraError, PhqError
from phq.system.resources import Resources
from phq.system.version import __version__

_BROKEN = "unpickling"

ANSWER_S = 10.0
MOST_BLOCKS = 4096
"""Most blocks of tasks; Ray keeps a record of each, and a plan of a million photos has more units than it can bear."""


class RayData:
    """Runs tasks in actors on a cluster, by default as many as it has room for."""

    def __init__(
        self,
        address: str | None,
        workers: int | None,
        wants: Resources,
        limits: Limits = UNLIMITED,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.address, self.workers, self.wants, self.limits = address, workers, wants, limits
        self.environment = dict(environment or {})
        """Environment variables of the workers on every machine."""

    def run(self, work: Work[Any, Result], tasks: Iterable[Task], report: Report = unreported) -> Results[Result]:
        """See `phq.building.executors.contract.Executor`.

        Raises:
            MissingExtraError: Ray is not installed.
            PhqError: there is no such cluster, or a machine of it has another version of phq or Python or does not
                see the same files.
        """
        todo = list(tasks)
        if not todo:
            return
        with _connected(self.address) as ray:
            _check_machines(ray, work, todo[0])
            for payload in self._payloads(ray, work, todo):
                events, result, error = pickle.loads(payload)
                for event in events:
                    report(event)
                if error is not None:
                    raise error
                yield result

    def _payloads(self, ray: Any, work: Work[Any, Any], todo: list[Task]) -> Iterator[bytes]:
        rows = [{"payload": pickle.dumps(task)} for task in todo]
        given = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS))
        done = given.map_batches(
            _Actor,
            fn_constructor_args=(pickle.dumps(work), self.limits, self.environment),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=self._actors(ray, len(rows)), max_tasks_in_flight_per_actor=2),
            num_cpus=self.wants.cpus,
            num_gpus=self.wants.gpus or None,
            memory=self.wants.memory or None,
        )
        for row in done.iter_rows():
            yield row["payload"]

    def _actors(self, ray: Any, tasks: int) -> int:
        """Number of actors that fit; with more, Ray would wait for room until it gives up."""
        total = ray.cluster_resources()
        rooms = [total.get("CPU", 0) / self.wants.cpus if self.wants.cpus else tasks]
        rooms += [total.get("GPU", 0) / self.wants.gpus] if self.wants.gpus else []
        rooms += [total.get("memory", 0) / self.wants.memory] if self.wants.memory else []
        room = int(min(rooms))
        if not room:
            raise PhqError(f"the cluster has no room for a single worker that wants {self.wants}")
        return min(room, tasks, self.workers or room)


class _Actor:
    """An actor that watches one worker process."""

    def __init__(self, work: bytes, limits: Limits, environment: dict[str, str]) -> None:
        os.environ.update(environment)  # the worker process inherits it
        self.crew: Crew[Any] = Crew(pickle.loads(work), 1, limits)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[bytes]]:
        return {"payload": [self._answer(pickle.loads(payload)) for payload in batch["payload"]]}

    def _answer(self, task: Task) -> bytes:
        events: list[Event] = []
        try:
            (result,) = self.crew.run([task], events.append)
        except Exception as error:  # noqa: BLE001 - raised again by the caller, without Ray's wrapping
            return pickle.dumps((events, None, sendable(error)))
        return pickle.dumps((events, result, None))


@contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected to the given cluster, to the one this process already uses, or to one on this machine."""
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtraError("ray", "ray", "the executor ray") from None
    mine = not ray.is_initialized()
    if mine:
        _connect(ray, address)
    context = ray.data.DataContext.get_current()
    shown = context.enable_progress_bars, context.print_on_execution_start
    context.enable_progress_bars, context.print_on_execution_start = False, False
    try:
        yield ray
    finally:
        context.enable_progress_bars, context.print_on_execution_start = shown
        if mine:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        host, colon, port = (address or "").rpartition(":")
        if colon and "/" not in host and port.isdigit():  # Ray itself would retry for minutes
            socket.create_connection((host, int(port)), ANSWER_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        raise PhqError(f"no Ray cluster at {address}: {error}") from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray has set its own


def _check_machines(ray: Any, work: Work[Any, Any], task: Task) -> None:
    """Compare versions and files of every machine with those of this one before any of them begins.

    Raises:
        PhqError: names the machine and the difference.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    ask, question = ray.remote(num_cpus=0, max_retries=0)(_look_around), pickle.dumps((work, task))
    nodes = [node for node in ray.nodes() if node["Alive"]]
    asked = [ask.options(scheduling_strategy=On(node["NodeID"], soft=False)).remote(question) for node in nodes]
    here = _look_around(question)
    for node, answer in zip(nodes, asked, strict=True):
        name = node["NodeManagerAddress"]
        try:
            there = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise PhqError(f"{name} cannot run phq (phq {__version__} must be installed there): {error}") from error
        for place in chain(there, here):  # versions come first
            if here.get(place) != there.get(place):
                raise PhqError(_difference(name, place, here.get(place, ""), there.get(place, "")))


def _difference(machine: str, place: str, here: str, there: str) -> str:
    if place == _BROKEN:
        return f"{machine} cannot load what there is to do: {there}"
    if place in ("phq", "Python"):
        return f"{machine} has {place} {there} and this machine {here}; all must have the same"
    return (
        f"{machine} finds something else in {place} than this machine; photos and output must be where every machine "
        "of the cluster reaches them under the same name: a shared folder or a URL"
    )


def _look_around(question: bytes) -> dict[str, str]:
    major, minor, _ = platform.python_version_tuple()
    versions = {"phq": __version__, "Python": f"{major}.{minor}"}
    try:
        work, task = pickle.loads(question)
    except Exception as error:  # noqa: BLE001 - another version of phq: which is reported first
        return versions | {_BROKEN: str(error)}
    return {**versions, **work.sees(task)}
