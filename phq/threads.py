"""Cores and threads: parallelism is by processes, each with one thread, so that nothing is oversubscribed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def available_cores() -> int:
    """Cores this process may use (its affinity, where the system tells), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@contextmanager
def single_threaded() -> Iterator[None]:
    """OpenCV and numpy's BLAS with one thread each (ONNX sessions are opened with one), restored at the end.

    On a shared machine a BLAS with more threads than free cores is up to forty times slower on small matrices.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        cv2.setNumThreads(before)
