"""Patterns on fabrics: figures of others, closed forms, and what holds for every fabric."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers.allreduce import Job, allreduce, cut_bound, host_grid
from solvers.bandwidth import ISLAND, PATTERNS, SCALE_OUT, bandwidth
from solvers.collectives import algorithms, hierarchical
from solvers.locality import locality_profile, packed, profile_sizes, scattered
from solvers.matching import longest_matching
from solvers.network import network_of
from solvers.paths import breadth_first
from topologies.failures import damage, no_damage
from topologies.registry import build
from uet.base.errors import BadInput, NoAnswer
from uet.schedule.cost import traffic
from uet.schedule.works import build_work

ISLANDS = "nvlink-islands:islands=4,size=8,island_gbps=3600,scale_out=(fat-tree:radix=16)"
SPECS = (
    "fat-tree:hosts=64,radix=16", "fat-tree:hosts=36,radix=16,down=12,up=4", "torus:dims=3x6", "torus:dims=4x4x2",
    "hammingmesh:board=2x2,grid=3x3", "hyperx:dims=3x4,p=2", "bcube:n=3,k=1", "dragonfly:p=1,a=3,h=1",
    "rail-only:gpus=16,rails=4,radix=8", "hpn:segments=1", ISLANDS,
)  # fmt: skip


def test_fat_trees_carry_everything_and_tapers_their_share() -> None:
    full = bandwidth(build("fat-tree:hosts=128,radix=16"))
    assert full.exact and full.fraction == 1 and full.gbps_per_accelerator == 400
    assert full.fraction_uncapped == pytest.approx(127 / 120)
    taper = bandwidth(build("fat-tree:hosts=96,radix=16,down=12,up=4"))
    assert taper.fraction == pytest.approx(4 / 12 * 95 / 84)  # eight full leaves: (u/d) (n - 1)/(n - d)


TUB = {
    "slimfly:q=5,p=4": 0.875,
    "dragonfly:p=2,a=4,h=2": 0.8333,
    "hyperx:dims=4x4x4,p=4": 0.75,
    "hyperx:dims=8x8,p=8": 0.875,
    "torus:dims=8x8": 0.5 / 4,
    "torus:dims=4x4x4": 1.0 / 6,
}
"""2 E / (hosts x longest matching), computed with networkx; a torus injects through all of its links."""


@pytest.mark.parametrize("spec", TUB)
def test_the_throughput_upper_bound_of_known_fabrics(spec: str) -> None:
    worst = bandwidth(build(spec), "worst")
    assert worst.tub == pytest.approx(TUB[spec], abs=5e-5)
    assert worst.lower <= worst.tub * (1 + 1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_every_pattern_keeps_its_promises(spec: str) -> None:
    fabric = build(spec)
    found = {pattern: bandwidth(fabric, pattern) for pattern in PATTERNS}
    for pattern, b in found.items():
        assert 0 < b.lower <= b.upper * (1 + 1e-9), pattern
        assert b.gbps_per_accelerator <= b.lower * b.injection_gbps * (1 + 1e-9)
        assert b.fraction == pytest.approx(min(1.0, b.gbps_per_accelerator / b.injection_gbps))
        assert (b.fraction_of_peak is None) == (pattern != "allreduce")
    anything = found["alltoall"].any_traffic
    assert anything is not None
    for pattern in ("permutation", "worst"):
        assert found[pattern].fraction >= anything * (1 - 1e-5)


@pytest.mark.parametrize("spec", ["torus:dims=4x4", "torus:dims=4x8", "hammingmesh:board=2x2,grid=4x4"])
def test_rings_on_grids_reach_the_cut_bound(spec: str) -> None:
    found = bandwidth(build(spec), "allreduce")
    n = found.accelerators
    assert found.exact and found.fraction_of_peak == 1
    assert found.gbps_per_accelerator == pytest.approx(found.injection_gbps / 2 * n / (n - 1))


def test_islands_multiply_what_the_scale_out_network_gives() -> None:
    found = bandwidth(build(ISLANDS), "allreduce")
    assert "hierarchical" in found.method
    assert found.gbps_per_accelerator > 3 * found.injection_gbps / 2
    assert bandwidth(build("nvlink-islands:islands=1,size=8")).domain == ISLAND


@pytest.mark.parametrize(
    ("work", "spec"),
    [
        ("allreduce:algorithm=ring,size=4608", "torus:dims=3x6"),
        ("allreduce:algorithm=double-tree,size=4608", "torus:dims=3x6"),
        ("allreduce:algorithm=torus,size=4608,grid=3x6", "torus:dims=3x6"),
        ("allreduce:algorithm=dual-rings,size=4608,grid=4x8", "torus:dims=4x8"),
        ("allreduce:algorithm=hierarchical,size=4608,island=8", ISLANDS),
    ],
)
def test_the_traffic_of_an_algorithm_is_that_of_its_schedule(work: str, spec: str) -> None:
    fabric = build(spec)
    schedule = build_work(work, fabric.n_hosts)
    name = work.partition("algorithm=")[2].partition(",")[0]
    offered = algorithms(fabric, np.arange(fabric.n_hosts), host_grid(fabric))
    mine = next(t for t in offered if t.algorithm == name)
    n = fabric.n_hosts
    ours, theirs = np.zeros((n, n)), np.zeros((n, n))
    np.add.at(ours, (mine.source, mine.target), mine.share)
    sent = traffic(schedule)
    np.add.at(theirs, (sent.source, sent.target), sent.bytes / 4608)
    assert np.allclose(ours, theirs, atol=0.02 * ours.max())  # blocks are whole elements


def test_the_traffic_inside_one_island_is_that_between_all_pairs() -> None:
    only = hierarchical(np.arange(4)[None, :])
    assert len(only.source) == 12 and np.allclose(only.share, 0.5)


@settings(max_examples=20)
@given(st.sampled_from(SPECS), st.integers(0, 99), st.integers(2, 12))
def test_no_algorithm_passes_the_cut_bound(spec: str, seed: int, size: int) -> None:
    fabric = build(spec)
    network = network_of(fabric)
    hosts = np.random.default_rng(seed).permutation(fabric.n_hosts)[:size].astype(np.int64)
    upper = cut_bound(fabric, [Job(hosts)], no_damage(fabric))
    found = allreduce(fabric, network, [Job(hosts)])
    assert 0 < found.lower <= found.upper == upper


def test_longest_matching_is_the_longest() -> None:
    network = network_of(build("jellyfish:switches=7,degree=4,hosts_per_switch=1,seed=5"))
    source, target, certain = longest_matching(network)
    far = np.zeros((7, 7), np.int64)
    for s in range(7):
        breadth_first(
            s, network.first_arc, network.head, network.forwards, np.zeros(7), 1, far[s], np.zeros(7, np.int64)
        )
    at = network.node_of_host
    best = max(sum(far[s, p[s]] for s in range(7)) for p in permutations(range(7)))
    assert certain and sorted(target) == sorted(source) == list(range(7))
    assert far[at[source], at[target]].sum() == best


def test_greedy_matching_is_a_permutation_of_far_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solvers.matching.EXACT_NODES", 3)
    for spec in ("torus:dims=6x6", "fat-tree:hosts=30,radix=16,down=12,up=4"):
        network = network_of(build(spec))
        source, target, certain = longest_matching(network)
        assert not certain and sorted(target) == sorted(source) == list(range(network.n_hosts))
        assert (network.node_of_host[source] != network.node_of_host[target]).mean() > 0.8


def test_damage_lowers_bandwidth_and_cuts_off() -> None:
    fabric = build("fat-tree:hosts=64,radix=16")
    whole, less = bandwidth(fabric), bandwidth(fabric, damage=damage(fabric, "switch spine0"))
    assert less.fraction == pytest.approx(whole.fraction_uncapped * 3 / 4) and less.cut_off == 0
    alone = bandwidth(fabric, damage=damage(fabric, "switch leaf0"))
    assert (alone.cut_off, alone.accelerators) == (8, 56)
    leaves = "; ".join(f"switch leaf{k}" for k in range(8))
    with pytest.raises(NoAnswer, match="fewer than two"):
        bandwidth(fabric, damage=damage(fabric, leaves))


def test_profiles_hold_what_was_asked_for() -> None:
    fabric = build("hammingmesh:board=2x2,grid=4x4")
    steps = locality_profile(fabric)
    assert [s.size for s in steps] == profile_sizes(fabric, 64) == [2, 4, 16, 64]
    assert all(s.best.lower >= s.worst.lower * (1 - 1e-6) for s in steps)
    board, whole = steps[1], steps[-1]
    assert board.best.fraction == pytest.approx(0.75) and whole.jobs == 1  # 3 ports' worth to 3 neighbours
    assert whole.best.gbps_per_accelerator == pytest.approx(bandwidth(fabric).gbps_per_accelerator)
    islands = locality_profile(build(ISLANDS), "allreduce", sizes=[8, 32])
    assert [s.best.domain for s in islands] == [ISLAND, SCALE_OUT]
    assert islands[0].worst.domain == SCALE_OUT
    for wrong in ([1], [65]):
        with pytest.raises(BadInput, match="choose sizes from 2 to 64"):
            locality_profile(fabric, sizes=wrong)
    with pytest.raises(BadInput, match="no locality profile of 'worst'"):
        locality_profile(fabric, "worst")


@pytest.mark.parametrize("spec", SPECS)
def test_jobs_of_a_profile_share_no_accelerator(spec: str) -> None:
    fabric = build(spec)
    network = network_of(fabric)
    for size in (2, 4, 7):
        for jobs in (packed(fabric, network, None, size, "alltoall"), scattered(network, size)):
            hosts = np.concatenate([job.hosts for job in jobs])
            assert len(np.unique(hosts)) == len(hosts) == size * len(jobs)
            assert len(jobs) >= 1


def test_unknown_patterns_are_refused() -> None:
    with pytest.raises(BadInput, match="unknown pattern 'alltoal'"):
        bandwidth(build("torus:dims=3x3"), "alltoal")
