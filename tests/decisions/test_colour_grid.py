"""The grid misses no pair of samples whose colours are near."""

from __future__ import annotations

import numpy as np
import pytest

from phq.decisions import colour_grid
from phq.decisions.colour_grid import LOWEST, WITHIN, ColourGrid, coarse, may_match, pairs_within
from phq.decisions.hamming import expanded


def looks(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours about a few centres, edges of the range and beyond among them."""
    centres = rng.uniform([0, -70, -70, 0, 0, 0], [100, 70, 70, 20, 20, 20], (5, 4, 6))
    found = centres[rng.integers(0, 5, count)] + rng.normal(0, 5, (count, 4, 6))
    found[:3] = [[[0, -128, 127, 0, 0, 0]] * 4, [[100, 127, -128, 0, 0, 0]] * 4, [[50, 0, 0, 0, 0, 0]] * 4]
    return found


def near(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """What must be found, by the definition."""
    means = [np.concatenate([a[..., 1, :3], a[..., 2:, :3].mean(-2), a[..., 0, :2]], -1) for a in (one, other)]
    return (np.abs(means[0] - means[1]) <= WITHIN).all(-1)


def test_words_that_are_near_match_and_far_ones_do_not() -> None:
    some = looks(np.random.default_rng(0), 400)
    words = coarse(some)
    found = may_match(words[:, None], words[None])
    wanted = near(some[:, None], some[None])
    assert found[wanted].all() and wanted.sum() > 400
    assert found.sum() < 4 * wanted.sum()
    edge = np.zeros((2, 4, 6))
    edge[:, :, :3] = LOWEST[:3]
    edge[1, 1, 0] = 6 + 1.999
    assert may_match(*coarse(edge))
    edge[1, 1, 0] = 6 + 2
    assert not may_match(*coarse(edge))


@pytest.mark.parametrize("many", [1, 10_000])
@pytest.mark.parametrize("first", [0, 130])
def test_every_later_sample_that_is_near_is_found(first: int, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colour_grid, "MANY", many)
    monkeypatch.setattr(colour_grid, "SOME", 7)
    monkeypatch.setattr(colour_grid, "PIECE", 5)
    words = coarse(looks(np.random.default_rng(1), 300))
    asked = np.arange(first, 300, 3)
    found = [pair for some in ColourGrid(words, first).near(words, asked) for pair in zip(*some, strict=True)]
    slowly = [(n, m) for n in asked for m in range(n + 1, 300) if may_match(words[n], words[m])]
    assert [n for n, _ in found] == sorted(n for n, _ in found)
    assert len(slowly) > 100 and sorted(found) == slowly
    before = (zip(*some, strict=True) for some in ColourGrid(words, 0).near(words, asked, earlier=True))
    slowly = [(n, m) for n in asked for m in range(n) if may_match(words[n], words[m])]
    assert sorted(pair for pairs in before for pair in pairs) == slowly


def test_a_few_are_compared_each_with_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colour_grid, "SOME", 7)
    words = coarse(looks(np.random.default_rng(2), 60))
    slowly = [(n, m) for n in range(60) for m in range(n + 1, 60) if may_match(words[n], words[m])]
    assert list(zip(*pairs_within(words), strict=True)) == slowly
    assert [len(ends) for ends in pairs_within(words[:0])] == [0, 0]


@pytest.mark.parametrize("piece", [1, 3, 100])
def test_runs_are_cut_where_a_piece_ends(piece: int) -> None:
    start, count = np.array([5, 0, 40]), np.array([2, 4, 1])
    parts = list(expanded(start, count, piece))
    assert all(len(run) <= piece for run, _ in parts)
    run, place = (np.concatenate(ends).tolist() for ends in zip(*parts, strict=True))
    assert run == [0, 0, 1, 1, 1, 1, 2] and place == [5, 6, 0, 1, 2, 3, 40]
    assert list(expanded(start[:0], count[:0], piece)) == []
