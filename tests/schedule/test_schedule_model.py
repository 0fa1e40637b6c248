"""The table, its builder, pairing, order and longest paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uet.base.errors import BadInput
from uet.schedule.model import ANY, CALC, RECV, SEND, Schedule, ScheduleBuilder
from uet.schedule.order import finish_times, topological_order


def _arrays(schedule: Schedule) -> list[tuple[int, list[int]]]:
    first, waits = schedule.first_dependency, schedule.dependencies
    return [(int(op["kind"]), waits[first[i] : first[i + 1]].tolist()) for i, op in enumerate(schedule.operations)]


def test_adding_in_arrays_equals_adding_one_by_one() -> None:
    bulk, single = ScheduleBuilder("a", 4, 8), ScheduleBuilder("b", 4, 8)
    calcs = bulk.calc(np.arange(4), np.arange(4) * 10)
    sends, _ = bulk.transfer(np.arange(4), (np.arange(4) + 1) % 4, 8, after=(calcs,), tag=3)
    bulk.calc(0, 7, after=(sends, np.array([-1, calcs[1], -1, -1])))
    for rank in range(4):
        single.calc(rank, rank * 10)
    for rank in range(4):
        single.add(SEND, rank, (rank,), peer=(rank + 1) % 4, bytes=8, tag=3)
    for rank in range(4):
        single.add(RECV, (rank + 1) % 4, peer=rank, bytes=8, tag=3)
    for k in range(4):
        single.calc(0, 7, after=(4 + k, 1) if k == 1 else (4 + k,))
    a, b = bulk.build(), single.build()
    assert np.array_equal(a.operations, b.operations)
    assert _arrays(a) == _arrays(b)


def test_operations_left_out_get_no_number_and_nobody_waits_for_them() -> None:
    builder = ScheduleBuilder("holes", 3, 8)
    first = builder.calc(np.arange(3), 5)
    some = builder.copy(np.arange(3), 4, 0, 4, after=(first,), where=np.array([True, False, True]))
    builder.calc(np.arange(3), 1, after=(some,))
    assert some.tolist() == [3, -1, 4]
    assert [waits for _, waits in _arrays(builder.build())] == [[], [], [], [0], [2], [3], [], [4]]


def test_pairs_meet_in_order_per_source_target_and_tag() -> None:
    builder = ScheduleBuilder("pairs", 2, 8)
    builder.add(SEND, 0, peer=1, bytes=1, tag=5)
    builder.add(SEND, 0, peer=1, bytes=2)
    builder.add(SEND, 0, peer=1, bytes=3, tag=5)
    builder.add(RECV, 1, peer=0, bytes=2)
    builder.add(RECV, 1, peer=0, bytes=1, tag=5)
    builder.add(RECV, 1, peer=0, bytes=3, tag=5)
    assert builder.build().pairs.tolist() == [4, 3, 5, 1, 0, 2]


def test_pairs_with_tags_too_large_to_pack() -> None:
    builder = ScheduleBuilder("tags", 2, 8)
    for tag in (2**62, 1, 2**62):
        builder.transfer(0, 1, tag % 7, tag=tag)
    assert builder.build().pairs.tolist() == [1, 0, 3, 2, 5, 4]


@pytest.mark.parametrize(
    ("kind", "peer", "words"),
    [
        (SEND, 1, "send 1 bytes to rank 1 tag 9 has no matching receive"),
        (RECV, 1, "recv 1 bytes from rank 1 tag 9 has no matching send"),
    ],
)
def test_an_unmatched_operation_is_named(kind: int, peer: int, words: str) -> None:
    builder = ScheduleBuilder("half", 2, 8)
    builder.add(kind, 0, peer=peer, tag=9, bytes=1)
    with pytest.raises(BadInput, match=words):
        _ = builder.build().pairs


def test_lengths_must_agree_and_wildcards_cannot_be_paired() -> None:
    builder = ScheduleBuilder("lengths", 2, 8)
    builder.add(SEND, 0, peer=1, bytes=1)
    builder.add(RECV, 1, peer=0, bytes=2)
    with pytest.raises(BadInput, match=r"send 1 bytes to rank 1 .* meets .* recv 2 bytes"):
        _ = builder.build().pairs
    builder = ScheduleBuilder("any", 2, 8)
    builder.add(SEND, 0, peer=1, bytes=1)
    builder.add(RECV, 1, peer=ANY, bytes=1)
    with pytest.raises(BadInput, match="from any source"):
        _ = builder.build().pairs


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rank": 2, "peer": 0}, "outside 0..1"),
        ({"rank": -1, "peer": 0}, "outside 0..1"),
        ({"rank": 0, "peer": 2}, "outside 0..1"),
        ({"rank": 0, "peer": -1}, "negative peer"),
        ({"rank": 0, "peer": 1, "after": (7,)}, "does not exist"),
    ],
)
def test_ranges_are_checked(fields: dict[str, int], words: str) -> None:
    builder = ScheduleBuilder("range", 2, 8)
    builder.add(SEND, **fields)
    with pytest.raises(BadInput, match=words):
        builder.build()


def test_a_circle_is_named_through_messages() -> None:
    builder = ScheduleBuilder("circle", 2, 8)
    builder.add(RECV, 0, peer=1, bytes=1)
    builder.add(SEND, 0, (0,), peer=1, bytes=1)
    builder.add(RECV, 1, peer=0, bytes=1)
    builder.add(SEND, 1, (2,), peer=0, bytes=1)
    builder.calc(1, 5, after=(3,))
    with pytest.raises(BadInput, match="circle") as failure:
        _ = builder.build().depth
    named = str(failure.value)
    assert all(f"rank {r} operation {what}" in named for r in (0, 1) for what in ("0 recv", "1 send"))
    assert "calc" not in named


def _random_schedule(draw: st.DrawFn) -> Schedule:
    """Draw a schedule whose dependencies point backwards, so that it has no circle."""
    builder = ScheduleBuilder("random", 3, 8)
    for _ in range(draw(st.integers(1, 25))):
        n = builder.n_operations
        after = tuple(draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True))) if n else ()
        if draw(st.booleans()):
            builder.calc(draw(st.integers(0, 2)), draw(st.integers(0, 50)), after=after)
        else:
            source = draw(st.integers(0, 2))
            builder.transfer(source, (source + 1) % 3, 8, tag=n, after=after)
    return builder.build()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_order_and_finish_times_follow_the_definition(data: st.DataObject) -> None:
    schedule = _random_schedule(data.draw)
    ops, n = schedule.operations, len(schedule.operations)
    weight = np.where(ops["kind"] == CALC, ops["duration_ps"], np.where(ops["kind"] == SEND, 7, 0))
    end = [0] * n
    for i, (kind, waits) in enumerate(_arrays(schedule)):
        before = [*waits, schedule.pairs[i]] if kind == RECV else waits
        end[i] = max((end[j] for j in before), default=0) + int(weight[i])
    assert finish_times(schedule, weight).tolist() == end
    place = np.argsort(topological_order(schedule))
    for i, (kind, waits) in enumerate(_arrays(schedule)):
        assert all(place[j] < place[i] for j in waits)
        assert kind != RECV or place[schedule.pairs[i]] < place[i]


def test_an_operation_may_need_only_some_of_its_dependencies() -> None:
    from dataclasses import replace

    builder = ScheduleBuilder("some", 1, 0)
    calcs = [int(builder.calc(0, duration)) for duration in (30, 10, 20)]
    for _ in range(3):
        builder.calc(0, 1, after=tuple(calcs))
    schedule = replace(builder.build(), needed=np.array([0, 0, 0, 1, 2, 3], np.int32))
    assert schedule.waits_for.tolist() == [0, 0, 0, 1, 2, 3]
    assert finish_times(schedule, schedule.operations["duration_ps"]).tolist() == [30, 10, 20, 11, 21, 31]


def test_a_start_dependency_does_not_wait_for_the_end() -> None:
    from dataclasses import replace

    builder = ScheduleBuilder("starts", 2, 8)
    long = builder.calc(0, 100)
    builder.calc(0, 5, after=(long,))
    builder.transfer(0, 1, 8, after=(1,))
    plain = builder.build()
    schedule = replace(plain, on_start=np.array([True, False]))
    weight = np.array([100, 5, 7, 0])
    assert finish_times(plain, weight).tolist() == [100, 105, 112, 112]
    assert finish_times(schedule, weight).tolist() == [100, 5, 12, 12]
    assert sorted(topological_order(schedule).tolist()) == [0, 1, 2, 3]


def test_start_dependencies_make_no_false_circle() -> None:
    """Both receives are posted before either message comes; the second is posted once the first has been."""
    from dataclasses import replace

    builder = ScheduleBuilder("posted", 2, 8)
    builder.add(RECV, 0, peer=1, bytes=1, tag=0)
    builder.add(RECV, 0, (0,), peer=1, bytes=1, tag=1)
    builder.add(SEND, 0, (1,), peer=1, bytes=1, tag=2)
    builder.add(SEND, 1, peer=0, bytes=1, tag=1)
    builder.add(RECV, 1, peer=0, bytes=1, tag=2)
    builder.add(SEND, 1, (4,), peer=0, bytes=1, tag=0)
    plain = builder.build()
    with pytest.raises(BadInput, match="circle"):
        _ = plain.depth
    assert replace(plain, on_start=np.array([True, False, False])).depth == 3
