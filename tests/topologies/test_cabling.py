"""Racks and cabling lists: as long as the bill, every port once, parts that reach."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_fabrics import ring, shared_boxes, star, tree

from topologies.bom import bill
from topologies.boxes import boxes
from topologies.cabling import COLUMNS, CablingList, cable_list
from topologies.catalogue.catalogue import load_catalogue
from topologies.fabric import Fabric
from topologies.racks import RackModel, lay_out
from topologies.registry import build
from uet.base.errors import BadInput, CheckFailed

ETHERNET = load_catalogue("ethernet-400g-2024")
SMALL = [
    tree(64, 32, 32),
    tree(70, 32, 32, planes=3),
    tree(100, 42, 22, planes=2),
    shared_boxes(8, 20, per_box=3),
    shared_boxes(6, 32, per_box=2),
    shared_boxes(8, 20, per_box=1),
    ring(24, 4, planes=2),
]


def ends_in_use(cabling: CablingList) -> list[tuple[int, int]]:
    c = cabling.cables
    both = [zip(c[f"device_{e}"].tolist(), c[f"port_{e}"].tolist(), strict=True) for e in "ab"]
    return [(d, p) for side in both for d, p in side if d >= 0]


@pytest.mark.parametrize("fabric", SMALL, ids=lambda f: f.spec)
@pytest.mark.parametrize("rule", ["published", "rack"])
def test_the_list_is_as_long_as_the_bill_and_uses_each_port_once(fabric: Fabric, rule: str) -> None:
    cabling, priced = cable_list(fabric, ETHERNET, rule), bill(fabric, ETHERNET, cabling=rule)
    assert len(cabling) == sum(priced.cables.values()) == sum(fabric.order.cables.values())
    assert cabling.counts == priced.cables
    ends = ends_in_use(cabling)
    assert len(set(ends)) == len(ends)
    radix = fabric.parameters.get("radix", 64)
    assert all(1 <= port <= (radix if device >= fabric.n_hosts else 99) for device, port in ends)
    names = {cabling.device_name(d) for d, _ in ends}
    assert len(names) == len({d for d, _ in ends})


def test_links_of_the_list_are_the_links_of_the_graph() -> None:
    fabric = tree(70, 32, 32, planes=2)
    rows = [r for r in cable_list(fabric, ETHERNET).rows() if r["use"] == "link" and r["plane"] == 1]
    listed = sorted((r["from_device"], r["to_device"].removeprefix("p1.")) for r in rows)
    graph = sorted(tuple(sorted(e[:2])) for e in fabric.to_networkx().edges)
    assert sorted(tuple(sorted((a.removeprefix("p1."), b))) for a, b in listed) == graph


def test_reserve_cables_hang_on_the_half_empty_leaf() -> None:
    # 70 hosts on leaves of 32: the third leaf has 6 hosts and 26 cables in reserve, in each plane
    rows = [r for r in cable_list(tree(70, 32, 32, planes=3), ETHERNET).rows() if r["use"] == "reserve"]
    assert len(rows) == 3 * 26
    assert {r["from_device"] for r in rows} == {"p0.leaf2", "p1.leaf2", "p2.leaf2"}
    assert {r["to_device"] for r in rows} == {""}


def test_what_fits_no_leaf_is_stock() -> None:
    # one leaf cannot lack what another has, so the 58 ordered beyond its 6 hosts are kept in stock
    facts = cable_list(tree(6, 32, 32), ETHERNET).as_dict()
    assert (facts["cables"], facts["reserve"], facts["stock"]) == (64, 0, 26)


def test_boxes_follow_the_order() -> None:
    assert boxes(shared_boxes(8, 20, per_box=3)).of_switch.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    assert boxes(shared_boxes(8, 20, per_box=1)).count == 8
    assert boxes(shared_boxes(2, 32, per_box=2)).names == ("row0+row1",)
    assert boxes(ring(8, 4)).count == 0


def test_an_order_that_the_graph_contradicts_is_refused() -> None:
    from topologies.fabric import Order

    with pytest.raises(CheckFailed, match="cannot be the 5 boxes"):
        lay_out(star(Order(5, {"dac": 1024}), planes=1))
    with pytest.raises(CheckFailed, match="the graph has 1024 dac cables, its order only 1000"):
        cable_list(star(Order(16, {"dac": 1000}), planes=1), ETHERNET)


def test_leaves_stand_with_their_hosts_and_spines_in_network_racks() -> None:
    layout = lay_out(tree(64, 32, 32))
    assert (layout.host_racks, layout.network_racks) == (2, 1)
    leaf_racks = layout.rack[64:66]
    assert leaf_racks.tolist() == [layout.rack[0], layout.rack[32]]
    assert layout.rack[66] not in layout.rack[:64]
    inside = layout.lengths_m(np.array([0]), np.array([64]))
    # 47 units of 44.45 mm between unit 0 and the topmost slot, 0.3 m of slack at each end, next half metre
    assert inside.tolist() == [3.0]


def test_boards_are_not_split() -> None:
    layout = lay_out(ring(20, 4), RackModel(accelerators_per_rack=6))
    assert np.bincount(layout.rack).tolist() == [4] * 5


def test_rack_rule_takes_copper_where_it_reaches_and_nothing_too_short() -> None:
    fabric = tree(512, 32, 32)
    by_reach, published = cable_list(fabric, ETHERNET, "rack"), cable_list(fabric, ETHERNET, "published")
    assert by_reach.too_short == 0
    host_cables = by_reach.cables["part"][by_reach.cables["device_a"] < 512]
    assert {by_reach.parts[k].kind for k in host_cables} == {"dac"}
    assert len(by_reach) == len(published)
    far = RackModel(row_pitch_m=40, racks_per_row=4)
    assert cable_list(fabric, ETHERNET, "published", far).too_short > 0
    assert bill(fabric, ETHERNET, cabling="rack", racks=far).cost_usd > bill(fabric, ETHERNET, cabling="rack").cost_usd


def test_a_hall_too_wide_for_any_cable_is_refused() -> None:
    with pytest.raises(BadInput, match="only up to 20 m"):
        cable_list(
            tree(512, 32, 32), load_catalogue("hammingmesh-2022"), "rack", RackModel(row_pitch_m=50, racks_per_row=2)
        )
    with pytest.raises(BadInput, match="at most 24 do"):
        lay_out(tree(64, 32, 32), RackModel(rack_units=24))
    with pytest.raises(BadInput, match="legal: published, rack"):
        cable_list(tree(64, 32, 32), ETHERNET, "guess")


def test_csv_holds_the_list(tmp_path: Path) -> None:
    cabling = cable_list(tree(70, 32, 32), ETHERNET)
    cabling.write_csv(tmp_path / "cables.csv")
    with (tmp_path / "cables.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(cabling)
    assert rows[0]["from_device"] == "host0" and rows[0]["to_device"] == "leaf0"
    with pytest.raises(BadInput, match="cannot be written"):
        cabling.write_csv(tmp_path / "missing" / "cables.csv")


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 40),
    st.integers(1, 24),
    st.integers(1, 3),
    st.integers(1, 32),
    st.integers(0, 9),
)
def test_any_tree_fits_its_racks(hosts: int, down: int, up: int, planes: int, per_rack: int, row: int) -> None:
    fabric = tree(hosts, down, up, planes)
    layout = lay_out(fabric, RackModel(accelerators_per_rack=per_rack, racks_per_row=row))
    devices = hosts + fabric.order.switches
    assert len(layout.rack) == len(layout.unit) == devices
    places = set(zip(layout.rack.tolist(), layout.unit.tolist(), strict=True))
    assert len(places) == devices  # no two devices share a slot
    assert layout.unit.min() >= 0 and layout.unit.max() < 48
    assert np.bincount(layout.rack[:hosts]).max() <= per_rack
    assert len(cable_list(fabric, ETHERNET)) == sum(fabric.order.cables.values())


@pytest.mark.parametrize(
    "spec",
    [
        "fat-tree:hosts=1024,planes=16",
        "fat-tree:hosts=1024,down=51,up=13,planes=2",
        "fat-tree:hosts=100,radix=8,levels=3",
        "hammingmesh:board=2x2,grid=16x16",
        "hammingmesh:board=4x4,grid=8x8",
        "hammingmesh:board=1x1,grid=40x8,planes=1",
        "hammingmesh:board=2x2,grid=10x10,radix=64,planes=2",
        "torus:dims=8x8,board=2x2,planes=4",
        "torus:dims=4x4x8,twisted=true",
        "hyperx:dims=4x4,p=3",
        "full-mesh:dims=4x4x2",
        "dragonfly:p=2,a=4,h=2",
        "dragonfly:p=8,a=16,h=8,g=8,routers_per_box=2,planes=2",
        "dragonfly-plus:p=2,leaves=4,spines=4,h=2",
        "slimfly:q=5",
        "polarfly:q=4",
        "jellyfish:switches=12,degree=4,hosts_per_switch=3",
        "xpander:switches=15,degree=4,hosts_per_switch=3",
        "bcube:n=4,k=2",
        "rail:gpus=104,rails=4,radix=16",
        "rail-only:gpus=128,radix=16",
        "superpod:su=2",
        "hpn:segments=1",
        "nvlink-islands:islands=4,size=8,scale_out=(fat-tree:radix=8)",
    ],
)
def test_families_have_lists_as_long_as_their_bills(spec: str) -> None:
    fabric = build(spec)
    catalogue = load_catalogue("ethernet-800g-2024") if fabric.family == "hpn" else ETHERNET  # for 51.2 Tb/s switches
    cabling = cable_list(fabric, catalogue)
    assert len(cabling) == sum(bill(fabric, catalogue).cables.values())
    assert cabling.layout.boxes.count * fabric.planes == fabric.order.switches
    ends = ends_in_use(cabling)
    assert len(set(ends)) == len(ends)
    assert cabling.as_dict()["stock"] == 0
