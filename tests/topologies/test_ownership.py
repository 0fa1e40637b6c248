"""Running cost, spares, comparison of bills, and quotes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_fabrics import star

from topologies.bom import BillLine, BillOfMaterials, bill
from topologies.catalogue.catalogue import load_catalogue
from topologies.fabric import Order
from topologies.ownership import OwnershipModel, compare, ownership, read_quote
from uet.base.errors import BadInput

HM = load_catalogue("hammingmesh-2022")
TREE = bill(star(Order(768, {"dac": 16384, "aoc": 16384})), HM)
MESH = bill(star(Order(128, {"dac": 4096, "aoc": 4096}), planes=4), HM)


def one_line(count: int, rate: float | None, power: float | None = 100) -> BillOfMaterials:
    total_w = None if power is None else power * count
    line = BillLine("p", "switch", count, 10, 10 * count, power, total_w, rate, "estimate", "test")
    return BillOfMaterials("spec", "c", "published", 8, count, {}, 400, (line,))


def test_energy_and_replacements_by_hand() -> None:
    cost = ownership(one_line(50, 0.1), OwnershipModel(usd_per_kwh=0.1, pue=1.5, years=2))
    assert cost.energy_usd == pytest.approx(50 * 0.1 * 1.5 * 8760 * 2 * 0.1)  # 5 kW
    assert cost.replacement_usd == pytest.approx(500 * 0.1 * 2)
    assert cost.total_usd == pytest.approx(500 + cost.energy_usd + 100 + cost.spares_usd)
    json.dumps(cost.as_dict())


def test_what_is_unknown_stays_unknown() -> None:
    cost = ownership(one_line(50, None, None))
    assert (cost.energy_usd, cost.running_usd, cost.total_usd) == (None, None, None)
    assert cost.unknown_failure_rates == ("p",)
    assert cost.spares == ()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 20000), st.floats(0, 0.5), st.floats(0.001, 0.5))
def test_spares_are_the_smallest_stock_that_lasts(count: int, rate: float, shortfall: float) -> None:
    (line,) = ownership(one_line(count, rate), OwnershipModel(shortfall=shortfall)).spares
    mean = count * rate * 30 / 365

    def more_than(k: int) -> float:
        terms = (math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(k + 1))
        return 1 - math.fsum(terms) if mean else 0.0

    assert line.failures_per_resupply == pytest.approx(mean)
    assert more_than(line.spares) <= shortfall + 1e-9
    assert line.spares == 0 or more_than(line.spares - 1) > shortfall - 1e-9


def test_comparison_adds_up() -> None:
    both = compare(TREE, MESH)
    assert both.difference_usd == 5_411_840 - 25_303_040 == sum(line.difference_usd for line in both.lines)
    # Hoefler et al., HammingMesh, SC22: the small Hx2Mesh costs 4.7 times less than the nonblocking fat tree
    assert both.cost_ratio is not None and round(1 / both.cost_ratio, 1) == 4.7
    assert [(line.kind, line.count_a, line.count_b) for line in both.lines] == [
        ("switch", 768, 128),
        ("dac", 16384, 4096),
        ("aoc", 16384, 4096),
    ]
    json.dumps(both.as_dict())


def test_a_quote_is_read_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "offer.toml"
    path.write_text(
        "hosts=1024\ninjection_gbps=6400\n"
        '[[line]]\npart="sw"\nkind="switch"\ncount=768\nunit_usd=20000\n'
        '[[line]]\npart="fibre"\nkind="optic"\ncount=32768\nunit_usd=500\n'
    )
    quote = read_quote(path)
    assert quote.cost_usd == 768 * 20000 + 32768 * 500
    assert (quote.switches, quote.cables) == (768, {"optic": 32768})
    assert compare(TREE, quote).lines[-1].count_b == 32768
    path.write_text('hosts=0\n[[line]]\npart="sw"\n')
    with pytest.raises(BadInput, match=r"(?s)hosts=0.*injection_gbps.*line.0.kind"):
        read_quote(path)
