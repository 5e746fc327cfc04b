"""Running tasks in processes of this machine; when one dies, another repeats what it was doing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, Generic

from phq.building.executors.contract import UNLIMITED, Event, Limits, Report, Result, Results, Task, Work, unreported
from phq.building.executors.crew import Member, ready_to_read, start_worker, stop_workers
from phq.building.executors.guard import UNGUARDED, UnguardedError, end_unguarded_worker
from phq.building.executors.search import Attempt
from phq.building.executors.worker import FAILED, RaisedInWorkerError
from phq.errors import PhqError

STARTS = 3
"""Workers that may die in a row before any of them is ready."""
ASLEEP_S = 5.0
"""A wait that ends this late means that the machine was suspended, so no worker is at fault."""


class Processes:
    """Spawned worker processes, at most one a task."""

    def __init__(self, workers: int, limits: Limits = UNLIMITED) -> None:
        self.workers = workers
        self.limits = limits

    def run(self, work: Work[Any, Result], tasks: Iterable[Task], report: Report = unreported) -> Results[Result]:
        """See `phq.building.executors.contract.Executor`."""
        end_unguarded_worker()
        with closing(Crew(work, self.workers, self.limits)) as crew:
            yield from crew.run(tasks, report)


class Crew(Generic[Result]):
    """Workers that live from one call of `run` to the next, until `close`."""

    def __init__(self, work: Work[Any, Result], workers: int, limits: Limits) -> None:
        self._work, self._workers, self._limits = work, workers, limits
        self._members: list[Member] = []
        self._stillborn = 0
        self._ever_ready = False

    def close(self) -> None:
        """End every worker."""
        members, self._members = self._members, []
        stop_workers(members)

    def run(self, tasks: Iterable[Task], report: Report) -> Results[Result]:
        """Results in order of completion; a caller that stops before the last one must `close`."""
        todo = deque[Attempt]()
        more = map(Attempt, tasks)
        while self._hand_out(todo, more):
            speaking, stuck = self._wait()
            for member in stuck:
                self._replace(member, True, todo, report)
            for member in speaking:
                said = self._listen(member, todo, report)
                if said is not None:
                    yield said[0]

    def _hand_out(self, todo: deque[Attempt], more: Iterator[Attempt]) -> bool:
        """Give tasks to idle workers; return whether any worker is busy. Tasks are drawn as needed, since there
        may be a million."""
        while attempt := self._next(todo, more):
            idle = next((member for member in self._members if member.attempt is None), None)
            if idle is None:
                idle = start_worker(self._work, self._limits.setup)
                self._members.append(idle)
            idle.order(attempt)
        return any(member.attempt for member in self._members)

    def _next(self, todo: deque[Attempt], more: Iterator[Attempt]) -> Attempt | None:
        busy = sum(member.attempt is not None for member in self._members)
        if busy >= self._workers:
            return None
        return todo.popleft() if todo else next(more, None)

    def _wait(self) -> tuple[list[Member], list[Member]]:
        """Workers with a message, and those past their deadline."""
        start, until = time.monotonic(), min(member.deadline for member in self._members)
        speaking = ready_to_read(self._members, until)
        late = time.monotonic() - max(start, until)
        if late > ASLEEP_S:
            for member in self._members:
                member.deadline += late
        now = time.monotonic()
        return speaking, [m for m in self._members if m.deadline <= now and m not in speaking]

    def _listen(self, member: Member, todo: deque[Attempt], report: Report) -> tuple[Result] | None:
        try:
            said = member.listen(self._limits.item)
        except EOFError:
            self._replace(member, False, todo, report)
            return None
        if said is None:
            return None
        kind, content = said
        if kind == FAILED:
            error, where = content
            raise error from RaisedInWorkerError(where)
        self._stillborn, self._ever_ready = 0, True
        attempt, member.attempt = member.attempt, None
        assert attempt is not None
        if attempt.succeeded():
            return (content,)
        _again(attempt, todo)
        return None

    def _replace(self, member: Member, stuck: bool, todo: deque[Attempt], report: Report) -> None:
        """Remove a worker that is dead or stuck; the next attempt starts another."""
        self._members.remove(member)
        how = member.end(at_once=stuck)
        if not member.ready and member.process.exitcode == UNGUARDED:
            raise UnguardedError from None
        attempt = member.attempt
        if attempt is None:  # it was idle
            return
        if member.ready:
            event = attempt.failed(stuck, f"took longer than {self._limits.item:g} s" if stuck else how)
        else:
            event = self._stillbirth(stuck, how, attempt.task.number)
        report(event)
        report(Event("retry", attempt.task.number, "", attempt.alone))
        _again(attempt, todo)

    def _stillbirth(self, stuck: bool, how: str, task: int) -> Event:
        """The event for a worker that was never ready.

        Raises:
            PhqError: no worker ever was, so that waiting as long again would be useless.
        """
        self._stillborn += 1
        if stuck and (not self._ever_ready or self._stillborn >= STARTS):
            raise PhqError(
                f"a worker was not ready after {self._limits.setup:g} s, in which it opens networks: does a disk or "
                "a device not answer? What is finished is kept, the same command continues, and --setup-timeout "
                "waits longer"
            )
        if stuck:
            return Event("worker_stuck", task, f"took longer than {self._limits.setup:g} s to start")
        _check_starts(self._stillborn, how)
        return Event("worker_died", task, f"{how} as it started")


def _again(attempt: Attempt, todo: deque[Attempt]) -> None:
    if attempt.hopeless:
        raise PhqError(
            f"worker processes die of unit {attempt.task.number}, but of none of its items alone (out of memory?); "
            "what is finished is kept, the same command continues, and --workers 1 needs the least memory"
        )
    todo.append(attempt)


def _check_starts(dead: int, how: str) -> None:
    if dead >= STARTS:
        raise PhqError(f"worker processes die as they start (the last one {how}): out of memory?")
