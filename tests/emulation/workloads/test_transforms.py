"""Compressed allreduces: the right sums on data that the transport carries, and bytes as the formulas say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulation.memory.move import Faults, MoveSettings
from emulation.workloads.transforms import ok_topk, quantized, sparcml_doubling, sparcml_split, topk_allgather
from emulation.workloads.transforms.coding import Coding, Sparse, Values, add, fill_in, top_k
from emulation.workloads.transforms.exchange import Exchange, MemoryExchange, schedule_of
from emulation.workloads.transforms.library import SPARSE, compressed_allreduce
from emulation.workloads.transforms.messages import Shrink, shrink
from uet.base.errors import BadInput
from uet.schedule.check import problems
from uet.schedule.cost import volumes
from uet.schedule.works import build_work

WORDS = Coding()


def _gradients(n_ranks: int, n: int, seed: int) -> list[Values]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(n).astype(np.float32) for _ in range(n_ranks)]


def _lossy(n_ranks: int) -> MemoryExchange:
    return MemoryExchange(n_ranks, MoveSettings(seed=n_ranks, faults=Faults(drop=0.02, reorder=0.05)))


@pytest.mark.parametrize("name", SPARSE)
@pytest.mark.parametrize(("n_ranks", "k"), [(2, 40), (8, 64), (8, 500)])
def test_sparse_sums_are_those_of_the_chosen_elements(name: str, n_ranks: int, k: int) -> None:
    n = 2000
    parts = [top_k(g, k) for g in _gradients(n_ranks, n, k)]
    exchange = _lossy(n_ranks)
    found = SPARSE[name].allreduce(parts, n, WORDS, exchange).dense(n)
    wanted = np.sum([p.dense(n) for p in parts], axis=0)
    if name == "ok-topk":  # keeps the k largest of the sum
        wanted = np.where(np.abs(wanted) >= np.sort(np.abs(wanted))[-k], wanted, 0)
        assert np.count_nonzero(found) == k
    assert found == pytest.approx(wanted, abs=1e-5)
    assert all(np.all(r.source != r.target) for r in exchange.rounds)


@pytest.mark.parametrize(("n_ranks", "n", "k"), [(4, 4096, 40), (8, 20_000, 200), (16, 20_000, 400), (16, 3000, 300)])
def test_ok_topk_sends_between_two_and_six_k(n_ranks: int, n: int, k: int) -> None:
    exchange = _lossy(n_ranks) if n_ranks == 8 else Exchange(n_ranks)
    ok_topk.allreduce([top_k(g, k) for g in _gradients(n_ranks, n, 7)], n, WORDS, exchange)
    words = exchange.bytes_sent.mean() / 4 - (n_ranks - 1)  # less the counts of elements
    share = k * (n_ranks - 1) / n_ranks
    assert 2 * share <= words <= 6 * share
    assert words == pytest.approx(4 * share, rel=0.1)


def test_ok_topk_deals_out_what_one_rank_would_keep() -> None:
    n_ranks, n, k = 8, 8000, 80
    gradients = _gradients(n_ranks, n, 3)
    for g in gradients:
        g[:50] *= 1000  # the largest sums are all in the first region
    parts = [top_k(g, k) for g in gradients]
    plain, exchange = Exchange(n_ranks), Exchange(n_ranks)
    edges = ok_topk.balanced_regions(parts, n)
    sums = sparcml_split.split_and_add(parts, edges, WORDS, plain)
    assert max(len(s.indices) for s in sums) < 4 * k  # regions are cut where the elements are
    kept = [Sparse(np.arange(100, dtype=np.int32), np.ones(100, np.float32))] + [sums[1].between(0, 0)] * 7
    dealt = ok_topk.deal_out(kept, WORDS, exchange)
    assert [len(d.indices) for d in dealt] == [12, 13, 12, 13, 12, 13, 12, 13]
    assert add(dealt).indices.tolist() == list(range(100))
    assert exchange.bytes_sent.tolist() == [88 * 8, *[0] * 7]
    words = 6 * k * (n_ranks - 1) / n_ranks
    total = Exchange(n_ranks)
    ok_topk.allreduce(parts, n, WORDS, total)
    assert total.bytes_sent.mean() / 4 - (n_ranks - 1) <= words


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantized_bytes_equal_the_formula_and_errors_stay_within_the_step(bits: int) -> None:
    n_ranks, n = 7, 5000
    coding = Coding(bits=bits, bucket=128)
    gradients = _gradients(n_ranks, n, bits)
    exchange = _lossy(n_ranks)
    found = quantized.allreduce(gradients, coding, exchange)
    sizes = [n * (r + 1) // n_ranks - n * r // n_ranks for r in range(n_ranks)]
    piece = [-(-m * bits // 8) + 4 * -(-m // 128) for m in sizes]
    total = sum(piece)
    sent = exchange.bytes_sent
    assert sent.sum() == 2 * (n_ranks - 1) * total
    assert volumes(schedule_of("q", n_ranks, quantized.rounds(n_ranks, n, coding))).bytes_sent.tolist() == sent.tolist()
    most = 2 ** (bits - 1) - 1
    wanted = np.sum(gradients, axis=0)
    step = max(np.abs(g).max() for g in gradients) / most
    assert (
        np.abs(found - wanted).max()
        <= n_ranks * step / 2 + (np.abs(wanted).max() + n_ranks * step / 2) / most / 2 + 1e-5
    )


@given(
    st.integers(1, 300), st.sampled_from([None, 2, 3, 5, 8, 16]), st.integers(1, 100), st.sampled_from([2, 4, 8]),
    st.integers(0, 100),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_values_come_back_as_near_as_their_bits_allow(
    n: int, bits: int | None, bucket: int, word_bytes: int, seed: int
) -> None:
    coding = Coding(word_bytes, bits, bucket)
    values = np.random.default_rng(seed).standard_normal(n).astype(np.float32)
    sparse = top_k(values, max(n // 3, 1))
    data = coding.encode_pairs(sparse)
    assert len(data) == coding.pair_bytes(len(sparse.indices))
    back = coding.decode_pairs(data)
    assert back.indices.tolist() == sparse.indices.tolist()
    step = 2e-3 if bits is None else 1 / (2 ** (bits - 1) - 1)
    assert np.abs(back.values - sparse.values).max() <= step * np.abs(sparse.values).max() * 0.51 + 1e-6


def test_a_sum_of_random_sparse_vectors_fills_in_as_the_formula_says() -> None:
    rng = np.random.default_rng(1)
    n, k = 20_000, 400
    parts = [
        Sparse(np.sort(rng.choice(n, k, replace=False)).astype(np.int32), np.ones(k, np.float32)) for _ in range(16)
    ]
    for count in (1, 2, 8, 16):
        assert len(add(parts[:count]).indices) == pytest.approx(fill_in(n, k, count), rel=0.01)
    spread = [Sparse(p.indices, rng.standard_normal(k).astype(np.float32)) for p in parts]  # no ties for Ok-Topk
    for module, tolerance in ((topk_allgather, 0), (sparcml_doubling, 0.01), (sparcml_split, 0.02), (ok_topk, 0.05)):
        exchange = Exchange(16)
        module.allreduce(spread, n, WORDS, exchange)
        wanted = volumes(schedule_of("x", 16, module.rounds(16, n, k, WORDS))).total_bytes
        assert exchange.bytes_sent.sum() == pytest.approx(wanted, rel=tolerance or 1e-12), module.__name__


def test_volumes_of_the_closed_forms() -> None:
    n_ranks, n, k = 64, 2**20, 2**10
    pairs = 8 * k
    sent: dict[str, Any] = {
        name: volumes(compressed_allreduce(n_ranks, n, WORDS, k / n, name)[0]).bytes_sent for name in SPARSE
    }
    assert sent["allgather"].tolist() == [63 * pairs] * n_ranks
    assert sent["ok-topk"].tolist() == [2 * 63 * pairs // 64 + 63 * 4] * n_ranks
    doubling = sum(8 * round(n * (1 - (1 - k / n) ** 2**i)) for i in range(6))
    assert sent["sparcml-doubling"].tolist() == [doubling] * n_ranks
    assert sent["sparcml-split"][0] == 63 * (pairs // 64 + 8 * round(n * (1 - (1 - k / n) ** 64) / 64))
    dense = volumes(compressed_allreduce(n_ranks, n, WORDS, 0.5, "sparcml-split")[0]).bytes_sent
    assert dense[0] == 63 * (8 * n // 2 + 4 * n) // 64  # the sums are sent dense: (2 k + n) (P - 1) / P words


@pytest.mark.parametrize(
    "make",
    [
        lambda: compressed_allreduce(4, 100, Coding(bits=4))[0],
        lambda: compressed_allreduce(5, 1000, WORDS, 0.1)[0],
        lambda: shrink(build_work("allreduce:size=1MiB", 4), Shrink(density=0.1)),
    ],
)
def test_schedules_can_be_done(make: Callable[[], Any]) -> None:
    assert problems(make()) == []


def test_messages_shrink_by_the_formula() -> None:
    eight = Shrink(2, Coding(2, 8, 100))
    assert eight.bytes_of(2000) == 1000 + 4 * 10
    assert Shrink(2, Coding(2), density=0.01).bytes_of(2000) == 10 * (4 + 2)
    assert Shrink(2, Coding(2), density=0.9).bytes_of(2000) == 2000  # pairs would be longer
    assert Shrink(4, Coding(4), pruned=0.5).bytes_of(4000) == 2000
    assert Shrink(4, Coding(4, 4, 64), density=0.05, pruned=0.2).bytes_of(4000) == 40 * 4 + 20 + 4
    assert Shrink(4, Coding(4, 4, 64), density=0.25, pruned=0.2).bytes_of(4000) == 400 + 4 * 13  # dense is shorter
    assert Shrink(4, Coding(4), density=0.1, least_bytes=5000).bytes_of(4999) == 4999
    work = build_work("alltoall:size=64KiB", 8)
    small = shrink(work, Shrink(4, Coding(bits=8, bucket=1024)))
    assert volumes(small).bytes_sent.tolist() == [7 * (2048 + 2 * 4)] * 8
    assert len(small.operations) == len(work.operations)


def test_what_makes_no_sense_is_refused() -> None:
    for wrong in (
        lambda: Coding(3), lambda: Coding(bits=1), lambda: Coding(bucket=0), lambda: Shrink(density=0),
        lambda: Shrink(pruned=1), lambda: compressed_allreduce(4, 10, WORDS, 2.0),
        lambda: compressed_allreduce(4, 10, WORDS, 0.1, "best"),
        lambda: compressed_allreduce(4, 10, WORDS, None, "ok-topk"),
        lambda: compressed_allreduce(6, 10, WORDS, 0.1, "sparcml-doubling"),
    ):  # fmt: skip
        with pytest.raises(BadInput):
            wrong()
