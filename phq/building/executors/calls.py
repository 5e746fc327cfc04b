"""Call a function for each of many arguments, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic

from phq.building.executors.contract import Executor, Notify, Result, State, Task
from phq.building.executors.inline import Inline
from phq.building.executors.processes import Processes
from phq.errors import PhqError


@dataclass(frozen=True)
class _Calls(Generic[State, Result]):
    prepare: Callable[[], State]
    function: Callable[[State, Any], Result]

    def setup(self) -> State:
        return self.prepare()

    def run(self, state: State, task: Task, notify: Notify) -> Result:
        for refusal in task.refused.values():
            raise PhqError(f"worker processes die of {task.items[0]} ({refusal.detail}); out of memory?")
        return self.function(state, task.items[0])

    def run_alone(self, state: State, task: Task, item: int, notify: Notify) -> None:
        self.function(state, task.items[item])

    def sees(self, task: Task) -> dict[str, str]:
        return {}


def call_for_each(
    setup: Callable[[], State], function: Callable[[State, Any], Result], arguments: Iterable[Any], workers: int
) -> Iterator[Result]:
    """Results of a function for many arguments, in order of completion.

    Args:
        setup: makes the state, once in each worker.
        function: called with the state and an argument; picklable, like `setup` and the arguments.
        arguments: one for each call.
        workers: processes; 1 is this process.

    Raises:
        PhqError: three worker processes died of one argument.
        Exception: the first that `setup` or `function` raised; unfinished calls are dropped.
    """
    executor: Executor = Inline() if workers == 1 else Processes(workers)
    tasks = (Task(number, (argument,)) for number, argument in enumerate(arguments))
    with closing(executor.run(_Calls(setup, function), tasks)) as results:
        yield from results
