"""The search for the item that kills its worker: the task again, then each suspect item alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from phq.building.executors.contract import CRASHED, TIMED_OUT, Event, Refusal, Task

DEATHS = 3
"""Deaths of workers after which an item is refused."""
FRUITLESS = 2
"""Fruitless searches of a task after which the machine is taken to be at fault."""


@dataclass
class Attempt:
    """A task and the fate of the workers that tried it.

    The first death may be an accident: the task is run again. After the second, the items of the batch in progress are
    run alone, one after the other, without keeping results. An item that kills its worker then (the third death) is
    refused, and the task is run without it. A batch that takes too long is searched at once, and an item that takes
    too long alone is refused.
    """

    task: Task
    alone: int | None = None
    """Item to run alone; None for the whole task."""
    deaths: int = 0
    """Deaths since the last refusal."""
    fruitless: int = 0
    _begun: int = field(default=0)
    _batch: range = field(default=range(0))
    _suspects: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """A worker starts on it."""
        self._begun, self._batch = 0, range(len(self.task.items))

    def follow(self, items: int) -> None:
        """The worker begins a batch of `items`, the next ones of the task; 0 when a batch is done."""
        if items:
            self._batch = range(self._begun, min(self._begun + items, len(self.task.items)))
            self._begun += items

    def succeeded(self) -> bool:
        """The worker has finished; return whether that was the whole task, so that nothing is left to do."""
        if self.alone is None:
            return True
        self._next_suspect()
        return False

    def failed(self, stuck: bool, how: str) -> Event:
        """The worker has died or was stuck: decide how to go on, and return the event."""
        self.deaths += 1
        kind, number = ("worker_stuck" if stuck else "worker_died"), self.task.number
        if self.alone is None:
            if stuck or self.deaths > 1:
                self._suspects = [item for item in self._batch if item not in self.task.refused]
                self._next_suspect()
            return Event(kind, number, how)
        if not stuck and self.deaths < DEATHS:
            return Event(kind, number, how, self.alone)  # the same item again
        culprit = self.alone
        refusal = Refusal(TIMED_OUT, how) if stuck else Refusal(CRASHED, f"its worker was {how}")
        self.task = self.task.without(culprit, refusal)
        self.alone, self.deaths, self.fruitless, self._suspects = None, 0, 0, []
        return Event("refused", number, f"{refusal.reason}: {refusal.detail}", culprit)

    def _next_suspect(self) -> None:
        self.alone = self._suspects.pop(0) if self._suspects else None
        self.fruitless += self.alone is None

    @property
    def hopeless(self) -> bool:
        """Whether workers die of the task, but of none of its items alone."""
        return self.fruitless >= FRUITLESS
