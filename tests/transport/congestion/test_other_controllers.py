"""DCTCP against RFC 8257 and Swift against Algorithm 1 of its paper."""

from math import sqrt

from hypothesis import given
from hypothesis import strategies as st
from part_driver import ControllerDriver

from uet.transport.congestion.contract import ACK, NACK, TIMEOUT

PACKET = 4096 + 108
RTT = 10_000_000


def test_dctcp_grows_by_a_packet_per_window_and_forgets_marks_slowly():
    driver = ControllerDriver("dctcp", overrides={"cc.window_bytes": 100_000})
    assert driver.tell(ACK, acked=100_000) == 100_000 + PACKET
    assert driver.state["fraction"] == 15 / 16
    driver.tell(ACK, acked=(100_000 + PACKET) // 2, ecn=1)
    assert driver.window == 100_000 + PACKET  # marks count at the end of the window
    driver.tell(ACK, acked=(100_000 + PACKET) // 2, ecn=1)
    alpha = 15 / 16 * 15 / 16 + 1 / 16
    assert driver.state["fraction"] == alpha
    assert driver.window == int((100_000 + PACKET) * (1 - alpha / 2))


def test_dctcp_halves_once_per_window_of_losses_and_starts_slowly_after_a_timeout():
    driver = ControllerDriver("dctcp", overrides={"cc.window_bytes": 100_000})
    assert driver.tell(NACK, packet=PACKET, in_flight=90_000) == 50_000
    assert driver.tell(NACK, packet=PACKET, in_flight=80_000) == 50_000
    driver.tell(ACK, acked=90_000, ecn=1)
    assert driver.tell(NACK, packet=PACKET, in_flight=10_000) == 25_000
    assert driver.tell(TIMEOUT, packet=PACKET) == PACKET
    assert driver.tell(ACK, acked=PACKET) == 2 * PACKET  # slow start doubles
    assert driver.state["threshold"] == 12_500


def swift(window=1_000_000, **changes):
    limits = {"cc.window_bytes": window, "swift.target_us": 15, "swift.range_us": 5}
    return ControllerDriver("swift", overrides={**limits, **changes})


def test_swift_grows_below_the_target_and_stays_within_the_initial_window():
    driver = swift()
    assert driver.tell(NACK, now=RTT, packet=PACKET, rtt=RTT) == 500_000
    assert driver.tell(ACK, now=RTT + 1, acked=250_000, rtt=RTT) == 500_000 + PACKET // 2
    for k in range(1000):
        driver.tell(ACK, now=RTT + 2 + k, acked=250_000, rtt=RTT)
    assert driver.window == 1_000_000


def test_swift_cuts_in_proportion_once_per_round_trip():
    driver = swift()
    rtt = 20_000_000
    driver.tell(ACK, now=rtt, acked=1000, rtt=rtt)
    assert driver.window == int(1_000_000 * (1 - 0.8 * (rtt - 15_000_000) / rtt))  # 236 packets: no scaling
    before = driver.window
    assert driver.tell(ACK, now=2 * rtt - 1, acked=1000, rtt=rtt) == before
    assert driver.tell(ACK, now=2 * rtt, acked=1000, rtt=10 * rtt) == before  # the round trip is longer now
    assert driver.tell(ACK, now=12 * rtt, acked=1000, rtt=10 * rtt) == before // 2  # at most a half


def test_swift_gives_small_windows_a_longer_target():
    window = 4 * PACKET
    driver = swift(window)
    alpha = 5_000_000 / (1 / sqrt(0.1) - 1 / sqrt(100))
    target = 15_000_000 + alpha / 2 - alpha / 10
    for rtt, grows in ((int(target) - 1, True), (int(target) + 1, False)):
        small = swift(2 * window)
        small.tell(NACK, now=RTT, packet=PACKET, rtt=RTT)
        assert small.window == window
        small.tell(ACK, now=10 * RTT, acked=PACKET, rtt=rtt)
        assert (small.window > window) is grows
    assert driver.window == window


def test_swift_closes_after_repeated_timeouts():
    driver = swift()
    for k in range(4):
        driver.tell(TIMEOUT, now=(k + 1) * RTT, packet=PACKET)
    assert driver.window == 1_000_000 // 16
    assert driver.tell(TIMEOUT, now=5 * RTT, packet=PACKET) == PACKET


events = st.tuples(
    st.sampled_from([ACK, ACK, NACK, TIMEOUT]), st.integers(1, 30_000_000), st.integers(0, 1 << 20),
    st.integers(-1, 100_000_000), st.integers(0, 1), st.integers(0, 1 << 20),
)  # fmt: skip


@given(st.sampled_from(["dctcp", "swift"]), st.lists(events, max_size=40))
def test_the_window_never_falls_below_a_packet(name, history):
    driver, now = ControllerDriver(name), 0
    for kind, step, acked, rtt, ecn, in_flight in history:
        now += step
        driver.tell(kind, now=now, acked=acked, packet=PACKET, rtt=rtt, ecn=ecn, in_flight=in_flight)
        assert PACKET <= driver.window < 1 << 40
