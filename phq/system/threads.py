"""Cores, threads and memory: parallelism is by processes, each with one thread, so that nothing is oversubscribed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "VECLIB_MAXIMUM_THREADS": "1",  # numpy on macOS
    "OPENCV_FOR_THREADS_NUM": "1",
    "ARROW_IO_THREADS": "1",  # Arrow's pool for computing follows OMP_NUM_THREADS
}
"""Variables that libraries read once, when they are first imported."""

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def available_cores() -> int:
    """Cores this process may use: its affinity, and the quota of its container, rounded up; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *_quotas()]))


def available_memory() -> int | None:
    """Bytes that this process and its children may use: the machine's, or the limit of its container if that is less;
    None where the system does not report it."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return None
    return min([total, *_memory_limits()])


def auto_workers(memory: int) -> int:
    """Number of workers, of one thread and `memory` bytes each, that this machine has room for; at least 1."""
    room = available_memory()
    return max(1, min(available_cores(), room // memory if room else available_cores()))


def _quotas() -> Iterator[int]:
    """Cores that control groups allow, see https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files."""
    for folder in _groups():
        quota, _, period = _content(folder / "cpu.max").partition(" ")  # version 2
        quota = quota or _content(folder / "cpu.cfs_quota_us")  # version 1
        period = period or _content(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():  # not "max" and not -1
            yield -(-int(quota) // int(period))


def _memory_limits() -> Iterator[int]:
    for folder in _groups():
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = _content(folder / name)
            if limit.isdigit():
                yield int(limit)


def _groups() -> Iterator[Path]:
    """Control groups of this process (versions 1 and 2) with their parents, each of which may set a limit."""
    for line in _content(_MEMBERSHIP).splitlines():
        _, controllers, path = line.split(":", 2)
        for root in (_CGROUPS / controller for controller in controllers.split(",")):
            group = Path(path.lstrip("/"))
            yield from (root / part for part in (group, *group.parents))


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def one_blas_thread() -> None:
    """Give numpy, when this process imports it, a BLAS with one thread, unless the environment says how many.

    OpenBLAS starts a thread a core with the import, which costs more than any matrix of a dataset does.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@contextmanager
def one_thread_in_children() -> Iterator[None]:
    """Processes started inside the block import their libraries with one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def reproducible() -> Iterator[None]:
    """Until the end of the block, OpenCV and numpy's BLAS have one thread each (ONNX sessions always have), and OpenCV
    computes as on any processor, without the instructions that only some have and without Intel's IPP.

    On a shared machine a BLAS with more threads than free cores is up to forty times slower on small matrices.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    threads, optimised = cv2.getNumThreads(), cv2.useOptimized()
    cv2.setNumThreads(1)
    cv2.setUseOptimized(False)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        cv2.setNumThreads(threads)
        cv2.setUseOptimized(optimised)
