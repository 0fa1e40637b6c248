"""Open traffic: loads, times and sizes as asked for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.base.errors import BadInput
from uet.schedule.execute import Buffers, execute, random_data
from uet.schedule.model import CALC, RECV, SEND
from uet.schedule.order import finish_times
from uet.schedule.patterns import side_by_side
from uet.schedule.sizes import sizes_of
from uet.schedule.verify import check_result
from uet.schedule.works import build_work


@pytest.mark.parametrize("sizes", ["fixed", "uniform", "exponential", "pareto,shape=2.5"])
def test_the_load_is_what_was_asked_for(sizes):
    work = build_work(f"poisson:load=0.5,sizes={sizes},size=20KB,time=4ms", 32)
    gbps = work.bytes_sent.sum() * 8 / 4e-3 / 1e9 / 32
    assert gbps == pytest.approx(200, rel=0.05)
    ops = work.operations
    assert not np.any(ops["rank"][ops["kind"] == SEND] == ops["peer"][ops["kind"] == SEND])


def test_starts_are_a_poisson_process():
    work = build_work("poisson:load=0.8,sizes=fixed,size=10KB,time=10ms", 8)
    ops = work.operations
    ends = finish_times(work, ops["duration_ps"])
    starts = ends[ops["kind"] == CALC]
    rank = ops["rank"][ops["kind"] == CALC]
    assert starts.max() < 10e9
    gaps = np.concatenate([np.diff(starts[rank == r]) for r in range(8)])
    assert np.all(gaps >= 0)
    assert gaps.std() / gaps.mean() == pytest.approx(1, abs=0.05)  # exponential
    assert ops["duration_ps"][ops["kind"] == CALC].sum() == sum(starts[rank == r].max() for r in range(8))


def test_responses_wait_for_their_requests():
    work = build_work("rpc:interval=20us,time=1ms,request=300,response=8KiB", 6)
    ops, sends = work.operations, np.flatnonzero(work.operations["kind"] == SEND)
    assert sorted(set(ops["bytes"][sends])) == [300, 8192]
    for send in sends[ops["bytes"][sends] == 8192]:
        (request,) = work.dependencies[work.first_dependency[send] : work.first_dependency[send + 1]]
        assert ops["kind"][request] == RECV
        assert (ops["rank"][request], ops["peer"][request]) == (ops["rank"][send], ops["peer"][send])
    assert len(sends) == pytest.approx(2 * 6 * 50, rel=0.3)


def test_seeds_decide():
    same = [build_work("poisson:load=0.3,size=50KB,time=1ms", 8, seed).operations for seed in (3, 3, 4)]
    assert np.array_equal(same[0], same[1])
    assert not np.array_equal(same[0], same[2])


@pytest.mark.parametrize("work", ["poisson:load=0.3,size=2KB,time=5us,sizes=exponential", "rpc:interval=5us,time=20us"])
def test_data_lands_side_by_side(work):
    schedule = build_work(work, 5)
    before = random_data(schedule, 1)
    after = before.copy()
    execute(schedule, Buffers(schedule, after))
    check_result(schedule, before, after)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 90)), min_size=1, max_size=30))
def test_places_never_overlap(messages):
    target, size = np.array(messages).T
    place, in_use = side_by_side(target, size)
    assert place.min() >= size.max()
    for t in set(target.tolist()):
        order = np.argsort(place[target == t])
        starts, sizes = place[target == t][order], size[target == t][order]
        assert np.all(starts[1:] >= (starts + sizes)[:-1])
    assert in_use == (place + size).max()


def test_a_file_gives_its_distribution(tmp_path):
    file = tmp_path / "flows.cdf"
    file.write_text("# bytes, probability\n1000 0.5\n3000 1.0\n")
    sizes = sizes_of(str(file), None)
    assert sizes.mean_bytes == 1500  # half have 1,000 bytes, half are even between 1,000 and 3,000
    drawn = sizes.draw(20_000, np.random.default_rng(1))
    assert drawn.mean() == pytest.approx(1500, rel=0.02)
    assert (drawn.min(), drawn.max()) >= (1000, 2990)
    assert (drawn == 1000).mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1000 0.5\n2000 0.9\n", "the last line must have probability 1"),
        ("1000 0.5\n900 1\n", "flows.cdf:2: sizes must rise"),
        ("1000 0.5\n2000 1.5\n", "flows.cdf:2: sizes must rise, and probabilities from 0 to 1"),
        ("1000\n", "flows.cdf:1: '1000' is not 'bytes probability'"),
        ("", "the last line must have probability 1"),
    ],
)
def test_files_that_are_no_distribution(tmp_path, text, message):
    file = tmp_path / "flows.cdf"
    file.write_text(text)
    with pytest.raises(BadInput, match=message):
        sizes_of(str(file), None)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        ("poisson:load=0.5,time=1ms", "sizes=fixed: say the mean"),
        ("poisson:load=0.5,time=1ms,sizes=parto,size=1KB", "did you mean 'pareto'"),
        ("poisson:load=0.5,time=1ms,sizes=nowhere.cdf", "cannot be read as text"),
        ("poisson:load=0.5,time=1ms,sizes=nowhere.cdf,size=1KB", "the file says the mean"),
        ("poisson:load=0.5,time=1ms,sizes=pareto,shape=1,size=1KB", "mean only above 1"),
        ("poisson:load=0,time=1ms,size=1KB", "load"),
        ("poisson:load=0.01,time=1ns,size=1MB", "nothing begins within the time"),
        ("rpc:interval=1us,time=1ms,ranks=1", "1 rank has nobody to send to"),
    ],
)
def test_bad_arrivals(work, message):
    with pytest.raises(BadInput, match=message):
        build_work(work, 4)
