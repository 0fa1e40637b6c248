"""Volumes, traffic and the alpha-beta model against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.schedule.collectives import direct, ring
from uet.schedule.cost import alpha_beta_ps, traffic, volumes
from uet.schedule.model import ScheduleBuilder


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 40), per_rank=st.integers(1, 50))
def test_ring_allreduce_costs_what_thakur_rabenseifner_and_gropp_print(n: int, per_rank: int) -> None:
    """2 (p - 1) alpha + 2 (p - 1)/p n beta + (p - 1)/p n gamma (2005, section 4.4)."""
    size = 4 * n * per_rank
    alpha, beta, gamma = 1_000_000, 20, 7
    measured = alpha_beta_ps(ring.allreduce(n, size), alpha, beta, gamma)
    assert measured == 2 * (n - 1) * (alpha + size // n * beta) + (n - 1) * size // n * gamma


def test_volumes_of_a_ring() -> None:
    schedule = ring.allreduce(8, 8 * 100, "uint8")
    v = volumes(schedule)
    assert v.bytes_sent.tolist() == v.bytes_received.tolist() == [1400] * 8
    assert v.messages_sent.tolist() == [14] * 8 and v.total_messages == 112 and v.total_bytes == 11_200
    assert v.bytes_reduced.tolist() == [700] * 8
    assert schedule.depth == 14
    assert v.traffic.source.tolist() == list(range(8))
    assert v.traffic.target.tolist() == [*range(1, 8), 0]
    assert v.traffic.bytes.tolist() == [1400] * 8 and v.traffic.messages.tolist() == [14] * 8


def test_traffic_of_an_alltoall_is_every_pair_once() -> None:
    t = traffic(direct.alltoall(5, 50))
    assert list(zip(t.source, t.target, strict=True)) == [(a, b) for a in range(5) for b in range(5) if a != b]
    assert set(t.bytes) == {10} and set(t.messages) == {1}


def test_calcs_count_towards_the_longest_chain() -> None:
    builder = ScheduleBuilder("calc", 2, 8)
    calc = builder.calc(0, 500)
    _, recv = builder.transfer(0, 1, 8, after=(calc,))
    builder.calc(1, 40, after=(recv,))
    assert alpha_beta_ps(builder.build(), 100, 2) == 500 + 100 + 16 + 40


def test_a_thousand_ranks() -> None:
    schedule = ring.allreduce(256, 256 * 4)
    assert schedule.depth == 510
    assert np.all(schedule.bytes_sent == 2 * 255 * 4)
    assert alpha_beta_ps(schedule, 1000, 1) == 510 * 1004


def test_an_empty_schedule_costs_nothing() -> None:
    schedule = ScheduleBuilder("empty", 3, 0).build()
    assert schedule.depth == 0 and alpha_beta_ps(schedule, 5, 5) == 0
    assert volumes(schedule).total_bytes == 0


@pytest.mark.parametrize("n", [2, 3, 9])
def test_sums_do_not_overflow_into_floats(n: int) -> None:
    huge = 2**40 * n
    assert volumes(ring.allgather(n, huge, "uint8")).bytes_received.tolist() == [huge - huge // n] * n
