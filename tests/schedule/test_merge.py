"""Several schedules as one: hosts, starts, shared hosts, and everything a schedule can say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.loggops import run_loggops
from uet.base.errors import BadInput
from uet.schedule.check import problems
from uet.schedule.collectives import ring
from uet.schedule.goal import read_goal, write_goal
from uet.schedule.merge import PlacedJob, merge
from uet.schedule.model import ANY, CALC, RECV, SEND, Schedule, ScheduleBuilder


def _job(schedule: Schedule, *hosts: int, start_ps: int = 0, name: str = "job") -> PlacedJob:
    return PlacedJob(name, schedule, np.array(hosts), start_ps)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(2, 5), min_size=1, max_size=3),
    starts=st.lists(st.integers(0, 3), min_size=3, max_size=3),
    seed=st.integers(0, 99),
)
def test_jobs_on_hosts_of_their_own_finish_as_alone_and_later(sizes: list[int], starts: list[int], seed: int) -> None:
    hosts = np.split(np.random.default_rng(seed).permutation(sum(sizes) + 1)[: sum(sizes)], np.cumsum(sizes)[:-1])
    schedules = [ring.allreduce(n, 60 * n, "uint8") for n in sizes]
    jobs = [
        PlacedJob(f"j{k}", s, h, start * 10_000_000)
        for k, (s, h, start) in enumerate(zip(schedules, hosts, starts, strict=False))
    ]
    merged, owner = merge("all", sum(sizes) + 1, jobs)
    assert problems(merged) == []
    finish = run_loggops(merged).finish_ps
    for k, job in enumerate(jobs):
        alone = run_loggops(job.schedule).finish_ps
        assert finish[job.hosts].tolist() == (alone + job.start_ps).tolist()
        n_start = job.schedule.n_ranks if job.start_ps else 0
        assert np.count_nonzero(owner == k) == len(job.schedule.operations) + n_start


def test_shared_hosts_keep_processors_and_tags_apart(tmp_path) -> None:  # type: ignore[no-untyped-def]
    builder = ScheduleBuilder("exchange", 2, 8)
    builder.transfer([0, 1], [1, 0], 8, tag=[3, 3])
    pair = builder.build()
    merged, owner = merge("two", 3, [_job(pair, 0, 1), _job(pair, 1, 0, start_ps=5000), _job(pair, 2, 1)])
    sends = merged.operations["kind"] == SEND
    assert len({(int(t), int(k)) for t, k in zip(merged.operations["tag"][sends], owner[sends], strict=True)}) == 3
    assert merged.operations["cpu"].tolist() == owner.tolist()
    assert problems(merged) == []
    write_goal(merged, tmp_path / "m.bin")
    assert run_loggops(read_goal(tmp_path / "m.bin")).finish_ps.tolist() == run_loggops(merged).finish_ps.tolist()
    builder.add(RECV, 0, peer=1, bytes=8, tag=ANY)
    with pytest.raises(BadInput, match=r"job b: shares hosts .* any tag"):
        merge("two", 2, [_job(pair, 0, 1), _job(builder.build(), 0, 1, name="b")])


def test_a_start_delays_every_processor_and_keeps_the_other_rules() -> None:
    builder = ScheduleBuilder("t", 1, 0)
    builder.add(CALC, 0, duration_ps=7_000, cpu=[0, 1])
    builder.calc(0, 1_000, after=(np.array(0), np.array(1)))
    built = builder.build()
    job = replace(
        built, on_start=np.array([True, False]), declared=np.array([1, 0]), needed=np.array([0, 0, 1], np.int32)
    )
    other = ring.allreduce(2, 16, "uint8")
    merged, owner = merge("m", 3, [_job(other, 0, 1), _job(job, 2, start_ps=50_000)])
    m, n = len(other.dependencies), len(other.operations)
    assert merged.on_start is not None and merged.on_start.tolist() == [False] * (m + 2) + [True, False]
    assert merged.declared is not None and sorted(merged.declared.tolist()) == list(range(m + 4))
    assert merged.declared[m + 2 :].tolist() == [m + 1, m]
    assert merged.needed is not None and merged.needed[n:].tolist() == [0, 0, 1, 1, 1]
    assert merged.dependencies[m:].tolist() == [n, n + 1, n + 2, n + 3]
    assert owner.tolist() == [0] * n + [1] * 5


@pytest.mark.parametrize(
    ("hosts", "words"),
    [((0,), "has 2 ranks but 1 hosts"), ((0, 0), "stands twice"), ((0, 4), "host 4 is not one of 0..3")],
)
def test_wrong_hosts_are_refused(hosts: tuple[int, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        merge("m", 4, [_job(ring.allreduce(2, 16, "uint8"), *hosts)])
