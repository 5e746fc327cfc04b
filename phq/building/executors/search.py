"""Who is at fault when a worker dies: the task again, then its items alone, until one of them has been caught."""

from __future__ import annotations

from dataclasses import dataclass, field

from phq.building.executors.contract import CRASHED, TIMED_OUT, Event, Refusal, Task

DEATHS = 3
"""Deaths of workers that cost an item its place."""
FRUITLESS = 2
"""Searches of a task without finding an item at fault, after which its deaths are nobody's fault but the machine's."""


@dataclass
class Attempt:
    """A task, and what has become of the workers that were at it.

    The first death may be an accident: the task is run again. After the second, the items of the batch that was being
    processed are carried alone, one after the other, in a worker whose results nobody keeps. An item that kills this
    one too, so that there are three deaths, is refused, and the task is run without it. Time spent waiting counts: a
    batch that takes too long is searched at once, and one item alone that takes too long is refused.
    """

    task: Task
    alone: int | None = None
    """The item to carry alone; None for the whole task."""
    deaths: int = 0
    """Since an item was refused last."""
    fruitless: int = 0
    _begun: int = field(default=0)
    _batch: range = field(default=range(0))
    _suspects: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """A worker has got it."""
        self._begun, self._batch = 0, range(len(self.task.items))

    def follow(self, items: int) -> None:
        """The worker begins a batch of `items`, the next ones of the task; 0 when a batch is done."""
        if items:
            self._batch = range(self._begun, min(self._begun + items, len(self.task.items)))
            self._begun += items

    def succeeded(self) -> bool:
        """Its worker has done what it was ordered. Whether that was the task; otherwise there is more to do."""
        if self.alone is None:
            return True
        self._next_suspect()
        return False

    def failed(self, stuck: bool, how: str) -> Event:
        """Its worker has died, or was killed because it was stuck: decide how to go on, and say so."""
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
        """Workers die of it, but of none of its items."""
        return self.fruitless >= FRUITLESS
