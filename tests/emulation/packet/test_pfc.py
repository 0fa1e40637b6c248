"""Priority flow control loses nothing, costs no throughput and blocks bystanders; links lose by chance."""

import numpy as np
import pytest

from emulation.packet.simulate import Simulation, SimulationSettings, simulate
from topologies.registry import build
from uet.base.errors import BadInput
from uet.schedule.model import RECV, SEND, ScheduleBuilder
from uet.schedule.works import build_work

TREE = "fat-tree:hosts=16,radix=4,levels=3,latency_ns=1000"
DEEP = {"cc.window_bytes": 400_000, "pfc.xoff_bdp": 0.2, "pfc.xon_bdp": 0.1}


def run(work, **options):
    fabric = build(TREE)
    schedule = build_work(work, fabric.n_hosts) if isinstance(work, str) else work
    return simulate(fabric, schedule, SimulationSettings(profile="htsim", balancer="ecmp", **options))


def test_a_lossless_incast_loses_nothing_and_fills_the_last_link():
    work = "incast:fan_in=12,size=300000"
    lossy = run(work, overrides={"cc.window_bytes": 400_000})
    lossless = run(work, overrides={**DEEP, "pfc.enabled": 1})
    assert lossy.totals["trims"] > 0
    for name in ("trims", "drops", "retransmissions", "rto", "nacks"):
        assert lossless.totals[name] == 0
    assert lossless.totals["pauses"] > 0
    assert lossless.totals["paused_us"] > 0
    packets = 12 * 74
    ideal_us = (12 * 300_000 + packets * 64) * 8 / 400e3
    assert ideal_us < lossless.totals["finish_us"]["max"] < 1.03 * ideal_us + lossless.totals["base_rtt_us"]


def test_what_a_switch_holds_is_bounded_and_every_pause_ends():
    fabric = build(TREE)
    options = SimulationSettings(profile="htsim", balancer="ecmp", overrides={**DEEP, "pfc.enabled": 1})
    simulation = Simulation(fabric, build_work("incast:fan_in=12,size=300000", 16), options)
    rows, most = simulation.world.tables["pause"], 0
    while not simulation.advance(500):
        most = max(most, int(rows["held_bytes"].max()))
        assert rows["held_bytes"].min() >= 0
    network = simulation.network
    under_way = 2 * 1_000_000 * 400 // 8_000 + 3 * 4150  # a link's latency there and back, and packets begun
    assert network.xoff_bytes < most <= network.xoff_bytes + under_way
    assert not rows["held_bytes"].any()
    assert not rows["off"].any()


def test_a_pause_blocks_bystanders():
    """Host 9 shares a leaf with a sender of the incast; its own packets go elsewhere, over free links."""
    senders, others = [4, 5, 6, 7, 8, 10, 11], [12, 13, 14, 15]
    builder = ScheduleBuilder("incast and bystanders", 16, 10**6)
    builder.add(SEND, senders, peer=[0] * 7, bytes=[600_000] * 7)
    builder.add(RECV, [0] * 7, peer=senders, bytes=[600_000] * 7)
    builder.add(SEND, [9] * 4, peer=others, bytes=[300_000] * 4)
    builder.add(RECV, others, peer=[9] * 4, bytes=[300_000] * 4)
    work = builder.build()

    def slowest(pfc):
        flows = run(work, overrides={**DEEP, "queue.bdp": 50, "pfc.enabled": pfc}).flows
        return int(flows["fct_ps"][flows["src"] == 9].max())

    assert slowest(1) > 1.3 * slowest(0)


def test_links_lose_the_fraction_asked_for():
    result = run("permutation:size=400000", overrides={"link.loss": 0.01})
    lost, hops = result.totals["losses"], result.totals["packet_hops"]
    assert abs(lost - 0.01 * hops) < 5 * np.sqrt(0.01 * hops)
    assert result.totals["finished"] == 16


@pytest.mark.parametrize("wrong", [{"link.loss": 1}, {"pfc.xon_bdp": 2}, {"link.loss": -0.1}])
def test_wrong_values_are_refused(wrong):
    with pytest.raises(BadInput, match=next(iter(wrong))):
        run("sendrecv:src=0,dst=1,size=1000", overrides=wrong)
