"""Closed forms of `hammingmesh`.

Alltoall, above: traffic between boards in different columns of boards crosses a row network at least once,
that between different rows a column network, through two ports of each line; and what leaves a leaf of a
line's tree. Below, nothing is known. Bisection: half of the boards' columns (or rows) apart cuts every row
(column) network in half. Allreduce: 2 d rings as on a torus, which lines and boards carry, if tapers leave
a port per line.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from solvers.bound import Bound
from solvers.design.forms.base import Forms, Lane, Wish, bisection_of, ring_peak
from topologies.fabric import Order, total_cables
from topologies.families.base import DownUp, ceil_div
from topologies.families.hammingmesh import Line, Parameters, most_boards

BOARDS = ((1, 1), (1, 2), (2, 1), (2, 2), (2, 4), (4, 2), (4, 4), (8, 8))
TAPERS = (DownUp(1, 1), DownUp(2, 1), DownUp(4, 1))
ASPECT = 8
PORTS = 4


def members(wish: Wish) -> Iterator[Parameters]:
    """Yield grids of boards of every legal size, with each taper of lines that need trees."""
    for lane in wish.lanes:
        planes = wish.planes(lane, PORTS)
        if not planes or lane.radix < 3:
            continue
        for board in BOARDS:
            if board[0] * board[1] <= wish.board:
                for grid in _grids(wish, board):
                    for tapers in _tapers(lane, grid):
                        yield Parameters.model_validate(
                            {"board": board, "grid": grid, "radix": lane.radix, "planes": planes, "gbps": lane.gbps}
                            | tapers
                        )


def _grids(wish: Wish, board: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield grids with room for the accelerators whose sides in accelerators differ at most by `ASPECT`."""
    size = board[0] * board[1]
    boards, most = ceil_div(wish.accelerators, size), wish.most // size
    for columns in range(2, most // 2 + 1):
        rows = max(2, ceil_div(boards, columns))
        width, height = columns * board[0], rows * board[1]
        if rows * columns <= most and max(width, height) <= ASPECT * min(width, height):
            yield columns, rows


def _tapers(lane: Lane, grid: tuple[int, int]) -> Iterator[dict[str, DownUp]]:
    rows, cols = (_line_tapers(lane, boards) for boards in grid)
    for row in rows:
        for col in cols:
            yield {"row_taper": row, "col_taper": col}


def _line_tapers(lane: Lane, boards: int) -> list[DownUp]:
    """Return the tapers a line of so many boards can have: one that does nothing if it needs no tree."""
    wanted = TAPERS[:1] if 2 * boards <= lane.radix else TAPERS
    return [t for t in wanted if boards <= most_boards(lane.radix, t)]


def forms(p: Parameters) -> Forms:
    """Return the bounds of a HammingMesh."""
    (a, b), (x, y) = p.board, p.grid
    hosts = a * b * x * y
    row, col = Line(x, p.radix, p.row_taper), Line(y, p.radix, p.col_taper)
    upper = min(_across(row, a, b, y, hosts), _across(col, b, a, x, hosts))
    alltoall = Bound(0.0, upper, "what crosses the row and column networks")
    cut = min(_half(row, a), _half(col, b))
    whole = all(line.tree.up > 0 or line.tree.leaves == 1 for line in (row, col))
    peak = ring_peak(hosts)
    allreduce = Bound(0.0, peak if whole else 0.0, "the ports of every host")
    return Forms(hosts, PORTS * p.gbps * p.planes, alltoall, allreduce, bisection_of(alltoall, hosts, cut))


def _across(line: Line, side: int, other: int, lines_of_boards: int, hosts: int) -> float:
    """Return the bound on alltoall by one dimension, whose boards are `side` long and `other` wide.

    A line's leaf with `down` ports serves as many accelerators' ports as boards end there.
    """
    if line.boards < 2:
        return inf
    beyond = side * other * (line.boards - 1) * lines_of_boards  # accelerators in other places of the dimension
    ports = 2 * other / (PORTS * side * other)  # of a board in this dimension, in injections of each accelerator
    by_ports = ports * (hosts - 1) / beyond
    tree = line.tree
    if not tree.spines:
        return by_ports
    whole = line.down // 2  # boards that end on one leaf with both ports
    if not whole or whole >= line.boards:
        return by_ports
    inside = whole * side * other * lines_of_boards  # accelerators of these columns of boards
    leaving = inside * (hosts - inside) / (hosts - 1)
    lines = other * lines_of_boards
    up = tree.up * lines + (line.down % 2) * lines
    return min(by_ports, up / PORTS / leaving)


def _half(line: Line, side: int) -> float:
    """Return the cut between two halves of the boards of a dimension, over hosts/2 injections."""
    if line.boards % 2:
        return 1.0
    return 1 / (2 * side)


def first_stage(p: Parameters, accelerators: int) -> Order:
    """Return what a first stage orders: rows of boards from the first on, and all switches of the columns."""
    (a, b), (x, y) = p.board, p.grid
    rows = min(y, ceil_div(accelerators, a * b * x))
    row, col = Line(x, p.radix, p.row_taper), Line(y, p.radix, p.col_taper)
    inside = b * rows * row.tree.leaves * row.tree.up + a * x * col.tree.leaves * col.tree.up
    cables = [("dac", b * rows * row.ports), ("aoc", a * x * 2 * rows + inside)]
    return Order((row.boxes(b * rows) + col.boxes(a * x)) * p.planes, total_cables(cables, p.planes))
