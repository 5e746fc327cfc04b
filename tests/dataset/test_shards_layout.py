"""How samples are spread over shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phq.dataset.folder import shard_name
from phq.dataset.layout import plan_shards, shard_bytes, shard_count

GIB = 1 << 30


@pytest.mark.parametrize(
    ("n", "total", "shards"),
    [
        (0, 0, 0),
        (1, 1000, 1),
        (7, 7000, 7),
        (8, 8000, 8),
        (8 * 4096, 1000, 8),
        (8 * 4096 + 1, 1000, 9),
        (100_000, 1000, 25),
        (100, 50 * GIB, 50),
        (100, 50 * GIB + 1, 51),
        (3, 50 * GIB, 3),
    ],
)
def test_count(n: int, total: int, shards: int) -> None:
    assert shard_count(n, total) == shards


@given(st.lists(st.integers(1, 3 * GIB), max_size=60) | st.lists(st.integers(1, GIB // 50), max_size=300))
def test_plan_keeps_the_order_and_the_limits(sizes: list[int]) -> None:
    plan = plan_shards(sizes)
    assert [i for r in plan for i in r] == list(range(len(sizes)))
    assert len(plan) >= min(8, len(sizes))
    lengths = {len(r) for r in plan}
    assert not lengths or max(lengths) - min(lengths) <= 1
    assert all(len(r) == 1 or shard_bytes(sum(sizes[i] for i in r)) <= GIB for r in plan)


def test_no_shard_has_more_than_4096_samples() -> None:
    lengths = [len(r) for r in plan_shards([100_000] * 100_000)]
    assert lengths == [4000] * 25


def test_one_shard_above_the_limit_makes_all_smaller() -> None:
    sizes = [GIB // 4] * 8 + [1000] * 72  # ten a shard would put all the large ones into the first
    assert max(shard_bytes(sum(sizes[i] for i in r)) for r in plan_shards(sizes)) <= GIB


def test_names_are_dense_and_sort_in_order() -> None:
    names = [shard_name("train", n, "0123456789ab") for n in range(1200)]
    assert names[:2] == ["train/phq-train-000000-0123456789ab.tar", "train/phq-train-000001-0123456789ab.tar"]
    assert names == sorted(names)
