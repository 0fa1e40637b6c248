from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from checks import networkx_hops

from topologies.distances import Graph, attachments
from topologies.fabric import FabricBuilder, Order
from topologies.metrics import distances
from topologies.paths import path_counts
from topologies.registry import build
from topologies.routing.table_build import table_routes
from topologies.symmetry import host_orbits

SMALL = ["fat-tree:hosts=14,radix=4,levels=3", "fat-tree:hosts=20,radix=8,down=5", "hammingmesh:board=3x1,grid=2x2"]


@pytest.mark.parametrize("spec", SMALL)
def test_distances_equal_networkx(spec):
    fabric = build(spec)
    hops = networkx_hops(fabric)[: fabric.n_hosts, : fabric.n_hosts]
    apart = hops[~np.eye(fabric.n_hosts, dtype=bool)]
    d = distances(fabric)
    assert d.diameter == apart.max()
    assert d.avg_distance == pytest.approx(apart.mean(), rel=1e-12)
    assert d.pairs == tuple(np.bincount(apart))
    assert d.unreachable_pairs == 0


def test_router_diameter_leaves_out_the_hosts_links():
    assert distances(build("fat-tree:radix=4,levels=3")).router_diameter == 4
    assert distances(build("fat-tree:hosts=9,levels=1")).router_diameter == 0


def test_a_host_alone_has_no_distances():
    d = distances(build("fat-tree:hosts=1,levels=1"))
    assert (d.diameter, d.avg_distance, d.pairs) == (0, None, ())


def two_islands():
    graph = FabricBuilder(4)
    switch = graph.switches("router", 2, 1)
    graph.links([0, 1, 2, 3], switch[[0, 0, 1, 1]], "dac", 400, 5)
    return graph.build("islands", "islands", 1, Order(2, {}), table_routes)


def test_unreachable_pairs_are_counted():
    d = distances(two_islands())
    assert (d.diameter, d.router_diameter, d.unreachable_pairs, d.avg_distance) == (None, None, 8, 2)


@pytest.mark.parametrize("spec", SMALL)
def test_path_counts_equal_networkx(spec):
    fabric = build(spec)
    counts = path_counts(fabric)
    at = attachments(Graph.of(fabric))
    graph = fabric.to_networkx()
    names = {i: fabric.node_name(int(node)) for i, node in enumerate(at.nodes)}
    minimal, plus_one, weights = [], [], []
    for a in names:
        for b in names:
            if a != b:
                shortest = nx.shortest_path_length(graph, names[a], names[b])
                lengths = [len(p) for p in nx.all_simple_edge_paths(graph, names[a], names[b], shortest + 1)]
                minimal.append(lengths.count(shortest))
                plus_one.append(lengths.count(shortest + 1))
                weights.append(at.weight[a] * at.weight[b])
    assert counts is not None
    for got, wanted in ((counts.minimal, minimal), (counts.plus_one, plus_one)):
        assert (got.least, got.most) == (min(wanted), max(wanted))
        assert got.mean == pytest.approx(np.average(wanted, weights=weights))


def test_paths_of_a_full_tree():
    counts = path_counts(build("fat-tree:radix=8,levels=3"))
    assert counts is not None
    assert (counts.minimal.least, counts.minimal.most) == (4, 16)  # within a pod, between pods
    assert counts.spread.most == 4
    assert path_counts(build("fat-tree:hosts=4,levels=1")) is None


def test_hosts_with_the_same_neighbours_are_one_orbit() -> None:
    # leaves of 4, islands of 6: hosts 0-3, 4-5 and 6-7, 8-11, then the same again
    fabric = build("nvlink-islands:islands=4,size=6,scale_out=(fat-tree:radix=8)")
    orbit = host_orbits(fabric)
    assert [orbit[:12].tolist().index(k) for k in range(4)] == [0, 4, 6, 8]
    assert len(set(orbit.tolist())) == 8
