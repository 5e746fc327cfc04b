"""The contract between executors and the work that they run; executors know nothing of images."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

State = TypeVar("State")
Result = TypeVar("Result")
Made_co = TypeVar("Made_co", covariant=True)
Results = Generator[Result, None, None]
"""Results of a run in order of completion; a caller that stops before the last one must close it."""

CRASHED = "crashed_worker"
TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class Refusal:
    """Why an item of a task must be left out: it killed its worker, or took too long."""

    reason: str
    """`CRASHED` or `TIMED_OUT`."""
    detail: str


@dataclass(frozen=True)
class Task:
    """One unit of work: a number, and items that are small and picklable (paths, never pixels)."""

    number: int
    items: Sequence[Any]
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    """Refusals by index in `items`."""

    def without(self, item: int, refusal: Refusal) -> Task:
        """The same task with one more item refused."""
        return replace(self, refused={**self.refused, item: refusal})


Notify = Callable[[int], None]
"""Called before each batch with its number of items, from which the time that it may take follows; 0 after it.

Work whose state gets ready within its first batch says `OPENING` before that and `OPENED` after it.
"""
OPENING, OPENED = -1, -2


class Work(Protocol[State, Made_co]):
    """The work done on tasks. Picklable; `run` is idempotent: the same task again leaves the same files."""

    def setup(self) -> State:
        """Make the state that a worker keeps from task to task; called once in each worker."""

    def run(self, state: State, task: Task, notify: Notify) -> Made_co:
        """Do the task without its refused items, so that its files appear whole or not at all; return a small record.

        Args:
            state: made by `setup`.
            task: the task.
            notify: called before each batch.
        """

    def run_alone(self, state: State, task: Task, item: int, notify: Notify) -> None:
        """Do all that `run` does with one item without keeping anything, to find the item at fault."""

    def sees(self, task: Task) -> dict[str, str]:
        """What this machine finds at each path that the work needs; all machines of a cluster must find the same."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a worker."""

    kind: str
    """``worker_died``, ``worker_stuck`` (and was killed), ``retry`` or ``refused``."""
    task: int
    detail: str
    item: int | None = None
    """Index in the task, where one item is at fault."""


@dataclass(frozen=True)
class Limits:
    """Seconds that a worker may take before it is killed."""

    item: float = float("inf")
    """Per item; a batch of n items may take n times that."""
    setup: float = float("inf")
    """To start and to finish `Work.setup`, and from `OPENING` to `OPENED`."""


UNLIMITED = Limits()
Report = Callable[[Event], None]


def unreported(_: Event) -> None:
    """Ignore an event."""


class Executor(Protocol):
    """Runs tasks somewhere."""

    def run(self, work: Work[Any, Result], tasks: Iterable[Task], report: Report = unreported) -> Results[Result]:
        """Results in order of completion. Closing the iterator, or an exception in it, ends every worker.

        Raises:
            PhqError: workers cannot start, or die though no item is at fault.
            Exception: the first that `setup` or `run` raised; unfinished tasks are dropped.
        """
