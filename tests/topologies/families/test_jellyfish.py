"""Random regular graphs: also those in which the first pairing leaves no swap."""

from __future__ import annotations

import networkx as nx
import pytest

from topologies.families.jellyfish import random_regular


@pytest.mark.parametrize(("switches", "degree", "seed"), [(5, 2, 19), (5, 2, 20), (5, 2, 29), (6, 2, 237), (9, 4, 1)])
def test_every_draw_is_a_connected_simple_regular_graph(switches: int, degree: int, seed: int) -> None:
    a, b = random_regular(switches, degree, seed)
    graph = nx.Graph(zip(a.tolist(), b.tolist(), strict=True))
    assert graph.number_of_edges() == len(a) == switches * degree // 2
    assert {d for _, d in graph.degree} == {degree}
    assert nx.is_connected(graph)
