"""SSAR_Split_allgather and DSAR of SparCML: every rank adds up one region, then all regions go to all.

Renggli et al. 2019 (SC19). 1 + ceil(log2 P) rounds. A rank sends its elements outside its own region,
pairs(k (P - 1) / P) bytes if they are spread evenly, and the P - 1 other regions' worth of sums, of
n / P (1 - (1 - k / n)**P) elements each or dense: between 4 k (P - 1) / P words (all ranks have the same
elements) and (2 k + n) (P - 1) / P (dense).
"""

from __future__ import annotations

import numpy as np

from emulation.workloads.transforms.coding import Coding, Sparse, add, fill_in
from emulation.workloads.transforms.exchange import Exchange, Round, allgather, allgather_rounds, direct_round
from emulation.workloads.transforms.sparcml_doubling import either, smallest
from uet.schedule.model import Index

FORMULA = "(P - 1) (pairs(k / P) + min(pairs(n / P (1 - (1 - k/n)**P)), dense(n / P))) bytes sent per rank"


def allreduce(parts: list[Sparse], n: int, coding: Coding, exchange: Exchange) -> Sparse:
    """Return the sum of the sparse vectors of all ranks, the same at every rank."""
    edges = regions(n, len(parts))
    sums = split_and_add(parts, edges, coding, exchange)
    sizes = np.diff(edges).tolist()
    starts = edges[:-1].tolist()
    blocks = [smallest(s, m, coding, at) for s, m, at in zip(sums, sizes, starts, strict=True)]
    gathered = allgather(blocks, exchange)
    return add([either(data, m, coding, at) for data, m, at in zip(gathered, sizes, starts, strict=True)])


def regions(n: int, n_ranks: int) -> Index:
    """Return the edges of equal regions of n elements, shape [n_ranks + 1]."""
    return np.arange(n_ranks + 1) * n // n_ranks


def split_and_add(parts: list[Sparse], edges: Index, coding: Coding, exchange: Exchange) -> list[Sparse]:
    """Send every element to the rank of its region and return what each rank has there in sum."""
    n_ranks = len(parts)
    cut = [[p.between(int(edges[j]), int(edges[j + 1])) for j in range(n_ranks)] for p in parts]
    others = [(r, (r + d) % n_ranks) for r in range(n_ranks) for d in range(1, n_ranks)]
    arrived = exchange([(r, j, coding.encode_pairs(cut[r][j])) for r, j in others])
    return [
        add([cut[j][j], *(coding.decode_pairs(arrived[r, j]) for r in range(n_ranks) if r != j)])
        for j in range(n_ranks)
    ]


def rounds(n_ranks: int, n: int, k: int, coding: Coding) -> list[Round]:
    """Return the rounds for k random elements of n per rank, spread evenly."""
    share, size = -(-k // n_ranks), -(-n // n_ranks)
    sums = round(fill_in(n, k, n_ranks) / n_ranks)
    block = min(coding.pair_bytes(sums), coding.value_bytes(size))
    first = direct_round(np.full(n_ranks, coding.pair_bytes(share)))
    return [first, *allgather_rounds(np.full(n_ranks, block))]
