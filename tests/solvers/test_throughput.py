"""Maximum concurrent flow against an independent linear program and against figures of others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers import columns, flow_lp, weights
from solvers.bound import Bound
from solvers.concurrent import ConcurrentFlow
from solvers.demand import Demand, alltoall, pairs
from solvers.network import Network, network_of
from solvers.symmetry import find, trivial
from solvers.throughput import Effort, throughput
from topologies.failures import damage
from topologies.registry import build
from uet.base.errors import BadInput

SMALL = (
    "fat-tree:hosts=24,radix=8,down=6,up=2", "torus:dims=3x4", "torus:dims=5", "hammingmesh:board=2x2,grid=2x3",
    "hyperx:dims=3x3,p=2", "dragonfly:p=1,a=3,h=1", "polarfly:q=3,p=2", "bcube:n=3,k=1",
    "jellyfish:switches=12,degree=4,hosts_per_switch=2,seed=3", "xpander:switches=12,degree=3,hosts_per_switch=1",
    "full-mesh:dims=3x3", "rail-only:gpus=16,rails=4,radix=8", "rail:gpus=16,rails=4,radix=8",
    "nvlink-islands:islands=3,size=4,scale_out=(fat-tree:radix=8)",
)  # fmt: skip


def by_linear_program(network: Network, demand: Demand) -> float:
    """Solve the textbook program: flows per source and arc, conservation, capacities."""
    from scipy.optimize import linprog
    from scipy.sparse import lil_array

    sources, n, m = demand.sources, network.n_nodes, network.n_arcs
    variables = len(sources) * m + 1
    conserve, capacity = lil_array((len(sources) * n, variables)), lil_array((m, variables))
    upper = np.full(variables, np.inf)
    for k, s in enumerate(sources):
        for arc in range(m):
            x = k * m + arc
            conserve[k * n + network.head[arc], x] += 1
            conserve[k * n + network.tail[arc], x] -= 1
            capacity[arc, x] = 1
            if not network.forwards[network.tail[arc]] and network.tail[arc] != s:
                upper[x] = 0
        row = demand.row(int(s))
        row[s] = -row.sum()
        for v in range(n):
            conserve[k * n + v, variables - 1] = -row[v]
    cost = np.zeros(variables)
    cost[-1] = -1
    solved = linprog(
        cost, capacity.tocsr(), network.capacity_gbps, conserve.tocsr(), np.zeros(len(sources) * n),
        np.stack([np.zeros(variables), upper], axis=1),
    )  # fmt: skip
    assert solved.status == 0
    return float(-solved.fun)


@pytest.mark.parametrize("spec", SMALL)
def test_alltoall_equals_the_linear_program(spec: str) -> None:
    network = network_of(build(spec))
    demand = alltoall(network)
    found = throughput(network, demand)
    assert found.exact
    assert found.lower == pytest.approx(by_linear_program(network, demand), rel=2e-6)


@settings(max_examples=15)
@given(st.sampled_from(SMALL), st.integers(0, 999), st.integers(0, 4))
def test_any_traffic_on_damaged_fabrics_lies_within_the_bounds_of_every_method(spec: str, seed: int, down: int) -> None:
    fabric = build(spec)
    network = network_of(fabric, damage(fabric, f"random links={down}", seed))
    rng = np.random.default_rng(seed)
    demand = pairs(network, *rng.integers(0, network.n_hosts, (2, network.n_hosts)), rng.random(network.n_hosts))
    if len(demand.sources) == 0:
        return
    truth = by_linear_program(network, demand)
    found = throughput(network, demand, seed=seed)
    assert found.lower <= truth * (1 + 1e-6) + 1e-9 and found.upper >= truth * (1 - 1e-6) - 1e-9
    if truth < 1e-9:
        assert found.upper == 0
        return
    assert found.exact
    for symmetry in (trivial(network), find(network, demand, seed)):
        problem = ConcurrentFlow(network, demand, symmetry)
        loose = Bound(problem.lower(problem.spread()[0]), problem.node_cut(), "")
        for bound in (
            columns.solve(problem), flow_lp.solve(problem, loose.upper), weights.solve(problem, loose, 0.02, 300, seed)
        ):  # fmt: skip
            assert bound.lower <= truth * (1 + 1e-6) and bound.upper >= truth * (1 - 1e-6)


SHEET = {
    "hammingmesh:board=1x1,grid=32x32": 0.515625,
    "hammingmesh:board=2x2,grid=16x16": 1023 / (2 * 8 * 16 * 15),
    "hammingmesh:board=4x4,grid=8x8": 1023 / (2 * 64 * 8 * 7),
    "torus:dims=32x32": 0.06243896484375,
    "torus:dims=4x4x4": 0.328125,
    "slimfly:q=5,p=4": 0.95673,
    "hyperx:dims=8x8,p=8": 0.998047,
    "hyperx:dims=4x4x4,p=4": 0.996094,
}
"""Board-exit cut of HammingMesh (N - 1) / (2 a^3 x (x - 1)); the others computed with networkx and HiGHS."""


@pytest.mark.parametrize("spec", SHEET)
def test_alltoall_of_known_fabrics(spec: str) -> None:
    network = network_of(build(spec))
    found = throughput(network, alltoall(network))
    assert found.exact
    assert found.lower == pytest.approx(SHEET[spec], abs=1e-5)


def test_multiplicative_weights_close_the_gap_on_an_irregular_fabric() -> None:
    network = network_of(build("jellyfish:switches=70,degree=7,hosts_per_switch=4,seed=2"))
    demand = alltoall(network)
    problem = ConcurrentFlow(network, demand, trivial(network))
    start = Bound(0.1, 10.0, "")
    close = weights.solve(problem, start, 0.01, 2000)
    exact = flow_lp.solve(problem, close.upper)
    assert exact.exact
    assert close.lower <= exact.upper and close.upper >= exact.lower
    assert close.gap <= 0.01
    assert weights.solve(problem, start, 0.01, 2000) == close  # the same seed, the same numbers
    early = weights.solve(problem, start, 1e-9, 2000, enough=0.9 * exact.lower)
    assert early.lower >= 0.9 * exact.lower and early.gap > close.gap / 10


def test_a_few_sources_spread_over_all_good_paths() -> None:
    network = network_of(build("fat-tree:hosts=512,radix=16,levels=3,down=12,up=4"))
    demand = alltoall(network)
    problem = ConcurrentFlow(network, demand, find(network, demand))
    assert len(problem.sources) <= weights.FEW_SOURCES
    close = weights.solve(problem, Bound(0.1, problem.node_cut(), ""), 0.002, 500)
    exact = columns.solve(problem) if problem.n_classes < 300 else flow_lp.solve(problem, close.upper)
    assert close.gap <= 0.002
    assert close.lower <= exact.upper * (1 + 1e-6) and close.upper >= exact.lower * (1 - 1e-6)


def test_no_work_leaves_the_simple_bounds() -> None:
    network = network_of(build("jellyfish:switches=200,degree=8,hosts_per_switch=4,seed=2"))
    found = throughput(network, alltoall(network), Effort(1e-9, 0))
    assert not found.exact and 0 < found.lower < found.upper


def test_symmetric_fabrics_have_one_orbit() -> None:
    for spec, arcs in (("torus:dims=6x6", 1), ("hyperx:dims=5x5,p=2", 1), ("torus:dims=4x6", 4)):
        network = network_of(build(spec))
        symmetry = find(network, alltoall(network))
        assert symmetry.node_orbit.max() == 0, spec
        assert symmetry.n_arc_orbits <= arcs, spec


@settings(max_examples=20)
@given(st.sampled_from(SMALL), st.integers(0, 99))
def test_generators_of_the_symmetry_keep_the_network_and_the_demand(spec: str, seed: int) -> None:
    network = network_of(build(spec))
    label = np.random.default_rng(seed).integers(-1, 3, network.n_hosts)
    demand = alltoall(network, label)
    arcs = {(int(t), int(h)): c for t, h, c in zip(network.tail, network.head, network.capacity_gbps, strict=True)}
    for g in find(network, demand, seed).generators:
        assert sorted(g) == list(range(network.n_nodes))
        assert all(arcs.get((int(g[t]), int(g[h]))) == c for (t, h), c in arcs.items())
        for s in demand.sources:
            assert np.allclose(demand.row(int(g[s]))[g], demand.row(int(s)))


def test_networks_fold_hosts_and_keep_damaged_planes_apart() -> None:
    fabric = build("fat-tree:hosts=16,radix=8,planes=2,gbps=100")
    whole = network_of(fabric)
    assert (whole.n_nodes, whole.planes, whole.injection_gbps) == (6, 2, 100)
    assert whole.hosts_at.sum() == 16 and whole.access_fraction() == 1
    same = network_of(fabric, damage(fabric, "link leaf0-spine0; link p1.leaf0-spine0"))
    assert same.planes == 2 and same.capacity_gbps.sum() == whole.capacity_gbps.sum() - 200
    apart = network_of(fabric, damage(fabric, "link leaf0-spine0"))
    assert apart.planes == 1 and apart.n_hosts == 16 and apart.injection_gbps == 200
    assert not apart.forwards[apart.node_of_host].any()  # hosts do not lead from one plane to the other


def test_hosts_forward_only_where_the_fabric_needs_it() -> None:
    assert network_of(build("torus:dims=3x3")).forwards.all()
    rails = network_of(build("rail-only:gpus=16,rails=4,radix=8"))
    assert rails.forwards[rails.node_of_host].all()
    islands = network_of(build("nvlink-islands:islands=3,size=4,scale_out=(fat-tree:radix=8)"))
    assert not islands.forwards[islands.node_of_host].any()


def test_pairs_outside_the_fabric_are_refused() -> None:
    with pytest.raises(BadInput, match=r"outside 0\.\.8"):
        pairs(network_of(build("torus:dims=3x3")), [0], [9])
