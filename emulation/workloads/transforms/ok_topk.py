"""Ok-Topk: a sparse allreduce whose volume does not grow with the number of ranks.

Li and Hoefler 2022, "Near-optimal sparse allreduce for distributed deep learning" (PPoPP22). Regions are cut so that
ranks have about k / P elements in each; every rank adds up one region (split and reduce). Of the sum, which
fill-in makes longer than k, only the k largest elements are kept. If one rank has more than four times its
share of them they are dealt out evenly; then all go to all. Words sent per rank, (P - 1) / P times:

    split and reduce 2 k, balance up to 2 k, allgather 2 k; so between 2 k (the lower bound) and 6 k

beside P - 1 words to tell how many elements a rank keeps. The regions and the threshold come from earlier steps
(the authors renew them every 32 to 128 steps), so agreeing on them is not counted here.
"""

from __future__ import annotations

import numpy as np

from emulation.workloads.transforms.coding import Coding, Sparse, add
from emulation.workloads.transforms.exchange import Exchange, Round, allgather, allgather_rounds, direct_round
from emulation.workloads.transforms.sparcml_split import split_and_add
from uet.schedule.model import Index

COUNT_BYTES = 4
IMBALANCE = 4

FORMULA = (
    "2 (P - 1) pairs(k / P) + 4 (P - 1) bytes sent per rank, up to 3 (P - 1) pairs(k / P) where elements are dealt out"
)


def allreduce(parts: list[Sparse], n: int, coding: Coding, exchange: Exchange) -> Sparse:
    """Return the k largest elements of the sum of the sparse vectors of all ranks, the same at every rank.

    k is the number of elements of the longest vector.
    """
    k = max(len(p.indices) for p in parts)
    sums = split_and_add(parts, balanced_regions(parts, n), coding, exchange)
    threshold = kth_largest(sums, k)
    kept = [Sparse(s.indices[m], s.values[m]) for s in sums for m in [np.abs(s.values) >= threshold]]
    counts = [len(s.indices) for s in kept]
    allgather([np.array([c], np.int32).view(np.uint8) for c in counts], exchange)
    if max(counts) > IMBALANCE * sum(counts) / len(counts):
        kept = deal_out(kept, coding, exchange)
    gathered = allgather([coding.encode_pairs(s) for s in kept], exchange)
    return add([coding.decode_pairs(data) for data in gathered])


def balanced_regions(parts: list[Sparse], n: int) -> Index:
    """Return edges [P + 1] between which every rank has about the same number of elements: the mean of their own."""
    n_ranks = len(parts)
    own = [np.quantile(p.indices, np.arange(1, n_ranks) / n_ranks) for p in parts if len(p.indices)]
    inner = np.mean(own, axis=0) if own else np.arange(1, n_ranks) * n / n_ranks
    return np.concatenate([[0], np.ceil(inner).astype(np.int64), [n]])


def kth_largest(sums: list[Sparse], k: int) -> float:
    """Return the magnitude that k elements of the sum reach."""
    magnitudes = np.abs(np.concatenate([s.values for s in sums]))
    return 0.0 if len(magnitudes) <= k else float(np.partition(magnitudes, len(magnitudes) - k)[len(magnitudes) - k])


def deal_out(kept: list[Sparse], coding: Coding, exchange: Exchange) -> list[Sparse]:
    """Return the elements in the same order, evenly over the ranks."""
    n_ranks = len(kept)
    ends = np.cumsum([len(s.indices) for s in kept])
    edges = np.arange(n_ranks + 1) * int(ends[-1]) // n_ranks
    pieces: dict[tuple[int, int], Sparse] = {}
    for r, end in enumerate(ends.tolist()):
        first = end - len(kept[r].indices)
        for j in range(n_ranks):
            low, high = max(first, int(edges[j])), min(end, int(edges[j + 1]))
            if low < high:
                inside = slice(low - first, high - first)
                pieces[r, j] = Sparse(kept[r].indices[inside], kept[r].values[inside])
    arrived = exchange([(r, j, coding.encode_pairs(p)) for (r, j), p in pieces.items() if r != j])
    dealt: list[list[Sparse]] = [[] for _ in range(n_ranks)]
    for (r, j), piece in pieces.items():
        dealt[j].append(piece if r == j else coding.decode_pairs(arrived[r, j]))
    none = Sparse(np.zeros(0, np.int32), np.zeros(0, np.float32))
    return [add(d) if d else none for d in dealt]


def rounds(n_ranks: int, n: int, k: int, coding: Coding) -> list[Round]:
    """Return the rounds for k of n elements per rank that are spread evenly, so that nothing is dealt out."""
    share = np.full(n_ranks, coding.pair_bytes(-(-k // n_ranks)))
    counts = allgather_rounds(np.full(n_ranks, COUNT_BYTES))
    return [direct_round(share), *counts, *allgather_rounds(share)]
