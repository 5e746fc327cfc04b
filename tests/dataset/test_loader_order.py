"""The order of an epoch and how ranks share it, without any data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phq.dataset.loader.course import Course
from phq.dataset.loader.order import Deal, epoch_order
from phq.errors import InputError

KEYS = np.array([f"{n:016x}" for n in range(50)], "S16")


def dealt(length: int, batch_size: int, ranks: int, drop_last: bool, position: int = 0) -> list[list[list[int]]]:
    """For each rank its batches."""
    deals = [Deal(batch_size, rank, ranks, drop_last) for rank in range(ranks)]
    return [[list(range(length))[own] for own, _ in deal.steps(position, length)] for deal in deals]


def in_order(ranks: list[list[list[int]]]) -> list[int]:
    """The batches of all ranks, step by step and rank after rank."""
    longest = max(map(len, ranks))
    return [entry for step in range(longest) for batches in ranks for entry in (batches[step : step + 1] or [[]])[0]]


def test_an_epoch_is_a_permutation_that_seed_and_epoch_fix() -> None:
    orders = {(seed, epoch): epoch_order(100, seed, epoch).tolist() for seed in (0, 1) for epoch in (0, 1)}
    assert all(sorted(order) == list(range(100)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 4
    assert epoch_order(100, 1, 0).tolist() == orders[1, 0]
    assert epoch_order(0, 0, 0).tolist() == []


def test_the_order_is_the_same_on_every_machine_and_in_every_version() -> None:
    assert epoch_order(10, 2**63 - 1, 3).tolist() == [7, 3, 9, 6, 4, 5, 2, 8, 1, 0]


def test_every_entry_comes_first_as_often() -> None:
    firsts = np.bincount([epoch_order(8, 0, epoch)[0] for epoch in range(4000)], minlength=8)
    assert firsts.min() > 400
    assert firsts.max() < 600


@given(st.lists(st.integers(0, 20), min_size=1, max_size=60).filter(any), st.integers(0, 2**63 - 1))
def test_weighted_entries_come_as_often_as_they_weigh(weights: list[int], seed: int) -> None:
    order = epoch_order(len(weights), seed, 0, np.array(weights, float))
    expected = len(weights) * np.array(weights) / sum(weights)
    times = np.bincount(order, minlength=len(weights))
    assert times.sum() == len(weights)
    assert (times >= np.floor(expected - 1e-9)).all()
    assert (times <= np.ceil(expected + 1e-9)).all()


def test_weighted_entries_come_as_often_as_they_weigh_over_many_epochs() -> None:
    weights = np.array([0.1, 0.3, 0.6, 1.0, 3.0])
    orders = [epoch_order(5, 7, epoch, weights) for epoch in range(3000)]
    np.testing.assert_allclose(np.bincount(np.concatenate(orders)) / 3000, weights, atol=0.03)


@given(st.integers(0, 200), st.integers(1, 9), st.integers(1, 7), st.booleans(), st.data())
def test_ranks_share_the_order_without_gap_or_repeat(
    length: int, batch_size: int, ranks: int, drop_last: bool, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, length))
    batches = dealt(length, batch_size, ranks, drop_last, position)
    rest = length - position
    taken = rest - rest % (batch_size * ranks) if drop_last else rest
    assert in_order(batches) == list(range(position, position + taken))
    sizes = [len(batch) for own in batches for batch in own]
    assert all(0 < size <= batch_size for size in sizes)
    if drop_last:
        assert set(sizes) <= {batch_size}
    assert len(batches[0]) == max(map(len, batches))
    deals = [Deal(batch_size, rank, ranks, drop_last) for rank in range(ranks)]
    assert [deal.count(position, length) for deal in deals] == [len(own) for own in batches]
    if drop_last or (rest >= ranks and batch_size > 1):
        assert len(batches[-1]) == len(batches[0])


def test_ranks_have_equally_many_batches_also_where_less_than_one_entry_each_is_left() -> None:
    batches = dealt(length=13, batch_size=2, ranks=3, drop_last=False)
    assert [[len(batch) for batch in own] for own in batches] == [[2, 2, 1], [2, 1, 1], [2, 1, 1]]


@given(st.integers(1, 120), st.integers(1, 6), st.integers(1, 4), st.integers(0, 20))
def test_going_on_from_any_step_gives_the_same_steps(length: int, batch_size: int, ranks: int, done: int) -> None:
    whole = dealt(length, batch_size, ranks, False)
    ends = [stop for _, stop in Deal(batch_size, 0, ranks, False).steps(0, length)]
    done = min(done, len(ends) - 1)
    assert dealt(length, batch_size, ranks, False, ends[done]) == [own[done + 1 :] for own in whole]


def course(**changes: int) -> Course:
    return Course(KEYS, changes.get("copies", 1), None, changes.get("seed", 0), Deal(4, 0, 1, False))


def test_a_state_survives_json_and_brings_its_seed() -> None:
    first, second = course(seed=9), course()
    first.epoch, first.position = 3, 24
    second.restore(json.loads(json.dumps(first.state())))
    assert [(entries.tolist(), stop) for entries, stop in second.rest()] == [
        (entries.tolist(), stop) for entries, stop in first.rest()
    ]
    assert len(second) == 7


def test_a_state_of_other_samples_is_refused() -> None:
    others = Course(KEYS[::-1].copy(), 1, None, 0, Deal(4, 0, 1, False))
    weighted = Course(KEYS, 1, np.arange(50.0), 0, Deal(4, 0, 1, False))
    for other in (others, weighted, course(copies=2)):
        with pytest.raises(InputError, match="other samples"):
            course().restore(other.state())


@pytest.mark.parametrize("damage", [{"epoch": None}, {"position": "3"}, {"fingerprint": 0.5}])
def test_what_is_no_state_is_refused(damage: dict[str, int]) -> None:
    with pytest.raises(InputError, match=f"no whole number under {next(iter(damage))}"):
        course().restore(course().state() | damage)
    with pytest.raises(InputError, match="not a state"):
        course().restore({})


@pytest.mark.parametrize("damage", [{"epoch": -1}, {"position": -4}, {"position": 51}, {"seed": 2**63}])
def test_a_place_that_no_epoch_has_is_no_state(damage: dict[str, int]) -> None:
    with pytest.raises(InputError, match=f"not a state of a Loader: its {next(iter(damage))} is"):
        course().restore(course().state() | damage)
