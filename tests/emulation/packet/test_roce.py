"""What UET replaces: go-back-N against its formula, DCQCN's fairness, and RoCE through the API."""

import numpy as np
import pytest

import uet
from emulation.packet.simulate import Simulation, SimulationSettings, simulate
from topologies.registry import build
from uet.base.errors import BadInput
from uet.schedule.model import CALC, RECV, SEND, ScheduleBuilder
from uet.schedule.works import build_work

TREE = "fat-tree:hosts=16,radix=4,levels=3,latency_ns=1000"
LINKS, PACKET_NS = 6, 4150 * 8 / 400


@pytest.mark.parametrize("loss", [0.0002, 0.001])
def test_go_back_n_has_the_goodput_of_its_formula(loss):
    """Each loss costs N packet times: the lost packet and those sent until its NACK is back, a round trip later.

    With geometric numbers of losses per packet that makes (1 - p) / (1 - p + N p) of the line rate
    (Bertsekas and Gallager, Data Networks, 2nd edition, section 2.4).
    """
    overrides = {"pdc.ordered": 1, "link.loss": loss}
    work = build_work("sendrecv:src=0,dst=13,size=120MB", 16)
    totals = simulate(build(TREE), work, SimulationSettings(profile="htsim", overrides=overrides)).totals
    p, n = 1 - (1 - loss) ** LINKS, 1 + totals["base_rtt_us"] * 1000 / PACKET_NS
    goodput = totals["data_packets"] * PACKET_NS / (1000 * totals["fct_us"]["max"])
    assert goodput == pytest.approx((1 - p) / (1 - p + n * p), rel=0.1)
    assert totals["rto"] == 0


def test_two_dcqcn_flows_share_a_link_fairly_though_one_came_later():
    builder = ScheduleBuilder("two flows", 16, 10**9)
    for sender, start_ps in ((4, 1), (8, 10**9)):
        wait = builder.add(CALC, [sender], duration_ps=[start_ps])
        builder.add(SEND, [sender], (wait,), peer=[0], bytes=[2_000_000_000])
        builder.add(RECV, [0], peer=[sender], bytes=[2_000_000_000])
    overrides = {"pdc.ordered": 1, "pfc.enabled": 1}
    options = SimulationSettings(profile="htsim", controller="dcqcn", overrides=overrides)
    simulation = Simulation(build(TREE), builder.build(), options)
    pdcs = simulation.engine.table("pdc")

    def delivered_until(time_ps):
        while simulation.now_ps < time_ps:
            simulation.advance(2000)
        return pdcs["tx_cack"][pdcs["tx_end"] > 0].copy()

    early = delivered_until(20 * 10**9)
    packets = delivered_until(40 * 10**9) - early
    assert np.all(np.abs(packets / packets.mean() - 1) < 0.05)
    assert packets.sum() * PACKET_NS > 0.9 * 20 * 10**6  # of the link
    assert simulation.result().totals["drops"] == 0


def test_roce_needs_pfc_where_uet_sprays_and_trims():
    def run(transport, pfc=0):
        small = {"queue.bdp": 0.3, "pfc.enabled": pfc, "pfc.xoff_bdp": 0.3, "pfc.xon_bdp": 0.2}
        return uet.simulate("incast:fan_in=8,size=400000", TREE, transport=transport, settings=small).summary

    lossy, lossless, ours = run("roce"), run("roce", pfc=1), run("uet")
    assert (lossy["cc"], lossless["cc"], ours["cc"]) == ("dcqcn", "dcqcn", "nscc")
    assert lossy["drops"] > 0 == lossy["trims"]
    assert lossless["drops"] == lossless["retransmissions"] == 0 < lossless["pauses"]
    assert ours["trims"] > 0 == ours["drops"]
    with pytest.raises(BadInput, match="did you mean 'roce'"):
        run("rocee")
