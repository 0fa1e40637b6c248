"""SSAR_Recursive_double of SparCML: partners exchange their sums so far, at distances 1, 2, 4, ...

Renggli et al. 2019, "SparCML: High-performance sparse communication for machine learning" (SC19). log2 P
rounds; in round i a rank sends the union of 2**i sparse vectors, which fill-in makes up to n (1 - (1 - k/n)**(2**i))
long, or the dense vector where that is smaller: between log2 P pairs(k) (full overlap) and (P - 1) pairs(k) bytes.
"""

from __future__ import annotations

import numpy as np

from emulation.workloads.transforms.coding import Bytes, Coding, Sparse, add, fill_in
from emulation.workloads.transforms.exchange import Exchange, Round
from uet.base.errors import BadInput
from uet.schedule.collectives.pieces import rounds as rounds_to_reach

FORMULA = "sum over i < log2 P of min(pairs(n (1 - (1 - k/n)**(2**i))), dense(n)) bytes sent per rank"


def allreduce(parts: list[Sparse], n: int, coding: Coding, exchange: Exchange) -> Sparse:
    """Return the sum of the sparse vectors of all ranks, as rank 0 has it. Raises BadInput unless P is a power of 2."""
    _check_ranks(len(parts))
    sums = list(parts)
    for k in range(rounds_to_reach(len(parts))):
        arrived = exchange([(r, r ^ 2**k, smallest(sums[r], n, coding)) for r in range(len(parts))])
        sums = [add([sums[r], either(arrived[r ^ 2**k, r], n, coding)]) for r in range(len(parts))]
    return sums[0]


def _check_ranks(n_ranks: int) -> None:
    if n_ranks & (n_ranks - 1):
        raise BadInput(f"sparcml-doubling needs a power of two of ranks, not {n_ranks}; use sparcml-split or ok-topk")


def smallest(part: Sparse, n: int, coding: Coding, start: int = 0) -> Bytes:
    """Return elements [start, start + n) of a vector as pairs, or dense where that is no longer."""
    if coding.pair_bytes(len(part.indices)) < coding.value_bytes(n):
        return coding.encode_pairs(part)
    return coding.encode(Sparse(part.indices - np.int32(start), part.values).dense(n))


def either(data: Bytes, n: int, coding: Coding, start: int = 0) -> Sparse:
    """Return the elements that `smallest` wrote."""
    if len(data) < coding.value_bytes(n):
        return coding.decode_pairs(data)
    return Sparse(np.arange(start, start + n, dtype=np.int32), coding.decode(data, n))


def rounds(n_ranks: int, n: int, k: int, coding: Coding) -> list[Round]:
    """Return the rounds for k random elements of n per rank."""
    _check_ranks(n_ranks)
    ranks = np.arange(n_ranks)
    found = []
    for i in range(rounds_to_reach(n_ranks)):
        size = min(coding.pair_bytes(round(fill_in(n, k, 2**i))), coding.value_bytes(n))
        found.append(Round(ranks, ranks ^ 2**i, np.full(n_ranks, size)))
    return found
