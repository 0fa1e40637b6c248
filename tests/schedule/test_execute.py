"""Buffers, the reference executor and the check of results."""

import numpy as np
import pytest

from uet.base.errors import CheckFailed
from uet.schedule.collectives import ring
from uet.schedule.execute import Buffers, execute, random_data
from uet.schedule.model import DATA, RECV, SEND, ScheduleBuilder
from uet.schedule.verify import check_result


def test_single_operations_do_what_their_names_say() -> None:
    builder = ScheduleBuilder("one", 2, 16, scratch_bytes=8, dtype="int32")
    send, recv = builder.transfer(0, 1, 8, offset=8, to_offset=0, to_buffer=1)
    reduce = builder.reduce(1, 8, 4, 0)
    copy = builder.copy(1, 4, 0, 4, source_buffer=DATA)
    calc = builder.calc(1, 5)
    buffers = Buffers(builder.build(), np.arange(8, dtype=np.int32).reshape(2, 4).view(np.uint8))
    payload = buffers.read(int(send))
    assert payload.view(np.int32).tolist() == [2, 3]
    buffers.write(int(recv), payload.tobytes())
    buffers.apply(int(reduce))
    assert buffers.typed()[1].tolist() == [4, 5 + 2, 6 + 3, 7]
    buffers.apply(int(copy))
    buffers.apply(int(calc))
    assert buffers.typed()[1].tolist() == [7, 7, 9, 7]
    with pytest.raises(ValueError, match="expects 8 bytes, 3 arrived"):
        buffers.write(int(recv), b"abc")


def test_pieces_outside_the_buffer_are_refused() -> None:
    builder = ScheduleBuilder("outside", 2, 16)
    send, _ = builder.transfer(0, 1, 8, offset=12)
    with pytest.raises(ValueError, match="outside the 16 bytes"):
        Buffers(builder.build()).read(int(send))


def test_data_must_fit_the_schedule() -> None:
    schedule = ScheduleBuilder("shape", 2, 16).build()
    with pytest.raises(ValueError, match="shape"):
        Buffers(schedule, np.zeros((2, 8), np.uint8))


def test_a_message_holds_what_the_buffer_held_when_it_was_sent() -> None:
    builder = ScheduleBuilder("snapshot", 2, 2, result="messages")
    send, recv = builder.transfer(0, 1, 1)
    builder.copy(0, 1, 0, 1, source_buffer=DATA, after=(send,))
    schedule = builder.build()
    buffers = Buffers(schedule, np.array([[1, 9], [0, 0]], np.uint8))
    execute(schedule, buffers, [int(send), 2, int(recv)])
    assert buffers.data.tolist() == [[9, 9], [1, 0]]


def test_floats_are_compared_bit_by_bit_with_the_same_order_of_additions() -> None:
    schedule = ring.allreduce(5, 400, "float32")
    before = random_data(schedule, 3)
    buffers = Buffers(schedule, before.copy())
    execute(schedule, buffers)
    check_result(schedule, before, buffers.data)
    in_another_order = before.view(np.float32).sum(axis=0, dtype=np.float64).astype(np.float32).view(np.uint8)
    with pytest.raises(CheckFailed, match="bytes of rank 0 are wrong"):
        check_result(schedule, before, np.tile(in_another_order, (5, 1)))


@pytest.mark.parametrize("build", [ring.allreduce, ring.reducescatter, ring.allgather])
def test_any_wrong_byte_of_the_result_is_noticed(build) -> None:  # type: ignore[no-untyped-def]
    schedule = build(4, 32, "int32")
    before = random_data(schedule, 1)
    buffers = Buffers(schedule, before.copy())
    execute(schedule, buffers)
    buffers.data[2, 17] ^= 1  # byte 17 is in block 2
    with pytest.raises(CheckFailed, match="1 bytes of rank 2 are wrong, the first at offset 17"):
        check_result(schedule, before, buffers.data)


def test_an_algorithm_that_does_not_sum_right_is_noticed_even_with_floats() -> None:
    builder = ScheduleBuilder("wrong", 2, 4, scratch_bytes=4, dtype="float32", result="allreduce")
    builder.transfer(np.arange(2), np.array([1, 0]), 4, to_buffer=1)
    schedule = builder.build()
    before = random_data(schedule, 1)
    with pytest.raises(CheckFailed, match="does not sum"):
        check_result(schedule, before, before)
    assert set(schedule.operations["kind"]) == {SEND, RECV}
