"""The failure grammar: what it names, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from small_fabrics import ring, torus, tree

from topologies.failures import Failure, damage, link_name, parse_failures
from topologies.registry import build
from uet.base.errors import BadInput

TREE = tree(64, 32, 32, planes=2)
MESH = build("hammingmesh:board=2x2,grid=4x3")


def test_events_are_read() -> None:
    assert parse_failures("board 3,4; link leaf0-spine1#2; random links=10; t=5ms switch p1.leaf0 up") == (
        Failure("board", "3,4"),
        Failure("link", "leaf0-spine1#2"),
        Failure("links", "links=10", 10),
        Failure("switch", "p1.leaf0", state="up", time_ps=5_000_000_000),
    )
    assert parse_failures("link a-b rate=100Gbps; link a-b ber=1e-6") == (
        Failure("link", "a-b", state="rate", value=1e11),
        Failure("link", "a-b", state="ber", value=1e-6),
    )
    assert parse_failures("") == ()


@pytest.mark.parametrize("plane", [0, 1])
def test_every_link_has_one_name(plane: int) -> None:
    names = [link_name(TREE, plane, link) for link in range(len(TREE.links))]
    assert len(set(names)) == len(names)
    for link in (0, 63, 64, 127):
        left = damage(TREE, f"link {names[link]}")
        assert [tuple(x) for x in np.argwhere(left.link_rate == 0)] == [(plane, link)]


def test_a_switch_takes_its_links_and_comes_back() -> None:
    left = damage(TREE, "switch p1.leaf1")
    assert left.links_down == 64 and not left.host_down.any()
    assert damage(TREE, "switch p1.leaf1; switch p1.leaf1 up").links_down == 0


def test_a_link_needs_both_its_ends() -> None:
    for later in ("link leaf1-spine0 up", "link leaf1-spine0 rate=100Gbps", "switch spine0 up"):
        assert damage(TREE, f"switch leaf1; {later}").links_down == 64
    assert damage(TREE, "link leaf1-spine0; switch leaf1; switch leaf1 up").links_down == 1
    assert damage(TREE, "switch leaf1 rate=100Gbps; switch leaf1 up").link_rate.min() == 1
    assert not damage(TREE, "switch leaf1; random hosts=3").broken_links(TREE).any()


def test_a_board_takes_its_hosts() -> None:
    # board column 1, row 2 of 4 x 3 boards of 2 x 2: accelerators (4..5, 2..3) of rows of 8
    assert np.flatnonzero(damage(MESH, "board 1,2").host_down).tolist() == [34, 35, 42, 43]


def test_a_slow_link_keeps_a_share() -> None:
    left = damage(TREE, "link host0-leaf0 rate=100Gbps")
    assert left.link_rate[0, 0] == 0.25
    assert left.links_down == 0


def test_random_failures_are_distinct_and_seeded() -> None:
    left = damage(TREE, "random links=200", seed=3)
    assert left.links_down == 200
    assert (left.link_rate == damage(TREE, "random links=200", seed=3).link_rate).all()
    assert (left.link_rate != damage(TREE, "random links=200", seed=4).link_rate).any()
    assert damage(MESH, "random boards=5").host_down.sum() == 20
    assert damage(ring(8, 4), "random hosts=3").host_down.sum() == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lnk leaf0-spine0", "did you mean 'link'"),
        ("link leaf0", "is not a link"),
        ("link leaf0-leaf1", "has 0 links between"),
        ("link leaf0-spine0#99", "so there is no"),
        ("link p2.leaf0-spine0", "planes 0..1"),
        ("switch leaf7", "no node is called 'leaf7'"),
        ("switch host0", "is a host"),
        ("board 0,0", "has no grid of boards"),
        ("random cables=3", "did you mean|legal: boards"),
        ("random links=9999", "has only"),
        ("link leaf0-spine0 rate", "write"),
        ("link leaf0-spine0 ber=2", "between 0 and 1"),
        ("t=1us link leaf0-spine0", "need a simulation"),
        ("down", "write"),
    ],
)
def test_mistakes_are_named(text: str, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        damage(TREE, text)


def test_all_mistakes_come_at_once_and_a_board_must_exist() -> None:
    with pytest.raises(BadInput) as caught:
        parse_failures("foo bar; link x-y; random z=z")
    assert len(caught.value.messages) == 2
    with pytest.raises(BadInput, match=r"legal: 0..3,0..2"):
        damage(MESH, "board 4,0")
    with pytest.raises(BadInput, match="no grid"):
        damage(torus((4, 4)), "board 0,0")
