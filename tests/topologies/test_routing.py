"""Every family's routes on small instances: minimal, complete where promised, free of deadlock."""

from __future__ import annotations

import numpy as np
import pytest
from checks import check_routes, check_tables, networkx_hops, with_table
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.deadlock import check_deadlock
from topologies.distances import Graph, hop_matrix
from topologies.registry import FAMILIES, build
from topologies.routing.next_hop import candidates
from topologies.symmetry import host_orbits, named, verified

FULL = [  # the next-hop set is every minimal next hop
    "fat-tree:hosts=50,radix=8,levels=3",
    "hyperx:dims=3x4,p=2",
    "hyperx:dims=2x2x3,p=1",
    "full-mesh:dims=4x3x2",
    "full-mesh:dims=1x5",
    "bcube:n=3,k=2",
    "bcube:n=4,k=0",
    "slimfly:q=4,p=2",
    "slimfly:q=5",
    "polarfly:q=4",
    "jellyfish:switches=20,degree=4,hosts_per_switch=2",
    "xpander:switches=20,degree=4,hosts_per_switch=2",
    "dragonfly-plus:p=2,leaves=2,spines=3,h=2,g=5",
    "dragonfly-plus:p=1,leaves=3,spines=2,h=2",
    "torus:dims=4x4x8,twisted",
    "torus:dims=3x6x6,twisted",
    "torus:dims=2x2x4,twisted",
    "rail:gpus=32,rails=4,radix=8",
    "rail:gpus=96,rails=4,radix=8,levels=3",
    "rail:gpus=16,rails=2,radix=8,spines=4",
    "rail-only:gpus=16,rails=4,radix=8",
    "rail-only:gpus=32,rails=4,radix=4",
    "rail-only:gpus=21,rails=3,radix=4,levels=3",
    "nvlink-islands:size=8,island_switches=3",
    "nvlink-islands:islands=4,size=4,scale_out=(torus:dims=4x4)",
]
PART = [  # the set is not empty and holds minimal next hops only
    "torus:dims=4x6",
    "torus:dims=3x5x3",
    "torus:dims=2x4x4",
    "torus:dims=8",
    "torus:dims=2",
    "hammingmesh:board=3x2,grid=3x2,radix=6",
    "nvlink-islands:islands=6,size=4,scale_out=(fat-tree:radix=8)",
    "nvlink-islands:islands=6,size=4,scale_out=(rail:radix=8,rails=4)",
]


@pytest.mark.parametrize("spec", FULL + PART)
def test_routes_are_minimal_and_cannot_deadlock(spec):
    fabric = build(spec)
    check_tables(fabric)
    check_routes(fabric, full=spec in FULL)
    check = check_deadlock(fabric)
    assert check.acyclic
    assert check.dead_ends == 0


@pytest.mark.parametrize("spec", [*FULL[::3], *PART[::2], "dragonfly:p=2,a=4,h=2,g=5"])
def test_tables_route_every_graph(spec):
    fabric = with_table(build(spec))
    check_routes(fabric)
    check = check_deadlock(fabric)
    assert check.acyclic
    assert check.dead_ends == 0
    assert np.array_equal(hop_matrix(Graph.of(fabric), np.arange(len(fabric.nodes))), networkx_hops(fabric))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4).filter(lambda d: 1 < np.prod(d) <= 80))
def test_any_torus(dims):
    fabric = build(f"torus:dims={'x'.join(map(str, dims))}")
    assert len(fabric.links) == sum(fabric.n_hosts * (k if k > 2 else k - 1) // k for k in dims)
    check_routes(fabric, full=all(k % 2 or k == 2 for k in dims) and len(dims) == 1)
    assert check_deadlock(fabric).acyclic


def one_global_link(fabric, a):
    """Router-to-router distances over paths local? global? local? of a Dragonfly with groups of `a` routers."""
    n, first = fabric.n_switches, fabric.n_hosts
    linked = np.zeros((n, n), bool)
    ends = [fabric.ports["node"][fabric.links[e]].astype(int) - first for e in ("port_a", "port_b")]
    for u, v in zip(*ends, strict=True):
        if u >= 0 and v >= 0:
            linked[u, v] = linked[v, u] = True
    group = np.arange(n) // a
    across = linked & (group[:, None] != group)
    local = np.where(np.eye(n, dtype=bool), 0, np.where(group[:, None] == group, 1, 99))
    hops = np.where(across, 1, 99)
    hops = np.minimum(hops, (local[:, :, None] + hops).min(axis=1))
    hops = np.minimum(hops, (hops[:, :, None] + local).min(axis=1))
    return np.minimum(hops, local)


@pytest.mark.parametrize(
    "keys",
    ["p=1,a=4,h=2", "p=2,a=4,h=2,g=5", "p=1,a=3,h=3,g=5", "p=1,a=3,h=3,g=4", "p=2,a=6,h=2,g=2", "p=2,a=5,h=1,g=1"],
)
def test_dragonfly_routes_are_minimal_over_one_global_link(keys):
    fabric = build(f"dragonfly:{keys}")
    check_tables(fabric)
    p, a = fabric.parameters["p"], fabric.parameters["a"]
    hops = one_global_link(fabric, a)
    far = fabric.ports["node"][fabric.ports["peer"]].astype(int) - fabric.n_hosts
    for node in range(fabric.n_switches):
        first = fabric.nodes["first_port"][fabric.n_hosts + node]
        ports = range(first + p, first + fabric.nodes["n_ports"][fabric.n_hosts + node])
        for target in range(fabric.n_switches):
            got = {port for port, _ in candidates(fabric.routes, fabric.n_hosts + node, target * p)}
            if node == target:
                assert got == {first}
                continue
            local = {q for q in ports if node // a == far[q] // a}
            # a local link may only precede the global one if that leads to the destination's group
            wanted = {
                q for q in ports
                if hops[far[q], target] == hops[node, target] - 1 and (q in local or far[q] // a == target // a)
            }  # fmt: skip
            assert got == wanted, (node, target)
    check = check_deadlock(fabric)
    assert check.acyclic
    assert check.dead_ends == 0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_named_symmetries_are_automorphisms(family):
    specs = [s for s in FULL + PART if s.partition(":")[0] == family]
    for fabric in map(build, specs):
        found = list(named(fabric))
        assert len(verified(fabric, found)) == len(found)


def test_orbits_of_a_torus_are_one_and_fall_apart_with_a_board():
    assert host_orbits(build("torus:dims=4x6")).max() == 0
    assert host_orbits(build("torus:dims=4x6,board=2x3")).max() == 5
    assert host_orbits(build("torus:dims=4x4x8,twisted")).max() == 0
    assert host_orbits(build("jellyfish:switches=6,degree=3,hosts_per_switch=1")).max() == 5


@pytest.mark.parametrize(
    "keys", ["board=2x2,grid=4x4", "board=2x1,grid=6x3,radix=6", "board=1x2,grid=5x3,radix=6,row_taper=3:1"]
)
def test_boards_that_share_their_leaves_are_equivalent(keys):
    fabric = build(f"hammingmesh:{keys}")
    found = list(named(fabric))
    assert len(verified(fabric, found)) == 2
    assert host_orbits(fabric).max() + 1 < fabric.n_hosts
