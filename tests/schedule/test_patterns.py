"""Permutation, incast, single messages and the direct alltoall."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.schedules import run_and_check
from uet.base.errors import BadInput
from uet.schedule import patterns
from uet.schedule.collectives import direct
from uet.schedule.collectives.pieces import blocks
from uet.schedule.cost import volumes
from uet.schedule.model import SEND


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 40), seed=st.integers(0, 1000))
def test_a_permutation_has_no_fixed_point_and_everybody_receives_once(n: int, seed: int) -> None:
    schedule = patterns.permutation(n, 100, seed)
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    assert sorted(sends["peer"]) == list(range(n)) and sorted(sends["rank"]) == list(range(n))
    assert np.all(sends["peer"] != sends["rank"])
    assert schedule.depth == 1
    assert np.array_equal(schedule.operations, patterns.permutation(n, 100, seed).operations)
    run_and_check(schedule, seed)


def test_seeds_give_different_permutations_and_large_ones_are_quick() -> None:
    a, b = (patterns.permutation(100_000, 10, seed).operations["peer"] for seed in (1, 2))
    assert not np.array_equal(a, b)


def test_every_derangement_of_four_is_about_equally_likely() -> None:
    counts: dict[tuple[int, ...], int] = {}
    for seed in range(900):
        peers = tuple(patterns.permutation(4, 1, seed).operations["peer"][:4].tolist())
        counts[peers] = counts.get(peers, 0) + 1
    assert len(counts) == 9
    assert min(counts.values()) > 60 and max(counts.values()) < 145  # 100 expected, 4.5 standard deviations


def test_incast_has_distinct_senders_and_one_target() -> None:
    schedule = patterns.incast(20, 16, 1000, 3, seed=7)
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    assert set(sends["peer"]) == {3} and len(set(sends["rank"])) == 16 and 3 not in sends["rank"]
    assert volumes(schedule).bytes_received[3] == 16_000
    run_and_check(schedule)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: patterns.permutation(1, 10, 0), "nobody to send to"),
        (lambda: patterns.incast(4, 4, 10, 0, 0), "fan_in=4 needs 5 ranks"),
        (lambda: patterns.incast(4, 2, 10, 4, 0), "target=4"),
        (lambda: patterns.sendrecv(4, 1, 1, 10), "src and dst are both 1"),
        (lambda: patterns.sendrecv(4, 1, 9, 10), "dst=9"),
    ],
)
def test_what_does_not_fit_is_refused(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match=words):
        call()


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 20), size=st.integers(1, 100), seed=st.integers(0, 9))
def test_direct_alltoall(n: int, size: int, seed: int) -> None:
    schedule = direct.alltoall(n, size)
    assert schedule.bytes_sent.tolist() == (size - np.diff(blocks(size, n, "uint8"))).tolist()
    assert schedule.depth == (1 if n > 1 and (size > 1 or n > 1) else 0)
    run_and_check(schedule, seed)
