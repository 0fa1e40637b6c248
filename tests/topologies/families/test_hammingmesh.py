from __future__ import annotations

import numpy as np
import pytest
from checks import check_routes, check_tables, networkx_hops, with_table
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.deadlock import check_deadlock
from topologies.distances import Graph, hop_matrix
from topologies.metrics import distances
from topologies.registry import build
from uet.base.errors import BadInput

# Counts per plane and diameters from the tables of HammingMesh (Hoefler et al., SC22).
PUBLISHED = [
    ("board=1x1,grid=32x32", 1024, 64, 2048, 2048, 4),
    ("board=2x2,grid=16x16", 1024, 32, 1024, 1024, 4),
    ("board=4x4,grid=8x8", 1024, 16, 512, 512, 8),
    ("board=1x1,grid=128x128", 16384, 3072, 32768, 98304, 8),
    ("board=2x2,grid=64x64", 16384, 1536, 16384, 49152, 8),
    ("board=4x4,grid=32x32", 16384, 256, 8192, 8192, 8),
]


@pytest.mark.parametrize(("keys", "hosts", "switches", "dac", "aoc", "diameter"), PUBLISHED)
def test_published_counts(keys, hosts, switches, dac, aoc, diameter):
    fabric = build(f"hammingmesh:{keys}")
    assert fabric.n_hosts == hosts
    assert fabric.order.switches == 4 * switches
    assert fabric.order.cables == {"dac": 4 * dac, "aoc": 4 * aoc}
    links = fabric.link_classes()
    assert {k: n for k, n in links.items() if k != "trace"} == fabric.order.cables
    assert fabric.injection_gbps == 4 * 4 * 400
    assert distances(fabric).diameter == diameter


def test_published_traces():
    assert build("hammingmesh:board=2x2,grid=16x16").link_classes()["trace"] == 4 * 1024
    assert build("hammingmesh:board=4x4,grid=8x8").link_classes()["trace"] == 4 * 1536


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 3)),
    st.tuples(st.integers(1, 5), st.integers(1, 3)),
    st.sampled_from([4, 5, 6, 64]),
    st.sampled_from(["1:1", "2:1", "1:3"]),
)
def test_any_mesh_is_routed_minimally_and_cannot_deadlock(board, grid, radix, taper):
    spec = f"hammingmesh:board={board[0]}x{board[1]},grid={grid[0]}x{grid[1]},radix={radix},row_taper={taper}"
    try:
        fabric = build(spec)
    except BadInput as error:
        assert "two-level tree" in str(error)
        return
    if fabric.n_hosts > 60:
        return
    check_tables(fabric)
    assert fabric.nodes["n_ports"].max() <= max(radix, 4)
    assert np.array_equal(hop_matrix(Graph.of(fabric), np.arange(len(fabric.nodes))), networkx_hops(fabric))
    check_routes(fabric, full=False)
    check = check_deadlock(fabric)
    assert check.acyclic
    assert check.dead_ends == 0
    check_routes(with_table(fabric))


def test_a_packet_comes_back_round_the_other_side_when_that_is_shorter():
    fabric = build("hammingmesh:board=4x1,grid=2x1,planes=1")
    hops = hop_matrix(Graph.of(fabric), np.arange(8))
    assert hops[0, 3] == 2  # over the row switch, against 3 links on the board
    assert hops[0, 2] == 2


@pytest.mark.parametrize("spec", ["board=1x1,grid=32x32", "board=2x2,grid=16x16", "board=4x4,grid=8x8"])
def test_published_small_clusters_do_not_deadlock(spec):
    fabric = build(f"hammingmesh:{spec}")
    check = check_deadlock(fabric)
    assert check.acyclic
    assert check.dead_ends == 0
    assert fabric.routes.virtual_channels == 3


def test_tapers_follow_the_published_leaf_splits():
    """A half taper is 42:22 and a quarter taper 51:13 with 64 ports (HammingMesh, SC22)."""
    for taper, up in (("2:1", 22), ("4:1", 13)):
        fabric = build(f"hammingmesh:board=1x1,grid=64x2,row_taper={taper},planes=1")
        leaves = -(-128 // (64 - up))
        assert fabric.n_switches == 2 * (leaves + -(-leaves * up // 64)) + 64
        assert fabric.order.cables["aoc"] == 64 * 4 + 2 * leaves * up


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("board=2x2x2,grid=2x2", "board has 3 dimensions"),
        ("board=2x2", "key 'grid' is missing"),
        ("grid=2000x2", "a row of 2000 boards needs 4000 ports.*nearest: 1024 boards"),
        ("grid=2x2,row_taper=2", "two whole numbers joined by a colon"),
    ],
)
def test_bad_keys_name_the_rule(keys, message):
    with pytest.raises(BadInput, match=message):
        build(f"hammingmesh:{keys}")
