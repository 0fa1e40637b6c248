"""What is wrong with a schedule, found before it runs."""

import pytest

from uet.base.errors import BadInput
from uet.schedule.check import check, problems
from uet.schedule.collectives import ring
from uet.schedule.model import ANY, RECV, SEND, ScheduleBuilder


def test_a_good_schedule_has_no_problems() -> None:
    assert problems(ring.allreduce(5, 40)) == []
    check(ring.allreduce(5, 40))


def test_all_unmatched_messages_are_named_and_counted() -> None:
    builder = ScheduleBuilder("bad", 3, 8)
    builder.add(SEND, [0, 0, 1], peer=[1, 1, 2], bytes=8, tag=[5, 5, 6])
    builder.add(RECV, [1, 2], peer=[0, 0], bytes=8, tag=[5, 6])
    assert problems(builder.build()) == [
        "rank 0 operation 1 send 8 bytes to rank 1 tag 5 has no matching receive; add it",
        "rank 1 operation 0 send 8 bytes to rank 2 tag 6 has no matching receive; add it",
        "rank 2 operation 0 recv 8 bytes from rank 0 tag 6 has no matching send; add it",
    ]
    with pytest.raises(BadInput) as failure:
        check(builder.build())
    assert len(failure.value.messages) == 3 and failure.value.messages[0].startswith("bad: rank 0 operation 1 send")
    assert len(problems(builder.build(), limit=2)) == 2


def test_lengths_and_circles() -> None:
    builder = ScheduleBuilder("lengths", 2, 8)
    builder.add(SEND, [0, 0], peer=1, bytes=[1, 2])
    builder.add(RECV, [1, 1], peer=0, bytes=[1, 3])
    assert problems(builder.build()) == [
        "rank 0 operation 1 send 2 bytes to rank 1 tag 0 meets rank 1 operation 1 recv 3 bytes from rank 0 tag 0; "
        "make the lengths equal"
    ]
    builder = ScheduleBuilder("circle", 2, 8)
    for a, b in ((0, 1), (1, 0)):
        recv = builder.add(RECV, a, peer=b, bytes=1)
        builder.add(SEND, a, (recv,), peer=b, bytes=1)
    assert (
        "rank 0 operation 0 recv 1 bytes from rank 1 tag 0 -> rank 0 operation 1 send" in problems(builder.build())[0]
    )


def test_messages_of_ranks_with_wildcards_are_left_to_the_run() -> None:
    builder = ScheduleBuilder("any", 3, 8)
    builder.add(SEND, [0, 1], peer=2, bytes=8)
    builder.add(RECV, [2, 2], peer=[ANY, 0], bytes=8)
    assert problems(builder.build()) == []
    builder.add(SEND, 2, peer=1, bytes=8)
    assert problems(builder.build()) == [
        "rank 2 operation 2 send 8 bytes to rank 1 tag 0 has no matching receive; add it"
    ]
    builder.add(RECV, 1, peer=2, bytes=8)
    builder.calc(0, 1, after=(6,))
    builder.calc(0, 1, after=(5,))
    assert "circle" in problems(builder.build())[0]
