"""DCQCN without a network: cuts, alpha, the three kinds of increase, catching up, and pacing by the engine."""

import numpy as np
import pytest
from part_driver import ControllerDriver, settings_row

from uet.transport.congestion.contract import ACK, SENT
from uet.transport.engine import Engine, pairwise
from uet.transport.plugins import balancer_address, controller_address, paces
from uet.transport.settings import chosen, delay_targets, fill

LINE, US, G = 400_000, 10**6, 1 / 256


def cut(driver, now):
    driver.tell(ACK, now=now, ecn=1)
    return driver.rate_mbps


def test_a_mark_halves_a_fresh_flow_and_further_ones_count_after_the_interval():
    driver = ControllerDriver("dcqcn")
    assert driver.rate_mbps == LINE
    assert cut(driver, 10 * US) == LINE // 2
    assert driver.state["alpha"] == 1  # (1 - g) + g
    assert cut(driver, 59 * US) == LINE // 2
    assert cut(driver, 60 * US) == LINE // 4


def test_alpha_fades_without_marks():
    driver = ControllerDriver("dcqcn")
    cut(driver, 10 * US)
    driver.tell(ACK, now=10 * US + 3 * 55 * US + 1)
    assert driver.state["alpha"] == pytest.approx((1 - 3.906e-3) ** 3, rel=1e-5)


def test_fast_recovery_halves_the_distance_then_the_target_rises():
    driver, rates = ControllerDriver("dcqcn"), []
    cut(driver, 0)
    for k in range(1, 8):
        driver.tell(ACK, now=k * 55 * US)
        rates.append(driver.state["rate"])
    for k in range(4):
        assert rates[k] == pytest.approx(LINE - LINE / 2 / 2 ** (k + 1))
    assert driver.state["target"] == LINE  # cannot rise above the line
    slow = ControllerDriver("dcqcn")
    cut(slow, 0)
    cut(slow, 50 * US)  # target LINE / 2, rate LINE / 4
    for k in range(1, 7):
        slow.tell(ACK, now=50 * US + k * 55 * US)
    assert slow.state["target"] == pytest.approx(LINE / 2 + 2 * LINE / 1000)


def test_the_byte_counter_counts_and_both_together_increase_hyper():
    driver = ControllerDriver("dcqcn", overrides={"dcqcn.bytes": 1000, "dcqcn.rounds": 1})
    cut(driver, 0)
    cut(driver, 50 * US)
    driver.tell(SENT, now=51 * US, packet=999)
    assert driver.state["by_bytes"] == 0
    driver.tell(SENT, now=52 * US, packet=1)
    assert (driver.state["by_bytes"], driver.state["target"]) == (1, pytest.approx(LINE / 2 + LINE / 1000))
    driver.tell(SENT, now=53 * US, packet=1000)
    before = float(driver.state["target"])
    driver.tell(ACK, now=50 * US + 2 * 55 * US)  # the timer fires twice: the second time both are past the rounds
    assert driver.state["target"] == pytest.approx(before + LINE / 1000 + 10 * LINE / 1000)


def test_an_idle_sender_is_back_at_its_full_rate_and_the_least_rate_holds():
    driver = ControllerDriver("dcqcn")
    for k in range(200):
        cut(driver, k * 50 * US)
    assert driver.rate_mbps == LINE // 1000
    driver.tell(SENT, now=10**15, packet=1)
    assert driver.rate_mbps == LINE


def test_the_engine_sends_a_paced_packet_when_its_time_has_come():
    settled = chosen("uet-1.0", {})
    network = {
        "cc.base_rtt_us": 10, "cc.line_gbps": 400, "cc.window_bytes": 750_000, "rto.init_us": 1000,
        "rccc.max_bytes": 750_000, **delay_targets(settled, 10, True),
    }  # fmt: skip
    assert paces("dcqcn")
    assert not paces("nscc")
    row = fill(network | settled, 1, controller_address("dcqcn"), balancer_address("oblivious"), paces=True)
    engine = Engine(row, pairwise(2, [(0, 1)], 1, 64))
    engine.post(0, 1, 40 * 4096)
    times, now = [], 0
    while len(times) < 10:
        slot = engine.next_packet(0, now)
        if slot is None:
            now = engine.next_timer()
            engine.on_timer(now)
        else:
            times.append(now)
    wire = 4096 + 126
    assert np.array_equal(np.diff(times), [wire * 8_000_000 // LINE] * 9)


def test_a_settings_row_has_all_that_the_controller_reads():
    row = settings_row("htsim", {"dcqcn.min_rate": 0.01})
    assert (row["dcqcn_min_rate"][0], row["dcqcn_gain"][0]) == (10_000, 3906)
