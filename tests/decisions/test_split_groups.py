"""What edges join, against another library."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from phq.decisions.split_groups import linked


@given(st.integers(1, 60), st.integers(0, 90), st.integers(0, 1000))
def test_labels_are_those_of_connected_components(size: int, edges: int, seed: int) -> None:
    one, other = np.random.default_rng(seed).integers(0, size, (2, edges))
    graph = coo_array((np.ones(edges, bool), (one, other)), shape=(size, size))
    assert linked(one, other, size).tolist() == connected_components(graph, directed=False)[1].tolist()


def test_a_chain_in_any_order_is_one_group() -> None:
    nodes = np.random.default_rng(0).permutation(5000)
    assert not linked(nodes[:-1], nodes[1:], 5000).any()


def test_nothing_has_no_groups() -> None:
    none = np.empty(0, np.int64)
    assert len(linked(none, none, 0)) == 0
