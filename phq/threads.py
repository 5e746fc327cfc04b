"""Cores and threads: parallelism is by processes, each with one thread, so that nothing is oversubscribed."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores this process may use (its affinity, where the system tells), at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def one_thread_each() -> None:
    """Keep OpenCV to one thread in this process; ONNX sessions are opened with one."""
    import cv2

    cv2.setNumThreads(1)
