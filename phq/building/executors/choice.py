"""Choice of the executor of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum

from phq.building.executors.contract import Executor, Limits
from phq.building.executors.guard import end_unguarded_worker
from phq.errors import ConfigError
from phq.system.logs import SILENT, RunLog
from phq.system.resources import Resources
from phq.system.threads import auto_workers

PHOTO_TIMEOUT_S = 120.0
SETUP_TIMEOUT_S = 600.0


class Engine(str, Enum):
    """Where units are run."""

    inline = "inline"
    """In the calling process, without protection from crashes and hangs."""
    processes = "processes"
    ray = "ray"


@dataclass(frozen=True)
class Execution:
    """How a plan is run; its output does not depend on it.

    Raises:
        ConfigError: a number out of range, or an option of another engine.
    """

    engine: Engine = Engine.processes
    workers: int | None = None
    """None: as many as cores and memory (of the machine, of its container, or of the cluster) have room for."""
    photo_timeout: float = PHOTO_TIMEOUT_S
    """Seconds a photo may take; 0 for any time."""
    address: str | None = None
    """Address of a Ray cluster; None for one on this machine."""
    gpus_per_worker: float = 0.0
    """GPUs that Ray reserves for each worker."""
    log: RunLog = SILENT
    setup_timeout: float = SETUP_TIMEOUT_S
    """Seconds a worker may take to start and open its networks; 0 for any time. The engine `inline` ignores it."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"workers = {self.workers}: at least one is needed")
        for name in ("photo_timeout", "setup_timeout", "gpus_per_worker"):
            if not getattr(self, name) >= 0:  # NaN is refused too
                raise ConfigError(f"{name} = {getattr(self, name)}: it cannot be negative")
        if self.engine != Engine.ray and (self.address or self.gpus_per_worker):
            raise ConfigError("address and gpus_per_worker belong to the executor ray")

    def executor(self, wants: Resources, tasks: int) -> Executor:
        """The executor.

        Args:
            wants: needs of a worker.
            tasks: number of tasks to run.
        """
        limits = Limits(self.photo_timeout or float("inf"), self.setup_timeout or float("inf"))
        if self.engine == Engine.ray:
            from phq.building.executors.ray_data import RayData

            share = Resources(wants.cpus, max(wants.gpus, self.gpus_per_worker), wants.memory)
            return RayData(self.address, self.workers, share, limits, _device())
        if self.engine == Engine.inline:
            from phq.building.executors.inline import Inline

            return Inline()
        from phq.building.executors.processes import Processes

        most = self.workers or auto_workers(wants.memory)
        return Processes(max(1, min(most, tasks)), limits)


def _device() -> dict[str, str]:
    """The variable by which `phq.weights.devices.use_device` passes its choice on to child processes."""
    from phq.weights.devices import VARIABLE

    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def chosen_execution(execution: Execution | None, workers: int | None) -> Execution:
    """The execution of a call, on this machine if only a number of workers is given.

    Args:
        execution: as the caller has put it together, or None.
        workers: processes, without `execution`; None for as many as cores and memory have room for. 1 is this process
            itself, for scripts without a main guard and for notebooks.

    Raises:
        ConfigError: fewer than one.
        SystemExit: this is a worker of a script without a main guard, see `phq.building.executors.guard`.
    """
    how = execution or Execution(Engine.inline if workers == 1 else Engine.processes, workers)
    if how.engine == Engine.processes:
        end_unguarded_worker()
    return how


def workers_of(text: str) -> int | None:
    """The number of workers in the text of an option; None for ``auto``.

    Raises:
        ConfigError: it is neither.
    """
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"--workers {text}: expected a whole number or auto") from None
