from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from checks import check_routes, check_tables

from topologies.metrics import distances
from topologies.registry import build
from topologies.topo_file import parse_topo, to_topo
from uet.base.errors import BadInput

# Two parallel links to every core and twice the rate below, as in a test of uet-htsim
BUNDLED = """\
# comment
Nodes 8
Tiers 3
Podsize 4

tier 0
Downlink_speed_Gbps 200
Radix_Down 2
Radix_Up 2
Downlink_Latency_ns 1000

Tier 1
Downlink_speed_Gbps 200
Radix_Down 2
Radix_Up 4
Downlink_Latency_ns 1000   # in the middle of the file too
Bundle 1

Tier 2
Downlink_speed_Gbps 100
Radix_Down 4
Downlink_Latency_ns 500
Bundle 2
Queue_Down 1000
"""


def test_a_bundled_tree():
    fabric = parse_topo(BUNDLED, "bundled.topo")
    check_tables(fabric)
    check_routes(fabric)
    assert np.bincount(fabric.nodes["level"]).tolist() == [8, 4, 4, 4]
    graph = fabric.to_networkx()
    assert {graph.number_of_edges("agg1", f"core{c}") for c in range(4)} == {0, 2}
    assert graph["agg0"]["core0"][0]["gbps"] == 100
    assert graph["agg0"]["core0"][0]["latency_ns"] == 500
    assert fabric.injection_gbps == 200


@pytest.mark.parametrize(
    "spec",
    [
        "fat-tree:hosts=1024,radix=16,levels=3",
        "fat-tree:hosts=128,radix=8,levels=3,latency_ns=1000,switch_latency_ns=300,gbps=100",
        "fat-tree:hosts=64,radix=16",
        "fat-tree:hosts=24,radix=16,down=12,up=4",
    ],
)
def test_trees_survive_the_format(tmp_path: Path, spec: str):
    fabric = build(spec)
    path = tmp_path / "tree.topo"
    path.write_text(to_topo(fabric))
    again = build(path)
    assert np.array_equal(again.ports, fabric.ports)
    assert np.array_equal(again.links, fabric.links)
    assert again.switch_latency_ps == fabric.switch_latency_ps
    assert distances(again) == distances(fabric)


@pytest.mark.parametrize(
    "spec",
    [
        "fat-tree:hosts=100,radix=16",
        "torus:dims=4x4",
        "hammingmesh:grid=4x4",
        "fat-tree:hosts=8,radix=8,latency_ns=0.5",
    ],
)
def test_other_fabrics_have_no_such_form(spec):
    with pytest.raises(BadInput, match="only full trees"):
        to_topo(build(spec))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Nodes 8", "Nodes eight", r"bad\.topo:2: 'Nodes eight' is not a key and a whole number"),
        ("Radix_Up 2", "Radix_Upp 2", r"bad\.topo:9: unknown key 'Radix_Upp'; did you mean 'radix_up'"),
        ("Radix_Up 2\n", "", "Radix_Up of Tier 0 is missing"),
        ("Radix_Up 2", "Radix_Up 2\nRadix_Up 2", "stands twice"),
        ("Podsize 4", "Podsize 3", "Nodes / Podsize is 8/3"),
        ("Bundle 2", "Bundle 1", "did you mean Bundle 2"),
        ("Tier 2", "Tier 3", "Tier 0 to Tier 2"),
        ("Tiers 3", "Tiers 4", "not 2 or 3"),
        ("Radix_Up 4", "Radix_Up 4\nOversubscribed 2", "Oversubscribed 2 of Tier 1"),
        ("Bundle 2", "Bundle 2\nSwitch_Latency_ns 5", "differs between tiers"),
        ("Radix_Down 4", "Radix_Down 0", "Radix_Down of Tier 2 must be at least 1"),
    ],
)
def test_mistakes_are_named(old, new, message):
    with pytest.raises(BadInput, match=message):
        parse_topo(BUNDLED.replace(old, new), "bad.topo")


def test_a_missing_file_is_bad_input(tmp_path: Path):
    with pytest.raises(BadInput, match="cannot be read"):
        build(tmp_path / "none.topo")
