"""How many cores and how much memory there are, in a container too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from phq.system import threads
from phq.system.threads import (
    ONE_THREAD,
    auto_workers,
    available_cores,
    available_memory,
    one_blas_thread,
    one_thread_in_children,
)


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of control groups, with this process in /pod/box of version 2 and /pod of version 1's cpu and memory."""
    membership = tmp_path / "cgroup"
    membership.write_text("5:cpu,cpuacct:/pod\n4:memory:/pod\n0::/pod/box\n")
    monkeypatch.setattr(threads, "_MEMBERSHIP", membership)
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    return tmp_path / "fs"


def put(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n")


def test_without_limits_the_affinity_counts(cgroup: Path):
    assert available_cores() == 64
    put(cgroup / "pod/box/cpu.max", "max 100000")
    put(cgroup / "cpu/pod/cpu.cfs_quota_us", "-1")
    assert available_cores() == 64


@pytest.mark.parametrize(("quota", "cores"), [("400000 100000", 4), ("150000 100000", 2), ("1000 100000", 1)])
def test_the_quota_of_a_container_counts_rounded_up(cgroup: Path, quota: str, cores: int):
    put(cgroup / "pod/box/cpu.max", quota)
    assert available_cores() == cores


def test_the_quota_of_a_parent_counts_and_the_least_wins(cgroup: Path):
    put(cgroup / "pod/cpu.max", "300000 100000")
    put(cgroup / "pod/box/cpu.max", "800000 100000")
    assert available_cores() == 3


def test_version_1_counts(cgroup: Path):
    put(cgroup / "cpu/pod/cpu.cfs_quota_us", "250000")
    put(cgroup / "cpu/pod/cpu.cfs_period_us", "100000")
    assert available_cores() == 3


def test_workers_fill_the_cores_or_the_memory_whichever_is_less(cgroup: Path):
    put(cgroup / "pod/memory.max", str(4 << 30))
    assert available_memory() == 4 << 30
    assert auto_workers(1 << 30) == 4
    assert auto_workers(1 << 40) == 1
    put(cgroup / "pod/cpu.max", "200000 100000")
    assert auto_workers(1 << 30) == 2


def test_children_are_told_and_the_parent_stays_as_it_was(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread_in_children():
        assert all(os.environ[name] == "1" for name in ONE_THREAD)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_who_says_how_many_blas_threads_has_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    one_blas_thread()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
    monkeypatch.delenv("OPENBLAS_NUM_THREADS")
    one_blas_thread()
    assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
