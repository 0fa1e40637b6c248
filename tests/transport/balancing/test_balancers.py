"""Load balancers, each against its rule."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from part_driver import BalancerDriver

from uet.transport.balancing.contract import ECN, GOOD, NACK, TIMEOUT

FEEDBACK = (GOOD, ECN, NACK, TIMEOUT)


def test_ecmp_keeps_one_value_per_connection():
    chosen = {stream: set(BalancerDriver("ecmp", stream).select(20)) for stream in range(50)}
    assert all(len(values) == 1 for values in chosen.values())
    assert len(set().union(*chosen.values())) > 45


@pytest.mark.parametrize("name", ["bitmap", "mixed", "oblivious"])
@pytest.mark.parametrize("pool", [1, 2, 64, 256])
def test_without_bad_news_every_value_comes_once_per_round(name, pool):
    driver = BalancerDriver(name, overrides={"lb.entropies": pool})
    rounds = [driver.select(pool) for _ in range(4)]
    assert len({frozenset(r) for r in rounds}) == 1
    assert all(len(set(r)) == pool for r in rounds)
    if pool >= 64:
        assert len({tuple(r) for r in rounds}) > 1


@pytest.mark.parametrize(("event", "points"), [(ECN, 1), (NACK, 4), (TIMEOUT, 15)])
def test_a_penalty_skips_as_often_as_it_has_points(event, points):
    driver = BalancerDriver("bitmap")
    bad = driver.select(64)[10]
    driver.tell(event, bad)
    seen = Counter(driver.select(63 * points))
    assert seen[bad] == 0
    assert set(driver.select(128)) >= {bad}
    assert driver.tell(GOOD, bad) == 0


def test_penalties_end_at_fifteen_and_one_point_goes_per_packet():
    driver = BalancerDriver("bitmap")
    values = driver.select(64)
    for _ in range(9):
        for value in values:
            driver.tell(NACK, value)
    assert len(driver.select(64 * 15)) == 64 * 15  # everything is bad: something must still be sent
    assert all(BalancerDriver("bitmap").select(1)[0] == values[0] for _ in range(2))


def test_mixed_uses_good_values_first_in_order_and_drops_the_oldest():
    driver = BalancerDriver("mixed")
    for value in (500, 7, 500):
        driver.tell(GOOD, value)
    assert driver.select(3) == [500, 7, 500]
    for value in range(40):
        driver.tell(GOOD, 1000 + value)
    assert driver.select(32) == list(range(1008, 1040))
    walk = driver.select(64)
    assert len(set(walk)) == 64
    driver.tell(NACK, walk[5])
    assert walk[5] not in driver.select(63)


def test_reps_reuses_each_good_value_once():
    driver = BalancerDriver("reps", overrides={"lb.entropies": 65536})
    for value in (11, 12, 13):
        driver.tell(GOOD, value)
    assert driver.select(2) == [11, 12]
    driver.tell(GOOD, 14)
    assert driver.select(2) == [13, 14]
    assert not set(driver.select(50)) & {11, 12, 13, 14}
    for value in range(20, 32):
        driver.tell(GOOD, value)
    assert driver.select(8) == list(range(24, 32))  # the ring holds eight
    driver.tell(ECN, 99)
    driver.tell(NACK, 98)
    assert not set(driver.select(50)) & {98, 99}


def test_reps_freezes_on_a_timeout_then_explores():
    driver = BalancerDriver("reps", overrides={"lb.entropies": 65536})
    driver.tell(TIMEOUT, 5, now=1)
    assert len(set(driver.select(20))) > 15  # nothing known: random
    for value in (11, 12, 13):
        driver.tell(GOOD, value, now=2)
    assert driver.select(7, now=2) == [11, 12, 13, 11, 12, 13, 11]
    driver.tell(TIMEOUT, 5, now=3)  # does not prolong it
    end = 1 + 10_000_000_000
    driver.tell(GOOD, 14, now=end)
    assert driver.select(1, now=end)[0] in (11, 12, 13, 14)
    driver.tell(GOOD, 15, now=end + 1)
    explored = driver.select(16, now=end + 1)
    assert not set(explored) & {11, 12, 13, 14, 15}
    driver.tell(TIMEOUT, 5, now=end + 2)
    assert driver.select(1, now=end + 2) == [15]


def test_reps_does_not_freeze_while_it_explores():
    driver = BalancerDriver("reps")
    driver.tell(TIMEOUT, 1, now=1)
    driver.tell(ECN, 1, now=20_000_000_000)
    assert driver.rows.view("i8")[6] == 16
    driver.tell(TIMEOUT, 1, now=20_000_000_001)
    assert driver.rows.view("i8")[7] == 0


names = st.sampled_from(["ecmp", "bitmap", "reps", "mixed", "oblivious"])


@given(names, st.sampled_from([1, 16, 256]), st.lists(st.tuples(st.sampled_from(FEEDBACK), st.booleans()), max_size=60))
def test_values_fit_the_header_and_stay_in_the_pool(name, pool, history):
    driver = BalancerDriver(name, overrides={"lb.entropies": pool})
    seen = []
    for now, (event, ask) in enumerate(history):
        if ask or not seen:
            seen += driver.select(1, now)
        else:
            driver.tell(event, seen[(now * 7) % len(seen)], now * 10**9)
    assert all(0 <= value < 65536 for value in seen)
    assert len(set(seen)) <= pool
