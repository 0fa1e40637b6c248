"""The memory carrier: real data through the engine, with and without faults."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.memory.move import Faults, MoveSettings, move
from uet.base.errors import BadInput, NoAnswer
from uet.schedule.cost import volumes
from uet.schedule.execute import Buffers
from uet.schedule.verify import check_result
from uet.schedule.works import build_work


def filled(schedule, seed=1):
    buffers, rng = Buffers(schedule), np.random.default_rng(seed)
    typed = buffers.typed()
    if typed.dtype.kind == "f":
        typed[:] = rng.standard_normal(typed.shape).astype(typed.dtype)
    else:
        typed[:] = rng.integers(-1000 if typed.dtype.kind == "i" else 0, 200, typed.shape).astype(typed.dtype)
    return buffers


@settings(max_examples=25, deadline=None)
@given(
    ranks=st.integers(2, 9),
    size=st.integers(1, 30_000),
    dtype=st.sampled_from(["float32", "float64", "int32", "int64", "uint8"]),
    faults=st.builds(Faults, drop=st.sampled_from([0, 0.01, 0.2]), duplicate=st.sampled_from([0, 0.3]),
                     reorder=st.sampled_from([0, 0.5])),
    seed=st.integers(1, 10_000),
)  # fmt: skip
def test_an_allreduce_sums_whatever_happens_to_packets(ranks, size, dtype, faults, seed):
    size = size * np.dtype(dtype).itemsize
    schedule = build_work(f"allreduce:algorithm=ring,size={size},dtype={dtype}", ranks)
    buffers = filled(schedule, seed)
    before = buffers.data.copy()
    done = move(schedule, buffers, MoveSettings(seed=seed, faults=faults))
    check_result(schedule, before, buffers.data)
    assert done["retransmissions"] >= done["drops_injected"] - done["acks"]


def test_the_sum_of_integers_is_numpys():
    schedule = build_work("allreduce:algorithm=ring,size=40000,dtype=int64", 5)
    buffers = filled(schedule)
    total = buffers.typed().sum(axis=0)
    move(schedule, buffers, MoveSettings(faults=Faults(drop=0.05)))
    assert np.array_equal(buffers.typed(), np.broadcast_to(total, buffers.typed().shape))


def test_packets_and_bytes_are_those_of_the_cost_model():
    schedule = build_work("allreduce:algorithm=ring,size=64KiB", 8)
    done = move(schedule, filled(schedule))
    sums = volumes(schedule)
    assert (done["data_packets"], done["retransmissions"]) == (sums.total_messages * 2, 0)  # 8 KiB: two packets
    assert sums.total_bytes == 2 * 7 * 65536


def test_faults_are_injected_as_asked():
    schedule = build_work("alltoall:size=4MiB", 6)
    buffers = filled(schedule)
    before = buffers.data.copy()
    done = move(schedule, buffers, MoveSettings(faults=Faults(drop=0.1, duplicate=0.2, reorder=0.3)))
    check_result(schedule, before, buffers.data)
    for name, share in (("drops_injected", 0.1), ("duplicated_injected", 0.9 * 0.2), ("reordered_injected", 0.9 * 0.3)):
        assert done[name] / done["packets"] == pytest.approx(share, rel=0.1)


def test_a_dead_path_ends_in_an_error():
    schedule = build_work("sendrecv:src=0,dst=1,size=100000", 2)
    options = MoveSettings(faults=Faults(drop=0.999999), overrides={"rto.max_retries": 3})
    with pytest.raises(NoAnswer, match="ran out of retries"):
        move(schedule, filled(schedule), options)


def test_impossible_faults_are_bad_input():
    with pytest.raises(BadInput, match=r"drop=1\.5"):
        Faults(drop=1.5)
