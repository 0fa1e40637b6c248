"""LogGOPS: figures of LogGOPSim, closed forms, and every rule against a plain re-implementation."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.loggops import LogGOPS, parse_loggops, run_loggops
from tests.emulation.loggops_reference import Reference
from uet.base.errors import BadInput, NoAnswer
from uet.schedule.collectives import ring
from uet.schedule.model import ANY, CALC, RECV, SEND, Schedule, ScheduleBuilder

PARAMETERS = {
    "default": LogGOPS(),
    "eager_fast": parse_loggops("L=1000,o=200,g=5,G=1,O=0,S=2147483647"),
    "cpu_perbyte": parse_loggops("L=3000,o=6000,g=0,G=2,O=1,S=256000"),
    "rendezvous": parse_loggops("L=3700,o=200,g=5,G=1,O=0,S=0"),
}


def _binomial_broadcast(n: int, size: int) -> Schedule:
    builder, got = ScheduleBuilder("broadcast", n, size), np.full(n, -1)
    step = 1
    while step < n:
        for rank in range(min(step, n - step)):
            _, recv = builder.transfer(rank, rank + step, size, after=(got[rank],))
            got[rank + step] = recv
        step *= 2
    return builder.build()


def _dissemination(n: int, size: int) -> Schedule:
    builder, ranks, before = ScheduleBuilder("dissemination", n, size), np.arange(n), np.full(n, -1)
    step = 1
    while step < n:
        builder.add(SEND, ranks, (before,), peer=(ranks + step) % n, bytes=size)
        before = builder.add(RECV, ranks, peer=(ranks - step) % n, bytes=size)
        step *= 2
    return builder.build()


def _ring(n: int, size: int) -> Schedule:
    builder, ranks, before = ScheduleBuilder("ring", n, size), np.arange(n), np.full(n, -1)
    for _ in range(2 * (n - 1)):
        builder.add(SEND, ranks, (before,), peer=(ranks + 1) % n, bytes=size // n)
        before = builder.add(RECV, ranks, peer=(ranks - 1) % n, bytes=size // n)
    return builder.build()


def _linear_alltoall(n: int, size: int) -> Schedule:
    builder, ranks = ScheduleBuilder("alltoall", n, size), np.arange(n)
    for step in range(1, n):
        builder.add(SEND, ranks, peer=(ranks + step) % n, bytes=size)
        builder.add(RECV, ranks, peer=(ranks - step) % n, bytes=size)
    return builder.build()


def _gather(n: int, size: int) -> Schedule:
    builder, others = ScheduleBuilder("gather", n, size), np.arange(1, n)
    builder.add(RECV, 0, peer=others, bytes=size)
    builder.add(SEND, others, peer=0, bytes=size)
    return builder.build()


@pytest.mark.parametrize(
    ("schedule", "max_ns"),
    [
        (_binomial_broadcast(8, 1), (16_500, 4_200, 45_000, 12_300)),
        (_binomial_broadcast(256, 2**20), (50_375_600, 8_399_800, 16_897_200, 8_421_400)),
        (_dissemination(8, 1024), (34_914, 7_269, 51_138, 15_369)),
        (_dissemination(256, 1), (44_000, 11_200, 120_000, 32_800)),
        (_ring(8, 2**20), (11_086_964, 1_854_594, 5_672_982, 1_892_394)),
        (_ring(256, 2**20), (15_335_700, 2_802_450, 12_385_350, 4_179_450)),
        (_linear_alltoall(8, 1024), (81_466, 10_789, 105_483, 13_092)),
        (_linear_alltoall(256, 1024), (2_967_690, 363_693, 3_842_595, 365_996)),
        (_gather(64, 1024), (485_194, 78_249, 515_898, 80_949)),
    ],
    ids=lambda value: value.name if isinstance(value, Schedule) else "",
)
def test_schedgen_patterns_end_when_loggopsim_says(schedule: Schedule, max_ns: tuple[int, ...]) -> None:
    """Figures of LogGOPSim (commit 76451de, with a stable sort) for schedgen's patterns."""
    for parameters, expected in zip(PARAMETERS.values(), max_ns, strict=True):
        result = run_loggops(schedule, parameters)
        assert result.max_ps == expected * 1000
        assert result.all_ops_executed
        kinds = np.bincount(schedule.operations["kind"], minlength=5)
        assert result.events == 2 * kinds[SEND] + kinds[RECV] + kinds[CALC]


@settings(max_examples=15, deadline=None)
@given(n=st.integers(2, 40), block=st.integers(1, 3000))
def test_ring_allreduce_follows_its_closed_form(n: int, block: int) -> None:
    p = LogGOPS()
    result = run_loggops(ring.allreduce(n, n * block, "uint8"), p)
    step = 2 * p.overhead_ps + p.latency_ps + (block - 1) * p.gap_ps_per_byte
    assert result.max_ps == 2 * (n - 1) * step


def test_one_message_costs_o_l_o_and_g_per_byte() -> None:
    builder = ScheduleBuilder("one", 2, 1000)
    builder.transfer(0, 1, 1000)
    assert run_loggops(builder.build()).finish_ps.tolist() == [1_500_000, (1500 + 2500 + 1500 + 999 * 6) * 1000]


@st.composite
def _schedules(draw: st.DrawFn, empty_messages: bool = False) -> Schedule:
    """Small schedules with several processors and NICs, start dependencies, wildcards, shared tags, even deadlocks."""
    n_ranks = draw(st.integers(2, 4))
    builder = ScheduleBuilder("random", n_ranks, 0)
    per_rank: list[list[int]] = [[] for _ in range(n_ranks)]
    sizes = [0, 1, 5, 1000] if empty_messages else [1, 5, 64, 1000]

    def fields(rank: int) -> dict[str, object]:
        after = draw(st.lists(st.sampled_from(per_rank[rank]), max_size=2, unique=True)) if per_rank[rank] else []
        return {"after": tuple(after), "cpu": draw(st.integers(0, 1)), "nic": draw(st.integers(0, 1))}

    for _ in range(draw(st.integers(1, 14))):
        a, b = draw(st.integers(0, n_ranks - 1)), draw(st.integers(0, n_ranks - 1))
        if draw(st.integers(0, 3)) == 0:
            per_rank[a].append(int(builder.add(CALC, a, duration_ps=draw(st.integers(0, 3000)) * 1000, **fields(a))))
            continue
        size, tag = draw(st.sampled_from(sizes)), draw(st.integers(0, 1))
        source, any_tag = draw(st.sampled_from([a, a, ANY])), draw(st.sampled_from([tag, tag, ANY]))
        send = int(builder.add(SEND, a, peer=b, bytes=size, tag=tag, **fields(a)))
        recv = int(builder.add(RECV, b, peer=source, bytes=size, tag=any_tag, **fields(b)))
        per_rank[a].append(send)
        per_rank[b].append(recv)
    schedule = builder.build()
    m = len(schedule.dependencies)
    on_start = np.array(draw(st.lists(st.booleans(), min_size=m, max_size=m)), np.bool_)
    declared = np.array(draw(st.permutations(range(m))), np.int64)
    return replace(schedule, on_start=on_start, declared=declared)


@settings(max_examples=150, deadline=None)
@given(schedule=_schedules(), name=st.sampled_from(sorted(PARAMETERS)))
def test_every_rule_agrees_with_the_plain_implementation(schedule: Schedule, name: str) -> None:
    reference = Reference(schedule, PARAMETERS[name])
    for grouped in (True, False):
        result = run_loggops(schedule, PARAMETERS[name], grouped=grouped)
        assert result.finish_ps.tolist() == reference.finish
        assert result.events == reference.events
        assert set(result.pending.tolist()) == set(range(len(schedule.operations))) - reference.done


@settings(max_examples=60, deadline=None)
@given(schedule=_schedules(empty_messages=True), name=st.sampled_from(sorted(PARAMETERS)))
def test_empty_messages_wrap_as_in_loggopsim(schedule: Schedule, name: str) -> None:
    reference = Reference(schedule, PARAMETERS[name])
    result = run_loggops(schedule, PARAMETERS[name])
    assert result.finish_ps.tolist() == reference.finish


def test_a_deadlock_names_ranks_and_operations() -> None:
    builder = ScheduleBuilder("mismatch", 2, 10)
    builder.add(RECV, 0, peer=1, bytes=10, tag=1)
    builder.add(SEND, 1, peer=0, bytes=10, tag=2)
    builder.calc(0, 5, after=(0,))
    result = run_loggops(builder.build())
    assert not result.all_ops_executed
    assert result.unmatched == [0, 1]
    with pytest.raises(NoAnswer, match=r"never done: 2 \(ranks: 1\)") as deadlock:
        result.check()
    for stuck in ("rank 0 operation 0 recv 10 bytes from rank 1 tag 1", "rank 1 operation 0 send 10 bytes to rank 0"):
        assert stuck in str(deadlock.value)
    run_loggops(ring.allreduce(3, 9, "uint8")).check()


def test_rendezvous_in_a_circle_is_a_deadlock() -> None:
    builder = ScheduleBuilder("circle", 2, 10)
    for a, b in ((0, 1), (1, 0)):
        send = builder.add(SEND, a, peer=b, bytes=10)
        builder.add(RECV, a, (send,), peer=b, bytes=10)
    assert run_loggops(builder.build(), PARAMETERS["default"]).all_ops_executed
    assert len(run_loggops(builder.build(), PARAMETERS["rendezvous"]).pending) == 4


def test_a_thousand_operations_freed_at_once_keep_their_order() -> None:
    builder = ScheduleBuilder("fan", 2, 10)
    calc = builder.calc(0, 1000)
    kinds = np.tile([CALC, SEND], 500)
    builder.add(kinds, 0, (calc,), peer=np.where(kinds == SEND, 1, -1), bytes=np.where(kinds == SEND, 10, 0))
    builder.add(RECV, np.ones(500, int), peer=0, bytes=10)
    schedule = builder.build()
    assert run_loggops(schedule).finish_ps.tolist() == Reference(schedule, LogGOPS()).finish


def test_an_operation_freed_by_another_rank_starts_no_earlier() -> None:
    builder = ScheduleBuilder("across", 2, 10)
    calc = builder.calc(0, 7000)
    builder.calc(1, 50, after=(calc,))
    assert run_loggops(builder.build()).finish_ps.tolist() == [7000, 50]
    builder = ScheduleBuilder("across", 3, 10)
    _, recv = builder.transfer(0, 1, 1)
    builder.calc(2, 50, after=(recv,))
    assert run_loggops(builder.build()).finish_ps[2] == (1500 + 2500) * 1000 + 50


def test_reductions_take_their_time_per_byte() -> None:
    plain = run_loggops(ring.reducescatter(4, 400, "uint8")).max_ps
    assert run_loggops(ring.reducescatter(4, 400, "uint8"), reduce_ps_per_byte=20).max_ps == plain + 3 * 100 * 20


def test_parameters_are_nanoseconds() -> None:
    assert parse_loggops("") == LogGOPS()
    assert parse_loggops("L=3700,G=0.04") == replace(LogGOPS(), latency_ps=3_700_000, gap_ps_per_byte=40)
    for text, words in (
        ("X=1", "unknown LogGOPS parameter 'X'"),
        ("L=a", "is not a number"),
        ("G=0.0004", "decimals"),
        ("o=-1", "non-negative"),
    ):
        with pytest.raises(BadInput, match=words):
            parse_loggops(text)
