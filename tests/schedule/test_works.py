"""WORK strings."""

import numpy as np
import pytest

from uet.base.errors import BadInput
from uet.schedule.collectives import ring
from uet.schedule.works import build_work


def test_the_examples_of_the_contract() -> None:
    schedule = build_work("permutation:size=2MiB", 128)
    assert schedule.n_ranks == 128 and schedule.bytes_sent.tolist() == [2 * 2**20] * 128
    schedule = build_work("incast:fan_in=64,size=1MB,target=0", 128)
    assert schedule.bytes_sent.sum() == 64_000_000
    schedule = build_work("allreduce:algorithm=ring,size=1MiB", 64)
    assert np.array_equal(schedule.operations, ring.allreduce(64, 2**20).operations)
    assert build_work("alltoall:size=64KiB", 8).bytes_sent.tolist() == [7 * 2**13] * 8
    assert build_work("sendrecv:src=2,dst=5,size=10", 8).bytes_sent[2] == 10
    assert build_work("allgather:size=320", 8).bytes_sent.tolist() == [280] * 8


def test_ranks_and_dtype() -> None:
    schedule = build_work("allreduce:size=1000,ranks=5,dtype=float64", 64)
    assert schedule.n_ranks == 5 and schedule.dtype == "float64"
    assert build_work("allreduce:size=1000", 8).dtype == "float32"
    assert build_work("allreduce:size=1001", 8).dtype == "uint8"


def test_the_seed_decides_the_permutation() -> None:
    one, again, other = (build_work("permutation:size=1KB", 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.operations, again.operations)
    assert not np.array_equal(one.operations, other.operations)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("allreduc:size=1", "did you mean 'allreduce'"),
        ("allreduce:algorithm=rign,size=1KiB", "did you mean 'ring'"),
        ("allreduce:sise=1KiB", "did you mean 'size'"),
        ("allreduce:algorithm=ring", "key 'size' is missing"),
        ("permutation:", "key 'size' is missing"),
        ("permutation:size=0", "greater than 0"),
        ("permutation:size=2XB", "is not a size"),
        ("allreduce:size=1KiB,dtype=float31", "did you mean 'float32'"),
        ("allreduce:size=10,dtype=float32", "not a whole number of float32"),
        ("allreduce:size=1KiB,ranks=65", "ranks=65 but there are only 64"),
        ("incast:fan_in=64,size=1MB", "fan_in=64 needs 65 ranks"),
        ("incast:fan_in=0,size=1MB", "fan_in"),
    ],
)
def test_wrong_works_are_explained(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        build_work(text, 64)
