"""Published totals of the HammingMesh cost study, and what every bill must satisfy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_fabrics import islands, star

from topologies.bom import bill
from topologies.catalogue.catalogue import Catalogue, load_catalogue
from topologies.fabric import Order
from topologies.registry import build
from uet.base.errors import BadInput

HM = "hammingmesh-2022"


# Hoefler et al., HammingMesh, SC22 (arXiv 2209.01346), table II: cost in million USD; counts per plane
# follow from its wiring rules (endpoint to leaf copper, switch to switch optical; one global dimension
# of a HammingMesh copper, the other optical).
PUBLISHED = [
    ("nonblocking fat tree, 1,024", 16, 48, 1024, 1024, 25_303_040, 25.3),
    ("50 % tapered fat tree", 16, 34, 1050, 550, 17_644_320, 17.6),
    ("75 % tapered fat tree", 16, 26, 1071, 273, 13_235_376, 13.2),
    ("dragonfly", 16, 64, 1920, 512, 27_918_336, 27.9),
    ("2D HyperX", 4, 64, 2048, 2048, 10_823_680, 10.8),
    ("Hx2Mesh", 4, 32, 1024, 1024, 5_411_840, 5.4),
    ("Hx4Mesh", 4, 16, 512, 512, 2_705_920, 2.7),
    ("2D torus", 4, 0, 0, 1024, 2_469_888, 2.5),
    ("nonblocking fat tree, 16,384", 16, 1280, 16384, 32768, 679_903_232, 680),
]


@pytest.mark.parametrize(("name", "planes", "switches", "dac", "aoc", "usd", "paper_musd"), PUBLISHED)
def test_reproduces_the_published_cost(
    name: str, planes: int, switches: int, dac: int, aoc: int, usd: int, paper_musd: float
) -> None:
    order = Order(planes * switches, {"dac": planes * dac, "aoc": planes * aoc})
    priced = bill(star(order, planes=planes), load_catalogue(HM))
    assert priced.cost_usd == usd
    digits = 0 if paper_musd >= 100 else 1
    assert round(priced.cost_usd / 1e6, digits) == paper_musd
    assert priced.per_accelerator_usd == usd / 1024


@pytest.mark.parametrize(
    ("spec", "usd"),
    [
        ("fat-tree:hosts=1024,planes=16", 25_303_040),
        ("fat-tree:hosts=1024,planes=16,down=42,up=22", 17_644_320),
        ("fat-tree:hosts=1024,planes=16,down=51,up=13", 13_235_376),
        ("fat-tree:hosts=16384,planes=16,levels=3", 679_903_232),
        ("hammingmesh:board=1x1,grid=32x32", 10_823_680),
        ("hammingmesh:board=2x2,grid=16x16", 5_411_840),
        ("hammingmesh:board=4x4,grid=8x8", 2_705_920),
        ("hammingmesh:board=1x1,grid=128x128", 448_233_472),
        ("hammingmesh:board=2x2,grid=64x64", 224_116_736),
    ],
)
def test_families_reproduce_the_published_cost(spec: str, usd: int) -> None:
    assert bill(build(spec), load_catalogue(HM)).cost_usd == usd


def test_the_dictionary_has_the_contract_fields_and_is_json() -> None:
    priced = bill(star(Order(768, {"dac": 16384, "aoc": 16384})), load_catalogue(HM))
    fields = json.loads(json.dumps(priced.as_dict()))
    assert fields["cost_usd"] == 25_303_040
    assert fields["cables"] == {"dac": 16384, "aoc": 16384}
    assert fields["switches"] == 768
    assert fields["power_w"] == 768 * 747 + 16384 * 16
    assert fields["per_accelerator_usd"] == pytest.approx(24710)
    assert fields["usd_per_gbps"] == pytest.approx(24710 / 6400)
    assert [line["part"] for line in fields["bom"]] == ["switch-64x400g", "dac-5m-400g", "aoc-20m-400g"]
    assert sum(fields["share"].values()) == pytest.approx(1)


def test_nics_and_accelerators_are_added_on_request() -> None:
    fabric = star(Order(16, {"dac": 1024}), planes=1)
    catalogue = load_catalogue("ethernet-400g-2024")
    bare, full = bill(fabric, catalogue), bill(fabric, catalogue, include=("nic", "accelerator"))
    assert full.cost_usd == bare.cost_usd + 1024 * (1580 + 37170)
    by_name = bill(fabric, catalogue, include=("nic-400g", "h100-in-node"))
    assert by_name.cost_usd == full.cost_usd


def test_a_nic_with_breakout_serves_two_planes_at_half_the_rate() -> None:
    two_planes = star(Order(32, {"dac": 2048}), gbps=200, planes=2)
    nics = bill(two_planes, load_catalogue("ethernet-400g-2024"), include=("nic",)).lines[-1]
    assert (nics.kind, nics.count) == ("nic", 1024)


def test_a_51_2t_switch_serves_as_512_ports_of_100g_but_not_as_513() -> None:
    catalogue = load_catalogue("ethernet-800g-2024")
    assert (
        bill(star(Order(2, {}), gbps=100, radix=512), catalogue, cabling="published").lines[0].part == "switch-64x800g"
    )
    with pytest.raises(BadInput, match="513 ports of 100 Gb/s"):
        bill(star(Order(2, {}), gbps=100, radix=513), catalogue, cabling="published")


def test_rates_and_parts_a_catalogue_lacks_are_named() -> None:
    with pytest.raises(BadInput, match="800 Gb/s"):
        bill(star(Order(1, {}), gbps=800), load_catalogue(HM))
    with pytest.raises(BadInput, match="no priced optic cable"):
        bill(star(Order(1, {"optic": 3})), load_catalogue(HM))
    with pytest.raises(BadInput, match="no priced accelerator"):
        bill(star(Order(1, {})), load_catalogue(HM), include=("accelerator",))
    with pytest.raises(BadInput, match="has no price_usd"):
        bill(star(Order(0, {})), load_catalogue("accelerators-2022"), include=("dojo",))
    with pytest.raises(BadInput, match="is a dac"):
        bill(star(Order(1, {})), load_catalogue(HM), include=("dac-5m-400g",))


def test_island_links_are_counted_but_come_with_the_accelerators() -> None:
    priced = bill(star(Order(1, {"dac": 4, "nvlink": 9})), load_catalogue(HM))
    assert priced.cables == {"dac": 4}
    assert priced.cost_usd == 14280 + 4 * 272
    assert "9 nvlink" in priced.notes[0]


def test_injection_is_scale_out_only() -> None:
    priced = bill(islands(4, 8, 16, 4), load_catalogue("ethernet-400g-2024"), include=("nic",))
    assert priced.injection_gbps == 400
    assert priced.lines[-1].count == 32
    assert priced.usd_per_gbps == priced.per_accelerator_usd / 400


def catalogue_with(switch: int, dac: int, aoc: int, power: int | None) -> Catalogue:
    origin = {"source": "drawn", "date": "2026", "confidence": "estimate", "power_w": power}
    parts = [
        {"name": "s", "kind": "switch", "radix": 64, "gbps": 400, "price_usd": switch, **origin},
        {"name": "d", "kind": "dac", "gbps": 400, "reach_m": 3, "price_usd": dac, **origin},
        {"name": "a", "kind": "aoc", "gbps": 400, "reach_m": 30, "price_usd": aoc, **origin},
    ]
    return Catalogue.model_validate({"name": "drawn", "title": "t", "date": "2026", "part": parts})


prices = st.integers(0, 10**6)
counts = st.integers(0, 10**6)


@settings(max_examples=30, deadline=None)
@given(counts, counts, counts, prices, prices, prices, prices, st.one_of(st.none(), st.integers(0, 2000)))
def test_totals_are_sums_and_grow_with_prices(
    n_switch: int, n_dac: int, n_aoc: int, switch: int, dac: int, aoc: int, more: int, power: int | None
) -> None:
    fabric = star(Order(n_switch, {"dac": n_dac, "aoc": n_aoc}), hosts=64, planes=1)
    priced = bill(fabric, catalogue_with(switch, dac, aoc, power))
    assert priced.cost_usd == n_switch * switch + n_dac * dac + n_aoc * aoc
    assert priced.cost_usd == sum(line.total_usd for line in priced.lines)
    if power is not None:
        assert priced.power_w == power * (n_switch + n_dac + n_aoc)
    elif n_switch + n_dac + n_aoc:
        assert priced.power_w is None
    dearer = bill(fabric, catalogue_with(switch + more, dac, aoc + more, power))
    assert dearer.cost_usd == priced.cost_usd + more * (n_switch + n_aoc)
    assert sum(priced.share.values()) == pytest.approx(1 if priced.cost_usd else 0)


def test_a_catalogue_of_ones_own_is_read_by_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        'title="mine"\ndate="2026"\n[[part]]\nname="s"\nkind="switch"\nradix=64\ngbps=400\nprice_usd=1.5\n'
        'source="offer 17"\ndate="2026-01"\nconfidence="vendor"\n'
    )
    priced = bill(star(Order(4, {})), load_catalogue(mine))
    assert (priced.cost_usd, priced.catalogue) == (6, "mine")
