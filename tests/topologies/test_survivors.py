from __future__ import annotations

import numpy as np
import pytest
from checks import check_routes, check_tables
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.deadlock import check_deadlock
from topologies.metrics import distances
from topologies.registry import build
from topologies.survivors import survivors
from uet.base.errors import BadInput


def test_a_lost_link_is_routed_around():
    fabric = build("fat-tree:hosts=16,radix=4,levels=3")
    (left,) = survivors(fabric, "link leaf0-agg0")
    assert len(left.links) == len(fabric.links) - 1
    assert left.node_name(20) == fabric.node_name(20)
    check_tables(left)
    check_routes(left)
    assert check_deadlock(left).acyclic
    assert distances(left).diameter == 6


def test_planes_differ():
    fabric = build("fat-tree:hosts=16,radix=8,planes=4")
    whole, hurt = survivors(fabric, "switch p2.spine1; link p2.leaf0-spine0 rate=100Gbps")
    assert (whole.planes, hurt.planes) == (3, 1)
    assert whole.routes.rule == "up_down"
    assert len(hurt.links) == len(fabric.links) - 8
    assert hurt.nodes["n_ports"][hurt.node_number("spine1")] == 0
    assert sorted(set(hurt.links["gbps"])) == [100, 400]
    check_routes(hurt)


def test_a_slow_link_keeps_the_routes_of_the_family():
    (left,) = survivors(build("hammingmesh:board=2x2,grid=2x2,planes=1"), "link host0-rowleaf0 rate=100Gbps")
    assert left.routes.rule == "hammingmesh"
    assert sorted(set(left.links["gbps"])) == [100, 400]


def test_a_lost_board_leaves_the_others_connected():
    fabric = build("hammingmesh:board=2x2,grid=3x3,planes=1")
    (left,) = survivors(fabric, "board 1,1")
    gone = fabric.nodes["group"][: fabric.n_hosts] == 4
    assert np.array_equal(left.nodes["n_ports"][: fabric.n_hosts] == 0, gone)
    d = distances(left)
    assert d.diameter is None
    assert d.unreachable_pairs == 4 * 35 * 2 - 12
    assert d.avg_distance is not None


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["torus:dims=4x4", "hyperx:dims=3x3,p=2", "hammingmesh:board=2x1,grid=2x3,planes=1"]),
    st.integers(1, 3),
    st.integers(0, 9),
)
def test_random_losses_are_routed_around(spec, lost, seed):
    (left,) = survivors(build(spec), f"random links={lost}", seed)
    if distances(left).unreachable_pairs == 0:
        check_routes(left)
        assert check_deadlock(left).acyclic


def test_unknown_names_are_bad_input():
    with pytest.raises(BadInput):
        survivors(build("torus:dims=4x4"), "switch leaf0")
