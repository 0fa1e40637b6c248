import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.base.errors import BadInput
from uet.workloads.pipelines.library import PIPELINES, pipeline
from uet.workloads.pipelines.table import PipelineTable, Slot


def slots(name: str, stages: int, microbatches: int, chunks: int = 1) -> float:
    table = pipeline(name, stages, microbatches, chunks)
    return table.makespan(table.unit_costs())


@pytest.mark.parametrize("stages", [2, 4, 6, 8, 16, 32])
@pytest.mark.parametrize("times", [1, 2, 3, 4, 5])
def test_chimera_takes_2n_plus_d_minus_2_slots(stages: int, times: int) -> None:
    n = stages * times
    assert slots("chimera", stages, n) == 2 * n + stages - 2


def test_orders_of_chimera_are_the_published_ones() -> None:
    """Four stages and microbatches: figure 3 of the paper; d and u tell the direction."""
    table = pipeline("chimera", 4, 4)
    orders = [" ".join(f"{s.kind}{'u' if s.up else 'd'}" for s in order) for order in table.orders]
    assert orders[0] == "fd fd fu bu fu bu bd bd"
    assert orders[1] == "fd fu fd fu bu bd bu bd"
    assert orders[2] == "fu fd fu fd bd bu bd bu"
    assert orders[3] == "fu fu fd bd fd bd bu bu"


@pytest.mark.parametrize("stages", [1, 2, 4, 8])
@pytest.mark.parametrize("microbatches", [8, 16, 32])
def test_bubbles_are_those_of_the_papers(stages: int, microbatches: int) -> None:
    p, m = stages, microbatches
    for name in ("gpipe", "1f1b", "dapple"):
        assert slots(name, p, m) == 2 * (m + p - 1)
    for v in (1, 2, 3):
        assert slots("interleaved", p, m, v) == 2 * (m * v + p - 1)
    assert slots("zero-bubble", p, m) == 3 * m + p - 1


@pytest.mark.parametrize(("stages", "microbatches"), [(2, 4), (4, 8), (4, 20), (8, 16), (8, 40), (16, 32)])
def test_dualpipe_bubbles_at_most_the_published_ones(stages: int, microbatches: int) -> None:
    """(p/2 - 1)(F&B + B - 3 W) with F&B = 3 slots and B = 2 where nothing overlaps."""
    assert 0 <= slots("dualpipe", stages, microbatches) - 3 * microbatches <= 2 * (stages // 2 - 1)
    assert max(pipeline("dualpipe", stages, microbatches).in_flight()) == stages + 1


@settings(max_examples=60)
@given(st.sampled_from(sorted(PIPELINES)), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_every_stage_works_on_every_microbatch_once(name: str, half: int, times: int, chunks: int) -> None:
    kind = PIPELINES[name]
    stages = 2 * half if kind.both_ways else half
    chunks = chunks if name == "interleaved" else 1
    microbatches = 2 * stages * times
    table = pipeline(name, stages, microbatches, chunks)
    assert all(len(set(order)) == len(order) for order in table.orders)
    found = {slot for order in table.orders for slot in order}
    kinds = "fbw" if kind.split else "fb"
    ups = [bool(m % 2) and kind.both_ways for m in range(microbatches)]
    assert found == {Slot(k, m, q, up) for k in kinds for m, up in enumerate(ups) for q in range(stages * chunks)}
    assert all(table.rank_of(s.part, s.up) == rank for rank, order in enumerate(table.orders) for s in order)
    _check_times(table)


def _check_times(table: PipelineTable) -> None:
    """No slot starts before what it needs is done, and no rank does two things at once."""
    costs = table.unit_costs(2.0)
    starts = table.starts(costs)
    done = {slot: start + costs.of(slot) for slot, start in starts.items()}
    for order in table.orders:
        for k, slot in enumerate(order):
            before = table.awaited(slot)
            assert before is None or done[before] <= starts[slot]
            assert k == 0 or done[order[k - 1]] <= starts[slot]
    worked = sum(costs.of(s) for order in table.orders for s in order)
    assert table.bubble_fraction(costs) == pytest.approx(1 - worked / table.stages / max(done.values()))


def test_a_stage_of_1f1b_keeps_what_lies_before_it() -> None:
    assert pipeline("1f1b", 4, 8).in_flight() == [4, 3, 2, 1]
    assert pipeline("gpipe", 4, 8).in_flight() == [8] * 4
    assert max(pipeline("chimera", 8, 8).in_flight()) <= 8
    assert max(pipeline("zero-bubble", 4, 8).in_flight()) == 4


def test_rows_show_each_slot_once() -> None:
    table = pipeline("chimera", 4, 8)
    rows = table.rows(table.unit_costs())
    cells = [(stage, cell) for row in rows for stage, cell in enumerate(row) if cell]
    assert len(rows) == 18 and len(cells) == len(set(cells)) == 2 * 8 * 4
    assert rows[0] == ["0@down@f", "", "", "1@up@f"]


@pytest.mark.parametrize(
    ("name", "stages", "microbatches", "chunks", "says"),
    [
        ("chimera", 3, 4, 1, "even number of stages, not 3"),
        ("dualpipe", 4, 6, 1, "at least 8 microbatches, not 6; nearest: 8"),
        ("interleaved", 4, 6, 2, "multiple of 4 microbatches, not 6"),
        ("gpipe", 4, 4, 2, "one chunk per stage"),
        ("chimaera", 4, 4, 1, "did you mean 'chimera'"),
        ("gpipe", 0, 4, 1, "at least 1"),
        ("gpipe", 10_000, 10_000, 1, "ask for fewer microbatches"),
    ],
)
def test_impossible_pipelines_are_refused(name: str, stages: int, microbatches: int, chunks: int, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        pipeline(name, stages, microbatches, chunks)
