"""Four rings at once on a torus or HammingMesh: two edge-disjoint Hamiltonian cycles, each in both directions.

The first cycle walks c - 1 steps along a row and one step down, again and again; the second takes the
links that are left: c - 1 steps down and one along. On r x c ranks with c dividing r both are single
cycles if and only if gcd(r, c - 1) = 1 (Bae, AlBdaiwi, Bose 2004, "Edge-disjoint Hamiltonian cycles in
two-dimensional torus"; used for HammingMesh by Hoefler et al., SC22). Each of the four rings carries a
quarter of the vector over links of its own, so all four ports of a rank send and receive at once.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.collectives.pieces import blocks, grid_of
from uet.schedule.collectives.ring import chunked_rings
from uet.schedule.model import Index, Schedule, ScheduleBuilder


def allreduce(
    n_ranks: int,
    size_bytes: int,
    dtype: str = "float32",
    first_steps: int | None = None,
    grid: tuple[int, ...] | None = None,
    chunks: int | None = None,
) -> Schedule:
    """Return four ring allreduces of a quarter of the vector each, in `chunks` that follow each other.

    2 (n - 1) steps; rank r sends 2 (n - 1)/n D bytes in all, a quarter through each port. Ranks are
    numbered row by row over `grid` = (columns, rows); by default the most square grid of n ranks.
    `first_steps` keeps only that many steps. Raises BadInput for grids without two disjoint cycles.
    """
    columns, rows = grid_of(n_ranks, grid, dimensions=2)
    quarters = blocks(size_bytes, 4, dtype)
    whole = first_steps is None or first_steps >= 2 * (n_ranks - 1)
    name, result = ("allreduce dual-rings", "allreduce") if whole else ("part of allreduce dual-rings", "")
    builder = ScheduleBuilder(name, n_ranks, size_bytes, dtype=dtype, result=result)
    for k, ranks in enumerate(_four_directions(columns, rows)):
        start = int(quarters[k])
        offsets = start + blocks(int(quarters[k + 1]) - start, n_ranks, dtype)
        for ring in chunked_rings(builder, ranks, offsets, chunks):
            ring.allreduce(builder, first_steps)
    return builder.build()


def hamiltonian_cycles(columns: int, rows: int) -> tuple[Index, Index]:
    """Return two edge-disjoint cycles through all ranks r * columns + c of a torus, each of shape [n].

    Raises BadInput where the construction gives none: see the top of this file.
    """
    if rows % columns and columns % rows == 0:
        first, second = hamiltonian_cycles(rows, columns)
        return tuple((k % rows) * columns + k // rows for k in (first, second))  # type: ignore[return-value]
    if min(columns, rows) < 3 or rows % columns or gcd(rows, columns - 1) != 1:
        raise BadInput(
            f"grid={columns}x{rows} has no two edge-disjoint rings of the known kind; choose sides a >= 3 and b "
            f"with a dividing b and gcd(b, a - 1) = 1, such as 4x4, 16x32 or 32x32"
        )
    k = np.arange(columns * rows)
    lines, along = np.divmod(k, columns)
    first = lines * columns + (along - lines) % columns
    moves = np.arange(1, columns * rows)  # the first node is (0, 0); every c-th move goes along, the others down
    right = np.concatenate([[0], np.cumsum(moves % columns == 0)])
    second = (k - right) % rows * columns + right % columns
    return first, second


def _four_directions(columns: int, rows: int) -> list[Index]:
    return [cycle[::way].copy() for cycle in hamiltonian_cycles(columns, rows) for way in (1, -1)]
