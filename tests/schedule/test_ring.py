"""Ring collectives: steps, bytes and real data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.schedule.schedules import run_and_check
from uet.base.errors import BadInput
from uet.schedule.collectives import ring
from uet.schedule.collectives.pieces import blocks, chunk_count
from uet.schedule.model import SEND


@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 33), elements=st.integers(1, 200), dtype=st.sampled_from(["uint8", "int32", "float32"]))
def test_steps_and_bytes_are_those_of_the_docstrings(n: int, elements: int, dtype: str) -> None:
    size = elements * np.dtype(dtype).itemsize
    block = np.diff(blocks(size, n, dtype))
    ranks = np.arange(n)
    for build, bytes_sent in (
        (ring.allreduce, 2 * size - block[(ranks + 1) % n] - block[(ranks + 2) % n]),
        (ring.reducescatter, size - block),
        (ring.allgather, size - block[(ranks + 1) % n]),
    ):
        schedule = build(n, size, dtype)
        assert schedule.bytes_sent.tolist() == bytes_sent.tolist()
        assert schedule.depth == (2 * (n - 1) if build is ring.allreduce else n - 1)
        sends = schedule.operations[schedule.operations["kind"] == SEND]
        assert np.all(sends["peer"] == (sends["rank"] + 1) % n)


@settings(max_examples=25, deadline=None)
@given(
    build=st.sampled_from([ring.allreduce, ring.reducescatter, ring.allgather]),
    n=st.integers(1, 12), elements=st.integers(1, 60),
    dtype=st.sampled_from(["uint8", "int64", "float16", "float32", "float64"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_data_is_right_in_any_order_the_dependencies_allow(build, n, elements, dtype, seed) -> None:  # type: ignore[no-untyped-def]
    run_and_check(build(n, elements * np.dtype(dtype).itemsize, dtype), seed)


@pytest.mark.parametrize("n", range(2, 34))
def test_allreduce_of_two_to_thirty_three_ranks(n: int) -> None:
    schedule = ring.allreduce(n, 8 * n, "float32")
    run_and_check(schedule)
    assert schedule.bytes_sent.tolist() == [2 * (n - 1) * 8] * n


def test_a_vector_of_half_elements_is_refused() -> None:
    with pytest.raises(BadInput, match="size=10 is not a whole number of float32"):
        ring.allreduce(4, 10, "float32")


@settings(max_examples=20, deadline=None)
@given(
    build=st.sampled_from([ring.allreduce, ring.reducescatter, ring.allgather]),
    n=st.integers(1, 9), elements=st.integers(1, 60), chunks=st.integers(1, 5), seed=st.integers(0, 99),
)  # fmt: skip
def test_chunks_change_messages_and_nothing_else(build, n, elements, chunks, seed) -> None:  # type: ignore[no-untyped-def]
    whole, cut = build(n, 4 * elements, "int32"), build(n, 4 * elements, "int32", chunks=chunks)
    run_and_check(cut, seed)
    assert cut.depth == whole.depth and cut.bytes_sent.tolist() == whole.bytes_sent.tolist()
    if elements % (n * chunks) == 0:
        assert (cut.operations["kind"] == SEND).sum() == chunks * (whole.operations["kind"] == SEND).sum()


def test_chunks_default_to_what_hides_latency() -> None:
    assert [chunk_count(None, n) for n in (0, 100, 2**15, 2**17, 2**30)] == [1, 1, 1, 4, 8]
    assert chunk_count(None, 2**30, most=32) == 32
    with pytest.raises(BadInput, match="chunks=0 must be at least 1"):
        ring.allreduce(4, 16, chunks=0)
