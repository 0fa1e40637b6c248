"""Allreduce of a job on a (virtual) sub-mesh of a HammingMesh.

The boards of u rows and v columns of boards, adjacent or not, form a virtual sub-mesh: through the row and
column switches every accelerator still has a neighbour on either side, so the job sees a torus. Two
edge-disjoint Hamiltonian cycles carry a quarter of the vector each way where the sides allow it, else
reduce-scatters along rows and columns do (Hoefler et al. 2022, "HammingMesh", section III-D).
"""

from __future__ import annotations

from uet.base.errors import BadInput
from uet.schedule.collectives import dual_rings, torus
from uet.schedule.collectives.pieces import grid_of
from uet.schedule.model import Schedule


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", grid: tuple[int, ...] | None = None,
    chunks: int | None = None,
) -> Schedule:  # fmt: skip
    """Return the schedule for accelerators numbered row by row over the sub-mesh `grid` = (columns, rows).

    2 (n - 1) steps where the sides have two cycles (see `dual_rings`), else 2 (columns + rows - 2); rank r
    sends 2 (n - 1)/n D bytes, the same share through each of its four ports. Raises BadInput if the grid
    does not hold n ranks.
    """
    columns, rows = grid_of(n_ranks, grid, dimensions=2)
    try:
        dual_rings.hamiltonian_cycles(columns, rows)
    except BadInput:
        return torus.allreduce(n_ranks, size_bytes, dtype, (columns, rows), chunks)
    return dual_rings.allreduce(n_ranks, size_bytes, dtype, None, (columns, rows), chunks)
