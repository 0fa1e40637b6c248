"""Alltoall in two phases over a grid: along the rows for all of a column, then along the columns.

n - 1 small messages become (columns - 1) + (rows - 1) larger ones, for bytes sent twice. With ranks in rows
of c (an island, say, in which phase one stays), n = c m, blocks of D/n:

    2 steps; (c - 1)/c D bytes sent per rank along its row, (m - 1)/m D along its column

In phase two only ranks of like place in their rows talk, so each NIC of a rail sends to its rail alone, as
NCCL's PXN does (Tiwari et al. 2022, "Doubling all2all performance with NCCL 2.12").
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.hierarchical import DEFAULT_ISLAND
from uet.schedule.collectives.pieces import blocks, grid_of, island_of
from uet.schedule.model import DATA, SCRATCH, Index, Schedule, ScheduleBuilder


def alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8", grid: tuple[int, ...] | None = None) -> Schedule:
    """Return the schedule for ranks numbered row by row over `grid` = (columns, rows), by default the most square."""
    columns, rows = grid_of(n_ranks, grid, dimensions=2)
    return _Grid("2d", columns, rows, size_bytes, dtype).build()


def island_alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8", island: int = DEFAULT_ISLAND) -> Schedule:
    """Return the schedule whose rows are islands of `island` consecutive ranks."""
    return _Grid("hierarchical", island_of(n_ranks, island), n_ranks // island, size_bytes, dtype).build()


class _Grid:
    """Builds the schedule; block sizes are those of the receiving rank.

    Scratch: the messages to the row [columns][rows], those from it, and the blocks that go on, [rows][columns].
    """

    def __init__(self, name: str, columns: int, rows: int, size_bytes: int, dtype: str) -> None:
        self.columns, self.rows, self.size_bytes, n = columns, rows, size_bytes, columns * rows
        self.offsets, self.ranks = blocks(size_bytes, n, dtype), np.arange(n)
        self.sizes = np.diff(self.offsets)
        self.column, self.row = self.ranks % columns, self.ranks // columns
        by_column = self.sizes.reshape(rows, columns).T  # [column, row]: sizes of the blocks for a column's ranks
        self.inside = np.cumsum(by_column, axis=1) - by_column
        self.totals = by_column.sum(axis=1)
        self.slot = int(self.totals.max())
        out_bytes = size_bytes + n * int(self.sizes.max())
        self.builder = ScheduleBuilder(f"alltoall {name}", n, out_bytes, 3 * columns * self.slot, dtype, "alltoall")

    def build(self) -> Schedule:
        """Return the schedule; a rank sends on what it has from all of its row."""
        gathered = [self._along_row(distance) for distance in range(self.columns)]
        for distance in range(self.rows):
            self._along_column(distance, gathered)
        return self.builder.build()

    def _along_row(self, distance: int) -> list[Index]:
        """Send everything for the column `distance` places on; return the copies by row after which it may go on."""
        there = (self.column + distance) % self.columns
        out = there * self.slot
        packed = [
            self._copy(out + self.inside[there, row], self.offsets[row * self.columns + there], self.sizes, there, row)
            for row in range(self.rows)
        ]
        came_from = (self.column - distance) % self.columns
        into = (self.columns + came_from) * self.slot
        ready = tuple(packed)
        if distance:
            peer, total = self.row * self.columns + there, self.totals[there]
            _, arrived = self.builder.transfer(
                self.ranks, peer, total, offset=out, to_offset=(self.columns + self.column) * self.slot,
                buffer=SCRATCH, to_buffer=SCRATCH, tag=0, after=ready, where=total > 0,
            )  # fmt: skip
            received: Index = np.empty_like(arrived)
            received[peer] = arrived
            ready = (received,)
        else:
            into = out
        base, mine = 2 * self.columns * self.slot, self.column
        return [
            self.builder.copy(
                self.ranks, size, base + self.columns * self.inside[mine, row] + came_from * size,
                into + self.inside[mine, row], buffer=SCRATCH, after=ready, where=size > 0,
            )
            for row in range(self.rows)
            for size in (self.sizes[row * self.columns + mine],)
        ]  # fmt: skip

    def _copy(self, to: Index, source: Index, sizes: Index, column: Index, row: int) -> Index:
        size = sizes[row * self.columns + column]
        return self.builder.copy(self.ranks, size, to, source, source_buffer=DATA, buffer=SCRATCH, where=size > 0)

    def _along_column(self, distance: int, gathered: list[list[Index]]) -> None:
        """Send the blocks of the whole row to the rank `distance` rows on; they lie side by side there as well."""
        there = (self.row + distance) % self.rows
        peer = there * self.columns + self.column
        size = self.columns * self.sizes[peer]
        source = 2 * self.columns * self.slot + self.columns * self.inside[self.column, there]
        ready = tuple(np.stack(by_row)[there, self.ranks] for by_row in gathered)
        place = self.size_bytes + self.row * self.columns * self.sizes[peer]
        if distance:
            self.builder.transfer(
                self.ranks, peer, size, offset=source, to_offset=place, buffer=SCRATCH, tag=1, after=ready,
                where=size > 0,
            )  # fmt: skip
        else:
            self.builder.copy(self.ranks, size, place, source, buffer=DATA, after=ready, where=size > 0)
