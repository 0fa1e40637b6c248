"""Broken parts and what new ones cost."""

from __future__ import annotations

import json

import pytest

from topologies.bom import bill, cluster_share
from topologies.catalogue.catalogue import load_catalogue
from topologies.failures import damage
from topologies.registry import build
from topologies.repair import broken_parts, repair

HM, ETHERNET = load_catalogue("hammingmesh-2022"), load_catalogue("ethernet-400g-2024")


def test_only_what_is_down_itself_is_broken() -> None:
    fabric = build("fat-tree:hosts=64,radix=16,planes=2")
    broken = broken_parts(fabric, damage(fabric, "switch leaf0; link p1.host8-leaf1; link leaf0-spine0"))
    assert (broken.accelerators, broken.switches, broken.cables) == (0, 1, {"dac": 1})
    assert broken_parts(fabric, damage(fabric, "switch leaf0; switch leaf0 up")).switches == 0


def test_lines_that_share_a_box_are_one_switch() -> None:
    fabric = build("hammingmesh:board=2x2,grid=16x16")  # lines of 32 ports, two to a box
    assert broken_parts(fabric, damage(fabric, "switch rowleaf0; switch rowleaf1")).switches == 1


def test_a_repair_is_priced_with_the_parts_of_the_bill() -> None:
    fabric = build("hammingmesh:board=2x2,grid=4x4,planes=2")
    trouble = damage(fabric, "board 1,2; switch p1.colleaf0; link host0-rowleaf0; link p1.host0-colleaf0 rate=100Gbps")
    mended = repair(fabric, trouble, HM, bill(fabric, HM))
    assert {line.part: line.count for line in mended.lines} == {"switch-64x400g": 1, "dac-5m-400g": 1}
    assert mended.cost_usd == 14280 + 272
    assert mended.accelerators_working == 60
    ports_gbps = 60 * 8 * 400 - 400 - 4 * 2 * 400  # less the link and the ports of line 0's column in plane 1
    assert mended.injection_left_gbps == pytest.approx(ports_gbps)
    json.dumps(mended.as_dict())


def test_accelerators_and_nics_are_replaced_if_the_bill_has_them() -> None:
    fabric = build("hammingmesh:board=2x2,grid=2x2,planes=1,gbps=100")
    bought = bill(fabric, ETHERNET, ("nic", "accelerator"), "rack")
    mended = repair(fabric, damage(fabric, "board 0,0"), ETHERNET, bought)
    each = {line.part: line.count // 16 for line in bought.lines if line.kind in ("nic", "accelerator")}
    assert {line.part: line.count for line in mended.lines} == {part: 4 * n for part, n in each.items()}


def test_the_share_of_a_cluster() -> None:
    fabric = build("fat-tree:hosts=64,radix=64")
    network = bill(fabric, ETHERNET)
    expected = network.cost_usd / (network.cost_usd + 64 * (1580 + 37170))
    assert cluster_share(fabric, ETHERNET, network) == pytest.approx(expected)
    assert cluster_share(fabric, ETHERNET, bill(fabric, ETHERNET, ("accelerator",))) == pytest.approx(expected)
    assert cluster_share(fabric, HM, bill(fabric, HM)) is None
