"""Rings by rule give what they give message by message."""

import numpy as np
import pytest

from emulation.flow import ring
from emulation.flow.options import FlowSettings
from emulation.flow.simulate import simulate_flows
from topologies.registry import build
from uet.base.errors import BadInput
from uet.schedule.equal import EqualRing, as_rule


@pytest.mark.parametrize(
    "spec",
    [
        "fat-tree:hosts=32,radix=8,levels=3",
        "fat-tree:hosts=27,radix=8,levels=3",
        "torus:dims=4x4",
    ],
)
def test_the_rule_is_the_ring(spec):
    fabric = build(spec)
    n = fabric.n_hosts
    work = EqualRing("allreduce ring", n, 9_000, 2 * (n - 1))
    rule, plain = simulate_flows(fabric, work), simulate_flows(fabric, work.schedule())
    assert rule.totals["flows"] == plain.totals["flows"] == rule.totals["finished"]
    assert rule.totals["data_packets"] == plain.totals["data_packets"]
    for name in ("fct_us", "finish_us"):
        assert rule.totals[name] == pytest.approx(plain.totals[name], rel=1e-6, abs=5e-3)
    assert rule.ports["sent_bytes"] == pytest.approx(plain.ports["sent_bytes"])
    last = plain.flows[-n:]
    assert rule.flows["fct_ps"] == pytest.approx(last["fct_ps"][np.argsort(last["src"])], abs=2_000)


def test_few_samples_still_show_the_distribution(monkeypatch):
    fabric = build("fat-tree:hosts=32,radix=8,levels=3")
    work = EqualRing("ring", 32, 9_000, 62)
    whole = simulate_flows(fabric, work).totals
    monkeypatch.setattr(ring, "SAMPLES", 16)
    sampled = simulate_flows(fabric, work).totals
    assert sampled["finish_us"] == pytest.approx(whole["finish_us"], rel=0.03)
    for name in ("first", "mean", "max"):
        assert sampled["finish_us"][name] == whole["finish_us"][name]


@pytest.mark.parametrize("spec", ["hammingmesh:board=2x2,grid=3x3,planes=1", "dragonfly:p=2,a=4,h=2"])
def test_where_neighbours_share_links_the_rule_is_a_little_longer(spec):
    fabric = build(spec)
    work = EqualRing("ring", fabric.n_hosts, 60_000, 40)
    rule, plain = (simulate_flows(fabric, w).totals["finish_us"] for w in (work, work.schedule()))
    assert plain["max"] * (1 - 1e-6) <= rule["max"] <= plain["max"] * 1.025
    assert rule["mean"] == pytest.approx(plain["mean"], rel=0.025)


@pytest.mark.parametrize("spec", ["fat-tree:hosts=27,radix=8,levels=3", "torus:dims=4x4"])
def test_both_ways_to_compute_it_agree(monkeypatch, spec):
    fabric = build(spec)
    work = EqualRing("ring", fabric.n_hosts, 9_000, 70)
    at_once = simulate_flows(fabric, work)
    monkeypatch.setattr(ring.RingSimulation, "_pass_on", lambda self: ring._go_on(
        0, 70, self.times, self.now, self.kept_steps, self.kept_ranks, self.kept, self.arrivals
    ))  # fmt: skip
    stepped = simulate_flows(fabric, work)
    assert np.array_equal(at_once.flows, stepped.flows)
    for name in ("finish_us", "fct_us"):
        assert at_once.totals[name] == pytest.approx(stepped.totals[name])


def test_a_rule_has_no_end_time():
    with pytest.raises(BadInput, match="leave out the end time"):
        simulate_flows(build("torus:dims=4x4"), EqualRing("ring", 16, 1_000, 8), FlowSettings(end_ps=1))


def test_only_long_whole_rings_are_rules():
    assert as_rule("allreduce:size=1MiB", 64) is None  # 8,064 messages are written out
    assert as_rule("allreduce:size=1GiB", 16_384) == EqualRing("allreduce ring", 16_384, 65_536, 32_766)
    assert as_rule("allgather:size=1GiB,algorithm=ring", 16_384).steps == 16_383
    assert as_rule("allreduce:size=1GiB,first_steps=500", 16_384).steps == 500
    for keys in ("algorithm=ring,chunks=2", "algorithm=rabenseifner", "ranks=4096,algorithm=direct"):
        assert as_rule(f"allreduce:size=1GiB,{keys}", 16_384) is None
