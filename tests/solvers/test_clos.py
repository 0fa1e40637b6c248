"""Clos sizing: equal to trying everything, buildable at the price and with the throughput it claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.bandwidth import bandwidth
from solvers.clos import ClosDemand, ClosDesign, compare_clos, fastest_clos, size_clos
from solvers.clos_verify import clos_certificate, verify_clos
from topologies.bom import bill
from topologies.catalogue.catalogue import Catalogue, Part, load_catalogue
from topologies.racks import RackModel
from topologies.registry import build
from uet.base.errors import BadInput


def part(name: str, kind: str, price: int, power: int, gbps: int = 400, **more: float) -> Part:
    facts = {"source": "made up", "date": "2026", "confidence": "estimate", "reach_m": 100}
    return Part(name=name, kind=kind, gbps=gbps, price_usd=price, power_w=power, **facts, **more)


def shop(radixes: list[int], prices: list[int], cables: tuple[int, int], breakout: int, splits: int) -> Catalogue:
    switches = [
        part(f"s{k}", "switch", price, radix * 7 + k, radix=radix, breakout=breakout)
        for k, (radix, price) in enumerate(zip(radixes, prices, strict=False))
    ]
    links = [part(kind, kind, price, 3, breakout=splits) for kind, price in zip(("dac", "aoc"), cables, strict=True)]
    return Catalogue(name="shop", title="made up", date="2026", part=(*switches, *links))


shops = st.builds(
    shop,
    st.lists(st.integers(3, 6), min_size=1, max_size=2),
    st.lists(st.integers(50, 900), min_size=2, max_size=2),
    st.tuples(st.integers(0, 30), st.integers(0, 90)),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
)
demands = st.builds(
    ClosDemand,
    hosts=st.integers(2, 12),
    injection_gbps=st.just(400),
    alltoall=st.sampled_from([0.0, 0.25, 0.6, 1.0]),
    bisection=st.sampled_from([0.0, 0.0, 0.5, 1.0]),
    power_w=st.sampled_from([None, None, 200.0, 600.0]),
    racks=st.sampled_from([None, None, 3, 5]),
    planes=st.sampled_from([(1,), (1, 2)]),
    levels=st.sampled_from([(1, 2), (3,), (1, 2, 3)]),
    rack_model=st.just(RackModel(rack_units=8, accelerators_per_rack=6)),
)


def every_tree(demand: ClosDemand, catalogue: Catalogue) -> Iterator[dict]:
    """All trees of the wirings with a known throughput, by plain loops; leaves hold as few hosts as they can."""
    n, switches = demand.hosts, catalogue.of("switch")
    for planes in demand.planes:
        host = demand.injection_gbps / planes
        if 1 in demand.levels:
            for leaf in switches:
                if n <= leaf.radix * leaf.links_each(host):
                    yield {"planes": planes, "host": host, "up": host, "parts": (leaf,), "down": n, "links": 0,
                           "counts": (1,), "alltoall": 1.0, "bisection": 1.0}  # fmt: skip
        rates = {host, *(400 / k for k in (1, 2) if k <= switches[0].breakout)}
        for rate, levels in product(rates, set(demand.levels) - {1}):
            for parts in product(switches, repeat=levels):
                yield from trees_of(n, planes, host, rate, parts)


def trees_of(n: int, planes: int, host: float, rate: float, parts: tuple[Part, ...]) -> Iterator[dict]:
    for down in range(1, n):
        leaves = ceil(n / down)
        for up in range(1, parts[0].radix * parts[0].links_each(rate) + 1):
            if down / parts[0].links_each(host) + up / parts[0].links_each(rate) > parts[0].radix:
                continue
            shared = {"planes": planes, "host": host, "up": rate, "parts": parts, "down": down}
            bundles = (
                two(n, down, leaves, up, parts, rate) if len(parts) == 2 else three(n, down, leaves, up, parts, rate)
            )
            for more in bundles:
                yield {**shared, **more, **measured(n, down, up, rate / host, more)}


def two(n: int, down: int, leaves: int, up: int, parts: tuple[Part, ...], rate: float) -> Iterator[dict]:
    for spines in range(1, up + 1):
        if ceil(leaves * up / spines) > parts[1].radix * parts[1].links_each(rate):
            continue
        q = up // spines
        extra = min(leaves, ceil(leaves * up / spines) - q * leaves)
        even = up % spines == 0
        dealt = leaves > 2 and 2 * down < n and 2 * q * (n - down) >= n * (q + extra / (leaves - 1)) - 1e-9
        if even or dealt:
            yield {"counts": (leaves, spines), "links": leaves * up, "even": even}


def three(n: int, down: int, leaves: int, up: int, parts: tuple[Part, ...], rate: float) -> Iterator[dict]:
    ports = [p.radix * p.links_each(rate) for p in parts]
    for size, spines in product(range(1, leaves), range(1, up + 1)):
        pods = ceil(leaves / size)
        if up % spines:
            continue
        for bundle in range(1, ports[2] // pods + 1):
            for cores in range(1, ports[1]):
                if size * up // spines + bundle * cores <= ports[1]:
                    links = leaves * up + pods * spines * bundle * cores
                    yield {"counts": (leaves, pods * spines, spines * cores), "links": links, "even": True,
                           "pod": (size * down, spines * bundle * cores)}  # fmt: skip


def measured(n: int, down: int, up: int, ratio: float, tree: dict) -> dict:
    stages = [(down, up), *([tree["pod"]] if "pod" in tree else [])]
    alltoall = min(links * ratio * (n - 1) / (inside * (n - inside)) if inside < n else inf for inside, links in stages)
    any_ = min(1.0, *(links * ratio / inside for inside, links in stages))
    return {"alltoall": alltoall, "bisection": any_ if tree["even"] else min(any_, alltoall * n / (2 * (n - 1)))}


def figure(tree: dict, catalogue: Catalogue, name: str) -> float:
    dac, aoc = catalogue.of("dac")[0], catalogue.of("aoc")[0]
    planes, counts = tree["planes"], tree["counts"]
    total = sum(getattr(p, name) * c for p, c in zip(tree["parts"], counts, strict=True)) * planes
    total += getattr(dac, name) * ceil(counts[0] * tree["down"] * planes / dac.links_each(tree["host"]))
    return total + getattr(aoc, name) * ceil(tree["links"] * planes / aoc.links_each(tree["up"]))


def meets(tree: dict, demand: ClosDemand, catalogue: Catalogue) -> bool:
    power = demand.power_w is None or figure(tree, catalogue, "power_w") <= demand.power_w
    return power and all(tree[k] >= getattr(demand, k) - 1e-9 for k in ("alltoall", "bisection"))


@settings(max_examples=200, deadline=None)
@given(demands, shops)
def test_the_cheapest_tree_is_the_cheapest_of_all(demand: ClosDemand, catalogue: Catalogue) -> None:
    demand = replace(demand, racks=None)
    found = size_clos(demand, catalogue)
    fine = [tree for tree in every_tree(demand, catalogue) if meets(tree, demand, catalogue)]
    if not fine:
        assert found.outcome.status == "infeasible" and found.design is None
        assert found.conflicts
        return
    best = min(figure(tree, catalogue, "price_usd") for tree in fine)
    assert found.outcome.status == "optimal"
    assert found.outcome.objective == found.outcome.bound == pytest.approx(best)


@settings(max_examples=20, deadline=None)
@given(demands, shops)
def test_the_tree_can_be_built_for_its_price_with_its_throughput(demand: ClosDemand, catalogue: Catalogue) -> None:
    found = size_clos(demand, catalogue)
    if found.design is None:
        return
    check_design(found.design, catalogue)
    assert verify_clos(clos_certificate(demand, catalogue, found)) == []
    if demand.racks is not None:
        assert found.design.racks <= demand.racks


def check_design(design: ClosDesign, catalogue: Catalogue) -> None:
    fabric = build(design.spec)
    order = bill(fabric, catalogue, cabling="published")
    assert order.cost_usd == design.cost_usd and order.power_w == design.power_w
    carried = bandwidth(fabric)
    assert carried.exact
    assert carried.fraction_uncapped == pytest.approx(design.alltoall, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(demands, shops, st.floats(0.3, 3))
def test_the_fastest_tree_for_a_budget_is_the_fastest_of_all(
    demand: ClosDemand, catalogue: Catalogue, share: float
) -> None:
    demand = replace(demand, racks=None, power_w=None)
    cheap = size_clos(replace(demand, alltoall=0.0), catalogue).outcome.objective
    if cheap is None:
        return
    demand = replace(demand, budget_usd=cheap * share)
    found = fastest_clos(demand, catalogue)
    free = replace(demand, alltoall=0.0)
    fine = [tree for tree in every_tree(demand, catalogue) if meets(tree, free, catalogue)]
    within = [t["alltoall"] for t in fine if figure(t, catalogue, "price_usd") <= cheap * share]
    if share < 1:
        assert found.outcome.status == "infeasible" and "budget_usd" in {c.requirement for c in found.conflicts}
    else:
        assert found.outcome.status == "optimal"
        assert found.outcome.objective == pytest.approx(min(1.0, max(within)), rel=2e-6)


def test_a_hundred_thousand_accelerators_want_eight_planes_of_two_levels() -> None:
    catalogue = load_catalogue("ethernet-800g-2024")
    rows = compare_clos(ClosDemand(100_000, 800), catalogue)
    assert all(row[2].outcome.status == "optimal" for row in rows)
    assert rows[0][:2] == (2, 8)
    deep = min(row[2].outcome.objective or 0.0 for row in rows if row[0] == 3)
    assert (rows[0][2].outcome.objective or 0.0) < 0.75 * deep
    even = size_clos(
        ClosDemand(2048, 400, bisection=1, planes=(1,), up_gbps=(400,)), load_catalogue("hammingmesh-2022")
    )
    assert even.design is not None
    assert even.design.spec.startswith("clos:hosts=2048,down=32,up=32,spines=32,")  # the full tree of 64 ports


def test_units_of_a_superpod_share_their_spines_evenly() -> None:
    """3 units: 24 leaves and 16 spines, not the 12 that have the ports (NVIDIA's reference architecture, H100)."""
    demand = ClosDemand(3 * 256, 400, bisection=1, planes=(1,), levels=(2,), up_gbps=(400,))
    found = size_clos(demand, load_catalogue("hammingmesh-2022")).design
    assert found is not None and "down=32,up=32,spines=16" in found.spec


def test_conflicts_are_the_least_and_say_what_would_do() -> None:
    catalogue = load_catalogue("ethernet-800g-2024")
    demand = ClosDemand(4096, 800, budget_usd=1e6, power_w=1e9, racks=10_000)
    found = size_clos(demand, catalogue)
    assert [c.requirement for c in found.conflicts] == ["budget_usd", "alltoall"] or len(found.conflicts) == 1
    for conflict in found.conflicts:
        assert conflict.possible is None or conflict.possible != conflict.asked
    racks = size_clos(ClosDemand(4096, 800, racks=100), catalogue).conflicts
    assert [c.requirement for c in racks] == ["racks"] and (racks[0].possible or 0) >= 128
    with pytest.raises(BadInput, match="must be a fraction"):
        size_clos(ClosDemand(4096, 800, alltoall=1.5), catalogue)


def test_a_stopped_search_keeps_its_best_and_an_honest_bound() -> None:
    catalogue = load_catalogue("ethernet-800g-2024")
    whole = size_clos(ClosDemand(5000, 800), catalogue).outcome
    found = size_clos(ClosDemand(5000, 800), catalogue, time_limit_s=0.0)
    assert found.outcome.status in ("unknown", "feasible") and not found.conflicts
    assert (found.outcome.bound or 0.0) <= (whole.objective or 0.0)


def test_a_wrong_certificate_is_found_out() -> None:
    catalogue = load_catalogue("ethernet-800g-2024")
    demand = ClosDemand(700, 800, alltoall=0.5, levels=(2,))
    right = clos_certificate(demand, catalogue, size_clos(demand, catalogue))
    assert verify_clos(right) == []
    design = right["design"]
    for key, value, word in (
        ("cost_usd", design["cost_usd"] * 0.9, "cost_usd"), ("alltoall", 0.9, "alltoall"),
        ("spec", design["spec"].replace("hosts=700", "hosts=699"), "hosts"),
    ):  # fmt: skip
        assert any(word in problem for problem in verify_clos({**right, "design": {**design, key: value}}))
    dear = size_clos(replace(demand, alltoall=0.9), catalogue)
    assert any("less than the bound" in p for p in verify_clos(clos_certificate(demand, catalogue, dear)))
    with pytest.raises(BadInput, match="not one of a Clos"):
        verify_clos({"design": None})
