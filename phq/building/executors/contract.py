"""What executors and the work they run have agreed on; docs/architecture.md states it. Nothing here knows of images."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

State = TypeVar("State")
Result = TypeVar("Result")
Made_co = TypeVar("Made_co", covariant=True)
Results = Generator[Result, None, None]
"""Of a run, in order of completion; to be closed by whoever stops before the last."""

CRASHED = "crashed_worker"
TIMED_OUT = "timed_out"


@dataclass(frozen=True)
class Refusal:
    """Why an item of a task must not be touched: it killed its worker or held it up."""

    reason: str
    """`CRASHED` or `TIMED_OUT`."""
    detail: str


@dataclass(frozen=True)
class Task:
    """One work unit as an executor sees it: a number, and items that are small and picklable (paths, never pixels)."""

    number: int
    items: Sequence[Any]
    refused: Mapping[int, Refusal] = field(default_factory=dict)
    """By index in `items`."""

    def without(self, item: int, refusal: Refusal) -> Task:
        """The same task with one more item refused."""
        return replace(self, refused={**self.refused, item: refusal})


Tell = Callable[[int], None]
"""Called before each batch with its number of items: how long the batch may take follows from that."""


class Work(Protocol[State, Made_co]):
    """What is done with tasks. Picklable; `run` is retry-safe: the same task again leaves the same files."""

    def setup(self) -> State:
        """Make what a worker keeps from task to task; called once in each worker."""

    def run(self, state: State, task: Task, tell: Tell) -> Made_co:
        """Do the task without its refused items; what it makes appears at once or not at all. A small record comes
        back."""

    def run_alone(self, state: State, task: Task, item: int, tell: Tell) -> None:
        """Do everything that `run` does with one item, and keep nothing: how the item at fault is found."""

    def sees(self, task: Task) -> dict[str, str]:
        """What this machine finds in the places that the work needs, by place. Machines that work together must see
        the same, or they would not write into one folder."""


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
    """For an item; a batch of n items may take n times that."""
    setup: float = float("inf")
    """To be started and to have done `Work.setup`."""


UNLIMITED = Limits()
Report = Callable[[Event], None]


def unreported(_: Event) -> None:
    """For callers whom events do not interest."""


class Executor(Protocol):
    """Runs tasks somewhere."""

    def run(self, work: Work[Any, Result], tasks: Iterable[Task], report: Report = unreported) -> Results[Result]:
        """Results in order of completion. Closing the iterator, or an exception in it, ends every worker.

        Raises:
            PhqError: workers cannot start or die for no item's fault.
            Exception: whatever `setup` or `run` raised first; tasks not yet finished are dropped.
        """
