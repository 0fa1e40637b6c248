"""Losses inferred from reordering: never by spraying alone, quickly where packets are dropped; service time."""

import numpy as np
import pytest

from emulation.packet.simulate import Simulation, SimulationSettings
from topologies.registry import build
from uet.schedule.works import build_work
from uet.transport.engine import Engine, pairwise
from uet.transport.plugins import balancer_address, controller_address
from uet.transport.settings import chosen, delay_targets, fill

TREE = "fat-tree:hosts=16,radix=4,levels=3,latency_ns=1000"


def run(work, **overrides):
    fabric = build(TREE)
    options = SimulationSettings(profile="htsim", controller="nscc", balancer="oblivious", overrides=overrides)
    simulation = Simulation(fabric, build_work(work, fabric.n_hosts), options)
    while not simulation.advance():
        pass
    return simulation.result().totals, simulation.engine.reasons()


def test_spraying_alone_is_never_taken_for_loss():
    for work in ("permutation:size=1MB", "incast:fan_in=8,size=200000"):
        totals, reasons = run(work, **{"trim.enabled": 0, "queue.bdp": 50, "loss.inference": 1})
        assert totals["drops"] == totals["retransmissions"] == 0
        assert "RETX_INFERRED" not in reasons


def test_dropped_packets_are_sent_again_long_before_the_timer():
    lossy = {"trim.enabled": 0, "link.loss": 0.002}
    timers, by_timer = run("permutation:size=1MB", **lossy, **{"loss.inference": 0})
    inferred, reasons = run("permutation:size=1MB", **lossy, **{"loss.inference": 1})
    assert by_timer["RETX_TIMEOUT"] == timers["rto"] > 5
    assert reasons["RETX_INFERRED"] > 5
    assert inferred["rto"] <= timers["rto"] // 5
    assert inferred["retransmissions"] < 2 * inferred["losses"]
    assert inferred["fct_us"]["mean"] < 0.6 * timers["fct_us"]["mean"]


def engine(**overrides):
    settled = chosen("uet-1.0", overrides)
    network = {
        "cc.base_rtt_us": 10, "cc.line_gbps": 400, "cc.window_bytes": 750_000, "rto.init_us": 1000,
        "rccc.max_bytes": 750_000, **delay_targets(settled, 10, True),
    }  # fmt: skip
    row = fill(network | settled, 1, controller_address("nscc"), balancer_address("oblivious"))
    return Engine(row, pairwise(2, [(0, 1)], 2, 256))


@pytest.mark.parametrize(
    ("waited_ps", "units"), [(0, 0), (127_999, 0), (128_000, 1), (5_000_000, 39), (10**10, 0xFFFF)]
)
def test_an_ack_tells_how_long_it_waited_and_the_round_trip_is_taken_without_that(waited_ps, units):
    e = engine()
    e.post(0, 1, 4096)
    e.receive(e.next_packet(0, 0), 8_000_000)
    ack = e.next_packet(1, 8_000_000 + waited_ps)
    assert int(e.table("packet")["cc_state"][ack]) >> 48 == units
    e.receive(ack, 12_000_000 + waited_ps)
    base = np.ndarray(1, "i8", buffer=e.table("cc_state").data)[0]  # NSCC's first field: the smallest round trip seen
    expected = 12_000_000 + waited_ps - units * 128_000 if units < 0xFFFF else 10_000_000
    assert base == min(expected, 10_000_000)


def test_pressure_of_the_receiving_host_reaches_the_sender():
    e = engine()
    e.post(0, 1, 20 * 4096)
    e.press(1, 64)
    while (slot := e.next_packet(0, 0)) is not None:
        e.receive(slot, 5_000_000)
    while (slot := e.next_packet(1, 5_000_000)) is not None:
        assert (int(e.table("packet")["cc_state"][slot]) >> 40) & 0xFF == 64
        e.receive(slot, 10_000_000)
    assert e.table("pdc")["cwnd"][0] < 100_000
    e.press(1, 0, restore=True)
    e.post(0, 1, 4096, now_ps=20_000_000)
    e.receive(e.next_packet(0, 20_000_000), 25_000_000)
    e.receive(e.next_packet(1, 25_000_000), 30_000_000)
    assert e.table("pdc")["cwnd"][0] == 750_000
