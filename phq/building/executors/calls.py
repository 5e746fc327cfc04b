"""A function called for each of many arguments, here or in several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic

from phq.building.executors.contract import Executor, Result, State, Task, Tell
from phq.building.executors.inline import Inline
from phq.building.executors.processes import Processes
from phq.errors import PhqError


@dataclass(frozen=True)
class _Calls(Generic[State, Result]):
    prepare: Callable[[], State]
    function: Callable[[State, Any], Result]

    def setup(self) -> State:
        return self.prepare()

    def run(self, state: State, task: Task, tell: Tell) -> Result:
        for refusal in task.refused.values():
            raise PhqError(f"worker processes die of {task.items[0]} ({refusal.detail}); out of memory?")
        return self.function(state, task.items[0])

    def run_alone(self, state: State, task: Task, item: int, tell: Tell) -> None:
        self.function(state, task.items[item])

    def sees(self, task: Task) -> dict[str, str]:
        return {}


def call_for_each(
    setup: Callable[[], State], function: Callable[[State, Any], Result], arguments: Iterable[Any], workers: int
) -> Iterator[Result]:
    """Results in order of completion.

    Args:
        setup: makes the state once a worker; must be picklable, as `function` and the arguments.
        workers: 1 runs in this process.

    Raises:
        PhqError: three worker processes died of one argument.
        Exception: whatever `setup` or `function` raised first; calls not yet finished are dropped.
    """
    executor: Executor = Inline() if workers == 1 else Processes(workers)
    tasks = (Task(number, (argument,)) for number, argument in enumerate(arguments))
    with closing(executor.run(_Calls(setup, function), tasks)) as results:
        yield from results
