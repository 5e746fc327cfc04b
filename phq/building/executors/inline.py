"""Running tasks in this process, without protection from crashes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from phq.building.executors.contract import Report, Result, Results, Task, Work, unreported


class Inline:
    """Runs one task after the other. An item that crashes or hangs takes the caller with it."""

    def run(self, work: Work[Any, Result], tasks: Iterable[Task], report: Report = unreported) -> Results[Result]:
        """See `phq.building.executors.contract.Executor`."""
        state = work.setup()
        for task in tasks:
            yield work.run(state, task, _unwatched)


def _unwatched(_: int) -> None:
    """Ignore the notification: nothing watches this process."""
