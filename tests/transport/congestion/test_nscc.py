"""NSCC against its formulas: constants of a published check, each quadrant, Quick Adapt, and bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from part_driver import ControllerDriver

import uet
from uet.transport.congestion.contract import ACK, NACK, TIMEOUT

# MTU 1000 B, base RTT 10 us, 1.2 Tb/s: BDP 1,500,000 B, hence a = 10, target 7.5 us, b = 0.625
CHECK = {
    "mtu.payload_bytes": 1000,
    "mtu.legal_only": 0,
    "cc.nominal_bytes": 0,
    "cc.base_rtt_us": 10,
    "cc.line_gbps": 1200,
}
RTT, TARGET, MTU = 10_000_000, 7_500_000, 1000
LIMIT = 2_250_000


def nscc(window=LIMIT, profile="htsim", **changes):
    return ControllerDriver("nscc", profile, {**CHECK, "cc.window_bytes": window, **changes})


def test_constants_of_the_check_are_exact():
    state = nscc().state
    assert state["max_window"] == LIMIT
    assert state["fair_gain"] == 50_000
    assert state["fast_gain"] == 2.5
    assert state["eta"] == 1500
    assert state["proportional_gain"] * 1000 == pytest.approx(10 / 3, rel=1e-15)  # per ns of head-room
    driver = nscc()
    driver.tell(ACK, now=1, acked=1, rtt=RTT)
    assert driver.state["adapt_ps"] - 1 == 17_500_000


@pytest.mark.parametrize(("gbps", "rtt_us"), [(100, 14.0227), (400, 12.5057), (800, 12.2528), (1600, 50.0)])
def test_gains_scale_with_the_network(gbps, rtt_us):
    state = nscc(**{"cc.line_gbps": gbps, "cc.base_rtt_us": rtt_us, "mtu.payload_bytes": 4086}).state
    a = int(rtt_us * gbps * 125) / 150_000
    assert state["fair_gain"] == pytest.approx(5 * 4086 * a, rel=1e-9)
    assert state["proportional_gain"] == pytest.approx(4 * 4086 * a / 12_000_000, rel=1e-9)


@pytest.mark.parametrize(("gbps", "rtt_us", "payload"), [(1200, 10, 1000), (400, 12.5057, 4086), (1600, 8, 8192)])
def test_published_constants_are_those_of_the_controller(gbps, rtt_us, payload):
    changes = {"cc.line_gbps": gbps, "cc.base_rtt_us": rtt_us, "mtu.payload_bytes": payload}
    state = nscc(**changes).state
    told = uet.parameters("htsim", settings=changes).derived["nscc"]
    assert told["alpha"] == pytest.approx(state["proportional_gain"] * 1000, rel=1e-15)
    assert (told["fi"], told["fi_scale"], told["eta"]) == (state["fair_gain"], state["fast_gain"], state["eta"])
    assert told["max_wnd_bytes"] == state["max_window"]


def test_proportional_increase_is_applied_after_eight_packets():
    driver, window = nscc(window=1_000_000), 1_000_000
    for k in range(9):
        assert driver.window == window
        driver.tell(ACK, now=k + 1, acked=MTU, rtt=RTT + 3_000_000)
    pending = 10 / 3 / 1000 * MTU * (TARGET - 3_000_000) * 9
    assert driver.window == int(window + pending / window)
    assert driver.state["increase"] == driver.state["received"] == 0


def test_fair_increase_and_eta_after_a_base_round_trip():
    driver = nscc(window=1_000_000)
    driver.tell(ACK, now=RTT + 1, acked=2 * MTU, rtt=RTT + TARGET)
    assert driver.window == int(1_000_000 + 50_000 * 2 * MTU / 1_000_000) + 1500
    driver.tell(ACK, now=RTT + 2, acked=2 * MTU, rtt=RTT + TARGET)
    assert driver.window == 1_000_000 + 100 + 1500  # eta again only after another round trip
    assert driver.state["increase"] == 50_000 * 2 * MTU


def test_fast_increase_begins_after_a_window_without_delay_and_ends_with_delay():
    driver = nscc(window=100_000)
    driver.tell(ACK, now=1, acked=100_000, rtt=RTT)
    before = driver.window
    assert before == 100_000 + int(10 / 3 / 1000 * 100_000 * TARGET / 100_000)  # proportional so far
    driver.tell(ACK, now=2, acked=before - 100_000 + 1, rtt=RTT)  # more than a window by now
    assert driver.window == before + int(2.5 * (before - 100_000 + 1))
    before = driver.window
    driver.tell(ACK, now=3, acked=4_000, rtt=RTT + 999_999)
    assert driver.window == before + 10_000
    driver.tell(ACK, now=4, acked=4_000, rtt=RTT + 1_000_000)
    assert driver.window == before + 10_000
    assert driver.state["fast"] == driver.state["fast_bytes"] == 0


def congested(driver, samples=400):
    """Raise the mean delay far above the target by marked, late ACKs that carry no bytes."""
    for k in range(samples):
        driver.tell(ACK, now=k + 1, acked=0, rtt=RTT + 3 * TARGET, ecn=1)


def test_decrease_follows_the_mean_delay_once_per_round_trip():
    driver = nscc(window=1_000_000)
    congested(driver)
    assert driver.window == 1_000_000  # no round trip has passed since the start
    driver.tell(ACK, now=RTT + 1, acked=0, rtt=RTT + 3 * TARGET, ecn=1)
    mean = 3 * TARGET * (1 - (1 - 0.0125) ** 401)
    assert driver.state["average_delay"] == pytest.approx(mean, rel=1e-9)
    cut = driver.window
    assert cut == 1_500 + int(1_000_000 * max(1 - 0.8 * (mean - TARGET) / mean, 0.5))  # eta is due as well
    driver.tell(ACK, now=2 * RTT + 1, acked=0, rtt=RTT + 3 * TARGET, ecn=1)
    assert driver.window == cut
    driver.tell(ACK, now=2 * RTT + 2, acked=0, rtt=RTT + 3 * TARGET, ecn=1)
    assert driver.window < cut


def test_marked_below_the_target_and_unmarked_above_it_do_not_cut():
    driver = nscc(window=1_000_000)
    driver.tell(ACK, now=1, acked=0, rtt=RTT + TARGET - 1, ecn=1)
    assert driver.window == 1_000_000
    assert driver.state["average_delay"] == 0.0125 * (TARGET - 1)
    driver.tell(ACK, now=2, acked=0, rtt=RTT + TARGET + 1, ecn=0)
    assert driver.state["average_delay"] == 0.0125 * (0.25 * RTT) + (1 - 0.0125) * (0.0125 * (TARGET - 1))


def test_ambiguous_round_trips_leave_the_mean_and_use_it():
    driver = nscc(window=1_000_000)
    driver.tell(ACK, now=1, acked=MTU, rtt=-1)
    assert driver.state["average_delay"] == 0
    assert driver.state["fast_bytes"] == MTU  # the mean says: no delay


def test_a_shorter_round_trip_lowers_base_and_limit():
    driver = nscc()
    driver.tell(ACK, now=1, acked=0, rtt=RTT // 2)
    assert (driver.state["base_rtt_ps"], driver.window) == (RTT // 2, LIMIT // 2)
    driver.tell(NACK, now=2, packet=MTU, rtt=RTT // 4)
    assert driver.state["base_rtt_ps"] == RTT // 4
    stubborn = nscc(**{"nscc.nack_rtt": 0})
    stubborn.tell(NACK, now=2, packet=MTU, rtt=RTT // 4)
    assert stubborn.state["base_rtt_ps"] == RTT


def test_a_nack_takes_the_packet_off_and_counts_one_round_trip_of_delay():
    driver = nscc(window=1_000_000)
    driver.tell(NACK, now=1, packet=MTU, rtt=RTT)
    assert driver.window == 1_000_000 - MTU
    assert driver.state["average_delay"] == 0.0125 * RTT
    driver.tell(TIMEOUT, now=2, packet=MTU)
    assert driver.window == 1_000_000 - 2 * MTU
    assert driver.state["ignored"] == 2 * MTU


def test_quick_adapt_takes_what_was_delivered_then_ignores_what_was_in_flight():
    driver = nscc()
    driver.tell(ACK, now=1, acked=0, rtt=RTT + TARGET - 1)  # opens the first period
    driver.tell(ACK, now=2, acked=50 * MTU, rtt=RTT + TARGET - 1)
    driver.tell(NACK, now=17_500_001, packet=MTU, rtt=RTT)
    assert driver.window == LIMIT - MTU  # the period is not over yet
    driver.tell(NACK, now=17_500_002, packet=MTU, rtt=RTT, in_flight=9 * MTU)
    assert driver.window == 50 * MTU
    assert driver.state["to_ignore"] == 10 * MTU  # the packet itself was in flight too
    driver.tell(NACK, now=17_500_003, packet=MTU, rtt=RTT)
    driver.tell(ACK, now=17_500_004, acked=8 * MTU, rtt=RTT + 3 * TARGET, ecn=1)
    assert driver.window == 50 * MTU
    assert driver.state["ignored"] == 9 * MTU
    driver.tell(NACK, now=17_500_005, packet=MTU, rtt=RTT)  # the tenth: from now on it counts
    assert driver.window == 49 * MTU


def test_quick_adapt_is_gated_by_what_was_delivered():
    driver = nscc()
    driver.tell(ACK, now=1, acked=0, rtt=RTT + TARGET - 1)
    driver.tell(ACK, now=2, acked=LIMIT // 8, rtt=RTT + TARGET - 1)
    window = driver.window
    driver.tell(NACK, now=17_500_002, packet=MTU, rtt=RTT)
    assert driver.window == window - MTU


def test_quick_adapt_by_delay_is_off_with_trimming_in_the_specification():
    for profile, acts in (("htsim", True), ("uet-1.0", False)):
        driver = nscc(profile=profile)
        driver.tell(ACK, now=1, acked=0, rtt=RTT + TARGET)
        driver.tell(ACK, now=20_000_000, acked=MTU, rtt=RTT + 4 * TARGET + 1)
        assert (driver.window == MTU) is acts


@pytest.mark.parametrize("profile", ["uet-1.0", "htsim"])
def test_trims_at_the_last_hop_are_left_to_receiver_credit(profile):
    def after(controller, last_hop):
        driver = ControllerDriver(controller, profile, {**CHECK, "cc.window_bytes": LIMIT, "rccc.header_bytes": 0})
        driver.tell(ACK, now=1, acked=0, rtt=RTT + TARGET - 1)
        driver.tell(NACK, now=2, packet=MTU, rtt=RTT, last_hop=last_hop)
        cut = driver.window
        driver.tell(NACK, now=17_500_002, packet=MTU, rtt=RTT, last_hop=last_hop)  # Quick Adapt is due
        return cut, driver.window

    assert after("nscc", 0) == after("nscc", 1) == after("nscc+rccc", 0) == (LIMIT - MTU, MTU)
    # uet-htsim lets Quick Adapt act even so
    assert after("nscc+rccc", 1) == (LIMIT, MTU if profile == "htsim" else LIMIT)


events = st.tuples(
    st.sampled_from([ACK, ACK, ACK, NACK, TIMEOUT]), st.integers(1, 5_000_000), st.integers(0, 1 << 17),
    st.integers(-1, 60_000_000), st.integers(0, 1), st.integers(0, 1 << 22),
)  # fmt: skip


@limits(max_examples=60, deadline=None)
@given(st.lists(events, max_size=60), st.sampled_from([100, 800, 1600]))
def test_the_window_stays_within_bounds_at_every_rate(history, gbps):
    driver = nscc(window=10_000, **{"cc.line_gbps": gbps, "cc.base_rtt_us": 50})
    now, last_base = 0, driver.state["base_rtt_ps"]
    for kind, step, acked, rtt, ecn, in_flight in history:
        now += step
        driver.tell(kind, now=now, acked=acked, packet=MTU, rtt=rtt, ecn=ecn, in_flight=in_flight)
        assert MTU <= driver.window <= max(driver.state["max_window"], 10_000)
        assert driver.state["base_rtt_ps"] <= last_base
        assert np.isfinite(driver.state["increase"])
        assert driver.state["increase"] >= 0
        last_base = driver.state["base_rtt_ps"]


def test_no_overflow_at_1600_gbps():
    driver = nscc(**{"cc.line_gbps": 1600, "cc.base_rtt_us": 1000, "mtu.payload_bytes": 4096, "cc.window_bytes": 10**8})
    for k in range(1000):
        driver.tell(ACK, now=k * 10**6 + 1, acked=1 << 24, rtt=10**9 + 5 * 10**8)
    assert driver.state["max_window"] == 300_000_000
    assert 10**8 < driver.window <= 300_000_000


def test_a_receiving_host_may_ask_for_less_and_give_the_window_back():
    driver = nscc(window=1_000_000)
    driver.tell(ACK, now=1, acked=100_000, rtt=RTT, in_flight=700_000, pressure=64)
    assert driver.window == 800_000 - 50_000  # first down to what was in flight, then half of what was delivered
    driver.tell(ACK, now=2, acked=100_000, rtt=RTT, in_flight=100_000, pressure=127)
    assert driver.window == 750_000 - (127 * 100_000 >> 7)
    kept = driver.window
    driver.tell(ACK, now=3, acked=0, rtt=RTT + TARGET - 1, in_flight=100_000)
    assert driver.window == kept
    driver.tell(ACK, now=4, acked=0, rtt=RTT + TARGET - 1, in_flight=100_000, restore=1)
    assert driver.window == 1_000_000
    for k in range(100):
        driver.tell(ACK, now=5 + k, acked=1_000_000, rtt=RTT, pressure=127)
    assert driver.window == MTU


def test_pressure_of_64_for_a_round_trip_halves_the_window():
    driver = nscc(window=1_000_000)
    for k in range(100):
        driver.tell(ACK, now=k + 1, acked=10_000, rtt=RTT, in_flight=1_000_000 - 10_000, pressure=64)
    assert driver.window == 500_000
