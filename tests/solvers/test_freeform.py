"""Free-form fabrics: equal to trying every graph, bounds that no graph passes, certificates that are checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import shortest_path

from solvers.bandwidth import bandwidth
from solvers.freeform import FreeformDemand, fewest_cables, free_form, uniform, value
from solvers.freeform_anneal import short_ways
from solvers.freeform_bound import hop_bound
from solvers.freeform_members import member_graphs
from solvers.freeform_verify import verify_freeform
from topologies.families.free_form import graph_text
from topologies.families.jellyfish import random_regular
from topologies.registry import build
from uet.base.errors import BadInput


def demands(n: int, ports: int) -> st.SearchStrategy[FreeformDemand]:
    def make(flat: list[int], free: list[int], budget: int | None) -> FreeformDemand:
        traffic = np.array(flat, float).reshape(n, n) * 100
        np.fill_diagonal(traffic, 0)
        traffic[0, 1] += 100
        return FreeformDemand(traffic, np.array(free), 400, 10, 1, budget and 10 * n + budget)

    return st.builds(
        make,
        st.lists(st.integers(0, 5), min_size=n * n, max_size=n * n),
        st.lists(st.integers(1, ports), min_size=n, max_size=n),
        st.sampled_from([None, None, 2, 3]),
    )


def best_of_all(demand: FreeformDemand) -> float:
    pairs, best = list(combinations(range(len(demand.ports)), 2)), 0.0
    for counts in product(range(int(demand.ports.max()) + 1), repeat=len(pairs)):
        cables = np.zeros(demand.traffic.shape, np.int64)
        for (a, b), count in zip(pairs, counts, strict=True):
            cables[a, b] = cables[b, a] = count
        if sum(counts) <= demand.cables and (cables.sum(axis=1) <= demand.ports).all():
            more = [
                (a, b) for a, b in pairs
                if sum(counts) < demand.cables and (cables.sum(axis=1) < demand.ports)[[a, b]].all()
            ]  # fmt: skip
            if not more:  # with room for a cable another graph is at least as good
                best = max(best, value(demand, cables)[0])
    return best


@settings(max_examples=200, deadline=None)
@given(demands(3, 3))
def test_three_switches_equal_every_graph(demand: FreeformDemand) -> None:
    check_exact(demand)


@settings(max_examples=10, deadline=None)
@given(demands(4, 2))
def test_four_switches_equal_every_graph(demand: FreeformDemand) -> None:
    check_exact(demand)


def check_exact(demand: FreeformDemand) -> None:
    best, found = best_of_all(demand), free_form(demand)
    assert found.outcome.objective == pytest.approx(best, rel=1e-4, abs=1e-6)
    assert (found.outcome.bound or 0) >= best * (1 - 1e-6)
    assert verify_freeform(found.certificate(demand)) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(6, 9), st.integers(2, 4), st.integers(0, 99), st.floats(0, 2))
def test_no_graph_passes_the_bound(n: int, degree: int, seed: int, skew: float) -> None:
    degree -= degree * n % 2
    if degree < 2:
        return
    traffic = np.random.default_rng(seed).lognormal(0, skew, (n, n)) * 100
    np.fill_diagonal(traffic, 0)
    demand = FreeformDemand(traffic, np.full(n, degree), 400)
    a, b = random_regular(n, degree, seed)
    cables = np.zeros((n, n), np.int64)
    cables[a, b] = cables[b, a] = 1
    assert value(demand, cables)[0] <= hop_bound(traffic, demand.ports, demand.cables, 400).theta * (1 + 1e-6)


def test_the_graph_is_a_fabric_with_the_throughput_claimed() -> None:
    demand = FreeformDemand(uniform(np.full(8, 4), 400), np.full(8, 3), 400)
    found = free_form(demand, 5)
    fabric = build(f"free-form:radix=8,switches=8,hosts_per_switch=4,graph={graph_text(found.cables)},gbps=400")
    assert fabric.n_hosts == 32 and fabric.order.switches == 8 and fabric.order.cables["aoc"] == 12
    assert bandwidth(fabric).fraction_uncapped == pytest.approx(found.outcome.objective, rel=1e-3)
    starts = [random_regular(8, 3, seed) for seed in range(1, 11)]
    graphs = [*member_graphs(8, 3), *(joined(8, zip(a, b, strict=True)) for a, b in starts)]
    assert len(graphs) > 11
    for cables in graphs:
        assert cables.sum() // 2 <= 12 and value(demand, cables)[0] <= (found.outcome.objective or 0) * (1 + 1e-6)


def joined(n: int, pairs: Iterable[tuple[int, int]]) -> np.ndarray:
    cables = np.zeros((n, n), np.int64)
    for a, b in pairs:
        cables[a, b] += 1
        cables[b, a] += 1
    return cables


def fewest_of_all(demand: FreeformDemand, wanted: float) -> int | None:
    pairs, best = list(combinations(range(len(demand.ports)), 2)), None
    for counts in product(range(int(demand.ports.max()) + 1), repeat=len(pairs)):
        number = sum(counts)
        cables = joined(len(demand.ports), (p for p, n in zip(pairs, counts, strict=True) for _ in range(n)))
        fits = number <= demand.cables and (cables.sum(axis=1) <= demand.ports).all()
        if fits and (best is None or number < best) and value(demand, cables)[0] >= wanted * (1 - 1e-6):
            best = number
    return best


@settings(max_examples=20, deadline=None)
@given(demands(3, 3), st.sampled_from([0.21, 0.43, 0.77, 1.0]))
def test_fewest_cables_equal_every_graph(demand: FreeformDemand, wanted: float) -> None:
    check_fewest(demand, wanted)


@pytest.mark.soak
@settings(max_examples=200, deadline=None)
@given(demands(4, 2), st.sampled_from([0.21, 0.43, 0.77, 1.0]))
def test_fewest_cables_equal_every_graph_of_four_switches(demand: FreeformDemand, wanted: float) -> None:
    check_fewest(demand, wanted)


@pytest.mark.soak
@settings(max_examples=200, deadline=None)
@given(demands(4, 2))
def test_200_graphs_of_four_switches_equal_every_graph(demand: FreeformDemand) -> None:
    check_exact(demand)


def check_fewest(demand: FreeformDemand, wanted: float) -> None:
    best, found = fewest_of_all(demand, wanted), fewest_cables(demand, wanted)
    assert found.outcome.status == ("infeasible" if best is None else "optimal")
    assert found.outcome.objective == best
    if best is not None:
        assert verify_freeform(found.certificate(demand)) == []


def test_fewest_cables_of_many_switches_lie_between_bound_and_full_ports() -> None:
    traffic = uniform(np.full(10, 4), 400) * 0.4
    demand = FreeformDemand(traffic, np.full(10, 6), 400)
    found = fewest_cables(demand, 1.0, 6)
    count, bound = found.outcome.objective, found.outcome.bound
    assert count is not None and bound is not None and bound <= count < demand.cables
    right = found.certificate(demand)
    assert found.theta >= 1 and verify_freeform(right) == []
    assert "not proven" in verify_freeform({**right, "bound": bound + 1})[-1]
    assert fewest_cables(demand, 9.0, 1).outcome.status == "infeasible"


def test_a_wrong_certificate_of_a_graph_is_found_out() -> None:
    demand = FreeformDemand(uniform(np.full(6, 4), 400), np.full(6, 3), 400)
    right = free_form(demand, 2).certificate(demand)
    assert verify_freeform(right) == []
    assert "ports" in verify_freeform({**right, "cables": (np.array(right["cables"]) * 2).tolist()})[0]
    assert "carry" in verify_freeform({**right, "theta": right["theta"] * 1.1})[0]
    assert "not proven" in verify_freeform({**right, "bound": right["bound"] * 0.5})[-1]
    with pytest.raises(BadInput, match="free-form"):
        verify_freeform({})


def test_what_is_wrong_with_a_demand_is_said() -> None:
    demand = FreeformDemand(uniform(np.full(6, 4), 400), np.full(6, 3), 400, 10, 1, 20)
    with pytest.raises(BadInput, match="does not pay for 6 switches"):
        free_form(demand)
    with pytest.raises(BadInput, match="one row for each"):
        free_form(replace(demand, ports=np.full(5, 3)))


def test_annealing_shortens_ways_and_keeps_ports() -> None:
    a, b = random_regular(16, 4, 1)
    before, traffic = joined(16, zip(a, b, strict=True)), uniform(np.full(16, 1), 400)
    after = short_ways(before, traffic, 1)
    assert (after == after.T).all() and (after.sum(axis=1) == before.sum(axis=1)).all() and not np.diag(after).any()
    hops = [shortest_path(graph > 0, unweighted=True).sum() / 240 for graph in (before, after)]
    least = (4 + 2 * 11) / 15  # if all others were within two hops
    assert least <= hops[1] < min(hops[0], 1.03 * least)
