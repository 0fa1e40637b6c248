"""Quantized allreduce: an alltoall of q-bit pieces, their sum at full width, and an allgather of q-bit sums.

One requantization, where a ring would need one per hop. 1 + ceil(log2 P) rounds; with pieces of m = n / P
elements a rank sends 2 (P - 1) (ceil(m q / 8) + 4 ceil(m / bucket)) bytes: 2 n q / 8 (P - 1) / P and the
scales. Dettmers 2016 (arXiv 1511.04561) and Renggli et al. 2019 (DSAR with 2, 4 or 8 bits) send gradients like this.
"""

from __future__ import annotations

import numpy as np

from emulation.workloads.transforms.coding import Coding, Values
from emulation.workloads.transforms.exchange import Exchange, Round, allgather, allgather_rounds, direct_round
from emulation.workloads.transforms.sparcml_split import regions
from uet.schedule.model import Index

FORMULA = "2 (P - 1) (ceil(m q / 8) + 4 ceil(m / bucket)) bytes sent per rank, m = n / P"


def allreduce(vectors: list[Values], coding: Coding, exchange: Exchange) -> Values:
    """Return the sum of the vectors of all ranks, near to what coding allows, the same at every rank."""
    n_ranks, edges = len(vectors), regions(len(vectors[0]), len(vectors))
    pieces = [np.split(v, edges[1:-1]) for v in vectors]
    others = [(r, (r + d) % n_ranks) for r in range(n_ranks) for d in range(1, n_ranks)]
    arrived = exchange([(r, j, coding.encode(pieces[r][j])) for r, j in others])
    sizes = np.diff(edges).tolist()
    sums: list[Values] = []
    for j in range(n_ranks):
        came = [coding.decode(arrived[r, j], sizes[j]) for r in range(n_ranks) if r != j]
        sums.append(np.stack([pieces[j][j], *came]).sum(axis=0, dtype=np.float32))
    gathered = allgather([coding.encode(s) for s in sums], exchange)
    return np.concatenate([coding.decode(data, m) for data, m in zip(gathered, sizes, strict=True)])


def rounds(n_ranks: int, n: int, coding: Coding) -> list[Round]:
    """Return the rounds for vectors of n elements."""
    sizes = piece_bytes(n_ranks, n, coding)
    return [direct_round(sizes), *allgather_rounds(sizes)]


def piece_bytes(n_ranks: int, n: int, coding: Coding) -> Index:
    """Return the bytes of each rank's piece, shape [n_ranks]."""
    return np.array([coding.value_bytes(int(m)) for m in np.diff(regions(n, n_ranks))], np.int64)
