"""Running tasks in this process: nothing to start, and nothing between a crash and the caller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from phq.building.executors.contract import Report, Result, Results, Task, Work, unreported


class Inline:
    """One task after the other. An item that kills or holds up its worker kills or holds up the caller."""

    def run(self, work: Work[Any, Result], tasks: Iterable[Task], report: Report = unreported) -> Results[Result]:
        """See `phq.building.executors.contract.Executor`."""
        state = work.setup()
        for task in tasks:
            yield work.run(state, task, _unwatched)


def _unwatched(_: int) -> None:
    """There is nobody to watch."""
