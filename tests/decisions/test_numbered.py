"""Texts as numbers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from phq.decisions import numbered as module
from phq.decisions.numbered import key_numbers, lists, numbered, words


@pytest.mark.parametrize("batch", [2, 1000])
def test_the_same_text_has_the_same_number_and_no_text_0(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", batch)
    texts = ["b", "", "a", None, "b", "ä", "a"]
    numbers = numbered(pa.chunked_array([texts])).tolist()
    assert numbers[1] == numbers[3] == 0 and 0 not in (numbers[0], numbers[2], numbers[5])
    assert numbers[0] == numbers[4] and numbers[2] == numbers[6] and len({*numbers}) == 4
    assert numbered(texts).tolist() == numbers
    assert numbered(["", None]).tolist() == [0, 0] and numbered([]).tolist() == []


def test_numbers_of_keys_are_in_the_order_of_the_keys() -> None:
    keys = ["00000000000000ff", None, "ffffffffffffffff", "0123456789abcdef", "00000000000000ff"]
    numbers = key_numbers(pa.chunked_array([keys]))
    assert numbers.tolist() == [0xFF, 0, 2**64 - 1, 0x0123456789ABCDEF, 0xFF]
    others = ["b", "a", "00000000000000FF", "ab", "b"]
    ranks = key_numbers(pa.chunked_array([others]))
    assert [others[n] for n in np.argsort(ranks, kind="stable")] == sorted(others) and ranks[0] == ranks[4]


def test_a_hash_of_another_length_is_no_number() -> None:
    with pytest.raises(ValueError):
        words(["12"])


def test_lists_are_zeros_where_there_are_none() -> None:
    column = pa.chunked_array([pa.array([[1.0, 2.0], None]), pa.array([[3.0, 4.0]])])
    assert lists(column, 2).tolist() == [[1, 2], [0, 0], [3, 4]]
    fixed = pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float64(), 2))
    assert lists(pa.chunked_array([fixed]), 2).tolist() == [[1, 2], [0, 0], [3, 4]]
