"""Traces as schedules: everything is matched, moves what its collectives move, and can be done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_trace_formats import HEADER, LAYERS
from test_trace_kineto import RECORDED

from emulation.workloads.imports.read import read_trace
from emulation.workloads.imports.schedule import trace_schedule
from emulation.workloads.imports.trace import Call, Group, RankTrace, Trace
from uet.base.errors import BadInput
from uet.schedule.check import problems
from uet.schedule.cost import alpha_beta_ps, volumes
from uet.schedule.model import CALC, SEND


def test_the_recorded_job_as_a_schedule() -> None:
    trace = read_trace(RECORDED)
    schedule = trace_schedule(trace)
    assert problems(schedule) == []
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    pipeline = sends[(sends["bytes"] == 8 * 256 * 4) & (sends["peer"] == sends["rank"] + 2)]
    assert len(pipeline) == 4
    computed = [sum(c.duration_us for c in rank.calls if c.kind == "calc") for rank in trace.ranks]
    ops = schedule.operations
    found = np.bincount(ops["rank"], ops["duration_ps"]) / 1e6
    assert found == pytest.approx(computed, rel=1e-6)
    longest = max(max(rank.calls[-1].start_us for rank in trace.ranks) - rank.calls[0].start_us for rank in trace.ranks)
    assert alpha_beta_ps(schedule, 1, 0.0) / 1e6 <= 2 * longest  # waiting is not computed twice


def test_all_ranks_of_an_aicb_job_are_made_from_one(tmp_path: Path) -> None:
    (tmp_path / "w.txt").write_text(HEADER + "3\n" + LAYERS)
    schedule = trace_schedule(read_trace(tmp_path / "w.txt"))
    assert (schedule.n_ranks, problems(schedule)) == (16, [])
    tp, ep = 800 // 2 * 2, 2 * 64 // 2
    dp_ep, dp = 2 * 4000 * 3 // 4, 1600 * 7 // 8 + 2 * 3200 * 7 // 8
    assert volumes(schedule).bytes_sent.tolist() == [tp + ep + dp_ep + dp] * 16
    assert sorted(set(np.bincount(schedule.operations["rank"], schedule.operations["duration_ps"]))) == [3_015_000]


def _job(*ranks: list[Call]) -> Trace:
    traces = tuple(RankTrace(r, f"rank{r}", calls) for r, calls in enumerate(ranks))
    return Trace("job", "kineto", len(ranks), traces)


EVERYONE = Group(2, (0, 1))


def test_calls_that_cannot_be_matched_are_named() -> None:
    reduce, gather = Call("allreduce", 8, 8, EVERYONE), Call("allgather", 8, 16, EVERYONE)
    with pytest.raises(BadInput, match=r"rank1: has 1 collectives of group .0, 1. but rank0 has 2"):
        trace_schedule(_job([reduce, reduce], [reduce]))
    with pytest.raises(BadInput, match=r"collective 0 of group .0, 1. is allreduce, in rank1 it is allgather"):
        trace_schedule(_job([reduce], [gather]))
    with pytest.raises(BadInput, match="does not tell the ranks of its group"):
        trace_schedule(_job([Call("allreduce", 8, 8, Group(2))], [reduce]))
    with pytest.raises(BadInput, match="does not tell its other side"):
        trace_schedule(_job([Call("send", 8, 0)], [Call("recv", 0, 8, peer=0)]))
    with pytest.raises(BadInput, match="1 of 3 ranks were not recorded"):
        trace_schedule(Trace("job", "kineto", 3, _job([reduce], [reduce]).ranks))


def test_groups_may_come_in_any_order_and_sends_in_a_row_do_not_block() -> None:
    a, b = Group(2, (0, 1), "a"), Group(2, (1, 0), "b")
    first, second = Call("allreduce", 8, 8, a, after=()), Call("broadcast", 8, 8, b, root=1, after=())
    exchange = [[Call("send", 64, 0, peer=1 - r), Call("recv", 0, 64, peer=1 - r)] for r in range(2)]
    line = Call("barrier", 0, 0, EVERYONE)
    schedule = trace_schedule(_job([first, second, *exchange[0], line], [second, first, *exchange[1], line]))
    assert problems(schedule) == []
    sends = schedule.operations[schedule.operations["kind"] == SEND]
    assert sorted(sends["bytes"].tolist()) == [1, 1, 4, 4, 4, 4, 8, 64, 64]


def test_one_rank_stands_for_all_if_its_calls_are_of_all() -> None:
    everyone = Group(3, (0, 1, 2))
    alone = RankTrace(0, "rank0", [Call("calc", duration_us=2), Call("reducescatter", 30, 10, everyone)])
    schedule = trace_schedule(Trace("job", "kineto", 3, (alone,)))
    assert volumes(schedule).bytes_sent.tolist() == [20, 20, 20]
    assert schedule.operations["duration_ps"][schedule.operations["kind"] == CALC].max() == 2_000_000
