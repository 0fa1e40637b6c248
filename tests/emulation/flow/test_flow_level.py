"""The flow level on fabrics: unloaded times, conservation, bounds, determinism, and what ends a run early."""

import numpy as np
import pytest

from emulation.flow.options import FlowSettings
from emulation.flow.simulate import FlowSimulation, simulate_flows
from solvers.demand import alltoall
from solvers.network import network_of
from solvers.throughput import throughput
from topologies.registry import build
from topologies.survivors import survivors
from uet.base.errors import BadInput, NoAnswer
from uet.schedule.model import ScheduleBuilder
from uet.schedule.works import build_work

TREE_16 = "fat-tree:hosts=16,radix=4,levels=3,latency_ns=1000"
MESH = "hammingmesh:board=2x2,grid=2x2,planes=1"


def run(fabric, work, **options):
    fabric = build(fabric) if isinstance(fabric, str) else fabric
    return simulate_flows(fabric, build_work(work, fabric.n_hosts, options.get("seed", 1)), FlowSettings(**options))


@pytest.mark.parametrize(
    ("size", "fct_us"),
    # uet-htsim (commit 40ccb05): base RTT and one 2 MB flow on a 3-tier 400 Gb/s tree with 1 us links
    [(4_086, 12.5057), (2_000_000, 53.0499)],
)
def test_a_lone_flow_takes_the_time_of_the_packets(size, fct_us):
    result = run(TREE_16, f"sendrecv:src=0,dst=13,size={size}", profile="htsim")
    assert float(f"{result.totals['fct_us']['max']:.6g}") == pytest.approx(fct_us, abs=2e-4)


@pytest.mark.parametrize("fabric", [TREE_16, MESH, "dragonfly:p=2,a=4,h=2", "torus:dims=4x4"])
@pytest.mark.parametrize("balancer", ["mixed", "oblivious", "ecmp"])
def test_what_goes_into_a_switch_comes_out(fabric, balancer):
    fabric = build(fabric)
    result = run(fabric, "alltoall:size=96000" if fabric.n_hosts == 16 else "permutation:size=96000", balancer=balancer)
    sent, ports = result.ports["sent_bytes"], fabric.ports
    out = np.bincount(ports["node"], sent, len(fabric.nodes))
    into = np.bincount(ports["node"][ports["peer"]], sent, len(fabric.nodes))
    assert out[fabric.n_hosts :] == pytest.approx(into[fabric.n_hosts :])
    wire = result.flows["bytes"] + 126 * result.flows["packets"]
    net = np.bincount(result.flows["src"], wire, fabric.n_hosts) - np.bincount(
        result.flows["dst"], wire, fabric.n_hosts
    )
    assert out[: fabric.n_hosts] - into[: fabric.n_hosts] == pytest.approx(net, abs=1)


def test_an_even_spread_fills_a_tree_but_hashed_paths_collide():
    spread, hashed = (run(TREE_16, "permutation:size=1MiB", balancer=lb) for lb in ("mixed", "ecmp"))
    line_us = (2**20 + 256 * 126) * 8 / 400e3
    assert line_us < spread.totals["fct_us"]["max"] < line_us + 13
    assert hashed.totals["fct_us"]["max"] > 1.9 * line_us
    other = run(TREE_16, "permutation:size=1MiB", balancer="ecmp", seed=2)
    assert not np.array_equal(other.flows["finish_ps"], hashed.flows["finish_ps"])


@pytest.mark.parametrize(
    "fabric", [TREE_16, MESH, "dragonfly:p=2,a=4,h=2", "jellyfish:switches=12,hosts_per_switch=2,degree=4"]
)
def test_no_alltoall_beats_the_throughput_bound(fabric):
    fabric, size = build(fabric), 480_000
    result = run(fabric, f"alltoall:size={size}")
    network = network_of(fabric)
    bound = throughput(network, alltoall(network))
    sent = size * (fabric.n_hosts - 1) / fabric.n_hosts
    gbps = min(bound.upper, network.access_fraction()) * network.injection_gbps
    assert result.totals["finish_us"]["max"] >= sent * 8 / gbps / 1e3


def test_runs_repeat_and_receives_wait_for_the_last_byte():
    first, second = (run(MESH, "allreduce:algorithm=ring,size=64KiB") for _ in range(2))
    assert np.array_equal(first.flows, second.flows)
    assert np.array_equal(first.done_ps, second.done_ps)
    steps = 30 * (4096 + 126) * 8 / 400e3
    assert first.totals["finish_us"]["max"] > steps


def test_delays_and_dependencies_hold():
    builder = ScheduleBuilder("relay", 3, 200_000)
    wait = builder.calc(0, 7_000_000)
    _, there = builder.transfer(0, 1, 100_000, after=(wait,))
    builder.transfer(1, 2, 100_000, after=(there,))
    result = simulate_flows(build(TREE_16), builder.build())
    assert result.flows["start_ps"][0] == 7_000_000
    assert result.flows["start_ps"][1] == result.done_ps[int(there)] < result.flows["finish_ps"][0]


def test_what_a_dead_link_leaves():
    fabric = build(TREE_16)
    (left,) = survivors(fabric, "link leaf0-agg0")
    work = "permutation:size=1MiB"
    assert run(left, work).totals["fct_us"]["max"] > 1.5 * run(fabric, work).totals["fct_us"]["max"]


def test_too_little_time_and_unknown_balancers():
    with pytest.raises(NoAnswer, match="raise the end time"):
        run(TREE_16, "permutation:size=2000000", end_ps=10_000_000)
    with pytest.raises(BadInput, match="no load balancer of the flow level is called 'mixd'; did you mean 'mixed'"):
        run(TREE_16, "permutation:size=2000", balancer="mixd")


def test_a_run_may_stop_anywhere_and_go_on():
    fabric = build(TREE_16)
    work = build_work("alltoall:size=96000", fabric.n_hosts)
    whole, pieces = FlowSimulation(fabric, work, FlowSettings()), FlowSimulation(fabric, work, FlowSettings())
    whole.advance()
    while not pieces.advance(7):
        pass
    assert np.array_equal(whole.result().flows, pieces.result().flows)


def test_a_slowdown_is_measured_against_the_message_alone():
    alone = run(TREE_16, "sendrecv:src=0,dst=13,size=500000").totals
    assert alone["slowdown"] == pytest.approx(dict.fromkeys(alone["slowdown"], 1), abs=1e-6)
    five = run(TREE_16, "incast:fan_in=5,size=500000").totals["slowdown"]
    assert 2 < five["p50"] < 5  # five times as long to send, but as long on the way
    poisson = run(TREE_16, "poisson:load=0.4,time=200us,sizes=exponential,size=50KB").totals["slowdown"]
    assert 1 - 1e-6 <= poisson["first"] <= poisson["p50"] < poisson["p99"] < 20
