"""Allocation on a HammingMesh: virtual sub-meshes of boards (Hoefler et al., SC22).

A job of u x v boards takes v free board columns that are the same in u board rows, adjacent or not: the
row and column networks make them a HammingMesh of their own. The search is greedy: from every starting
row, take each following row that leaves v columns free in common, until there are u. A failed board is
an occupied one. Options add the shape turned round, other aspects, and locality: among what the search
finds, take the boards that touch the fewest leaf switches.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from topologies.allocators.base import Allocation, Allocator, PlacementOptions
from topologies.cuts import Cuts, Partition
from topologies.fabric import Fabric
from topologies.failures import Damage
from topologies.families.base import DownUp
from topologies.families.hammingmesh import Line

Ints = NDArray[np.int64]
Shape = tuple[int, int]


def board_shapes(boards: int, options: PlacementOptions) -> list[Shape]:
    """Return the shapes (u rows, v columns) to try for so many boards: the least wasteful and squarest first.

    Without the aspect option only the squarest; without transpose only u <= v.
    """
    side = isqrt(boards)
    flat = [(u, -(-boards // u)) for u in range(1, side + 1)]
    if side * side < boards:
        flat.append((side + 1, side + 1))  # as wasteful as a column more, but square
    ranked = sorted(flat, key=lambda s: (s[0] * s[1], s[1] - s[0]))
    chosen = [s for s in ranked if s[1] <= options.max_aspect * s[0]]
    if not options.aspect:
        chosen = [s for s in ranked if s[0] >= side][:1]
    return list(dict.fromkeys(s for u, v in chosen for s in ((u, v), (v, u)) if options.transpose or s[0] <= s[1]))


class SubmeshAllocator(Allocator):
    """Gives out whole boards of a HammingMesh."""

    def __init__(self, fabric: Fabric, cuts: Cuts, damage: Damage, options: PlacementOptions) -> None:
        """Find the boards, which of them work, and the leaves that their rows and columns hang on."""
        p = fabric.parameters
        (a, b), (self.columns, self.rows) = p["board"], p["grid"]
        self.options = options
        self.board_hosts = _board_hosts(a, b, self.columns, self.rows)
        nets = (
            Line(self.columns, p["radix"], DownUp(*p["row_taper"])),
            Line(self.rows, p["radix"], DownUp(*p["col_taper"])),
        )
        self.column_leaf, self.row_leaf = (2 * np.arange(net.boards) // net.down for net in nets)
        down = damage.host_down.copy()
        broken: NDArray[np.bool_] = np.any(damage.host_down[self.board_hosts], axis=2)
        down[self.board_hosts[broken]] = True
        borders = [_tree_borders(fabric, damage, name, net) for name, net in zip(("row", "col"), nets, strict=True)]
        super().__init__(fabric, cuts, down, [border for border in borders if border is not None])
        self.local = options.locality and any(net.tree.spines for net in nets)
        self._masks = [sum(1 << int(c) for c in np.flatnonzero(~broken[r])) for r in range(self.rows)]
        self._shapes = cache(lambda boards: board_shapes(boards, options))

    @property
    def board_size(self) -> int:
        """Accelerators of a board."""
        return self.board_hosts.shape[2]

    def _fitting_shapes(self, size: int) -> list[Shape]:
        shapes: list[Shape] = self._shapes(-(-size // self.board_size))
        return [(u, v) for u, v in shapes if u <= self.rows and v <= self.columns]

    def can_ever(self, size: int) -> bool:
        """Tell whether a shape that the options allow fits the grid."""
        return bool(self._fitting_shapes(size))

    def find(self, size: int) -> Allocation | None:
        """Return a sub-mesh of at least `size` accelerators, or None if the search finds none."""
        for u, v in self._fitting_shapes(size):
            found = self._search(u, v)
            if found is not None:
                rows, columns = found
                hosts = np.sort(self.board_hosts[np.ix_(rows, columns)].reshape(-1))
                return self.make(size, hosts, (u, v))
        return None

    def _search(self, u: int, v: int) -> tuple[Ints, Ints] | None:
        """Return (rows, columns) of the first, or with locality the most local, u x v boards free in common."""
        wide = [(r, m) for r, m in enumerate(self._masks) if m.bit_count() >= v]
        best: tuple[int, Ints, Ints] | None = None
        for start in range(len(wide) - u + 1):
            rows, common = _grow(wide, start, u, v)
            if len(rows) < u:
                continue
            columns = self._choose_columns(common, v)
            if not self.local:
                return np.array(rows), columns
            leaves = len(np.unique(self.row_leaf[rows])) + len(np.unique(self.column_leaf[columns]))
            if best is None or leaves < best[0]:
                best = leaves, np.array(rows), columns
        return None if best is None else best[1:]

    def _choose_columns(self, common: int, v: int) -> Ints:
        """Return v of the columns in a mask: the lowest, or with locality those of the fullest leaves."""
        columns = np.array([c for c in range(self.columns) if common >> c & 1])
        if self.local:
            leaf = self.column_leaf[columns]
            fullness = np.bincount(leaf)[leaf]
            columns = columns[np.lexsort((columns, leaf, -fullness))]
        return np.sort(columns[:v])

    def take(self, allocation: Allocation) -> None:
        """Occupy the boards of an allocation."""
        super().take(allocation)
        self._flip(allocation)

    def release(self, allocation: Allocation) -> None:
        """Free the boards of an allocation."""
        super().release(allocation)
        self._flip(allocation)

    def _flip(self, allocation: Allocation) -> None:
        rows, columns = self.boards_of(allocation)
        mask = sum(1 << int(c) for c in columns)
        for r in rows:
            self._masks[r] ^= mask

    def boards_of(self, allocation: Allocation) -> tuple[Ints, Ints]:
        """Return the board rows and board columns of an allocation."""
        mine = np.isin(self.board_hosts[:, :, 0], allocation.hosts)
        return np.flatnonzero(mine.any(axis=1)), np.flatnonzero(mine.any(axis=0))


def _grow(wide: list[tuple[int, int]], start: int, u: int, v: int) -> tuple[list[int], int]:
    """Return up to u rows from `start` on, each leaving v columns free in common, and those columns' mask."""
    row, common = wide[start]
    rows = [row]
    for row, mask in wide[start + 1 :]:
        if len(rows) == u:
            break
        if (common & mask).bit_count() >= v:
            common &= mask
            rows.append(row)
    return rows, common


def _board_hosts(a: int, b: int, columns: int, rows: int) -> Ints:
    """Return the hosts of every board, [rows, columns, a * b], hosts being numbered row by row over the machine."""
    host = np.arange(rows * b * columns * a).reshape(rows, b, columns, a)
    return host.transpose(0, 2, 1, 3).reshape(rows, columns, a * b)


def _tree_borders(fabric: Fabric, damage: Damage, name: str, net: Line) -> Partition | None:
    """Return the borders of the leaves of a dimension's trees, or None where one switch serves a line.

    A ring along a line crosses a leaf's border on two links each way, so `up` uplinks carry up/2 jobs.
    Sets are (board line, leaf), board lines their parents: all accelerator lines of a board line carry
    the same jobs, and the one with the fewest uplinks left decides.
    """
    if not net.tree.spines:
        return None
    (a, b), (x, y) = fabric.parameters["board"], fabric.parameters["grid"]
    per_board, boards_across = (b, y) if name == "row" else (a, x)
    leaves = net.tree.leaves
    first = fabric.node_number(f"{name}leaf0")
    rate = (fabric.links["gbps"] * damage.link_rate.sum(axis=0))[fabric.ports["link"]]
    node, peer = fabric.ports["node"], fabric.ports["node"][fabric.ports["peer"]]
    up = (node >= first) & (node < first + per_board * boards_across * leaves) & (fabric.nodes["level"][peer] > 1)
    uplinks = np.bincount(node[up] - first, rate[up], minlength=per_board * boards_across * leaves)
    worst = uplinks.reshape(boards_across, per_board, leaves).min(axis=1).reshape(-1)
    link_gbps = float(fabric.links["gbps"].max()) * fabric.planes
    row, column = np.divmod(np.arange(fabric.n_hosts), a * x)
    line, place = (row // b, column // a) if name == "row" else (column // a, row // b)
    parent = np.repeat(np.arange(boards_across), leaves)
    return Partition(f"{name} leaf", line * leaves + 2 * place // net.down, worst / link_gbps / 2, parent)
