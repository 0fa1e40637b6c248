"""TopkA: every rank sends its k largest elements to all others, which add them up.

Shi et al. 2019, "A distributed synchronous SGD algorithm with global top-k sparsification for low bandwidth
networks" (arXiv 1901.04359), describe it as the usual way. ceil(log2 P) rounds with Bruck's allgather; every rank sends
and receives (P - 1) pairs(k) bytes, 2 k (P - 1) words.
"""

from __future__ import annotations

import numpy as np

from emulation.workloads.transforms.coding import Coding, Sparse, add
from emulation.workloads.transforms.exchange import Exchange, Round, allgather, allgather_rounds

FORMULA = "(P - 1) pairs(k) bytes sent per rank"


def allreduce(parts: list[Sparse], n: int, coding: Coding, exchange: Exchange) -> Sparse:
    """Return the sum of the sparse vectors of all ranks, the same at every rank."""
    return add([coding.decode_pairs(data) for data in allgather([coding.encode_pairs(p) for p in parts], exchange)])


def rounds(n_ranks: int, n: int, k: int, coding: Coding) -> list[Round]:
    """Return the rounds for k of n elements per rank."""
    return allgather_rounds(np.full(n_ranks, coding.pair_bytes(k)))
