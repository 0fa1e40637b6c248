"""`hammingmesh`: boards of a x b accelerators in a mesh, x x y boards joined by row and column trees.

Every accelerator row (b*y of them) and column (a*x) has its own network; the row network joins the W
port of each board's first column and the E port of its last one, so a row line has 2x ports and a
column line 2y. While they fit the radix one switch serves a line, and floor(radix / ports) lines share
a box; else a line is a two-level tree of ceil(ports / down) leaves and ceil(leaves * up / radix) spines
with down:up 1:1 or the taper. Per plane: 2xby DAC (row ports), 2yax AoC (column ports) and leaves * up
AoC inside each tree; links on a board are traces. Diameter: per dimension 2 floor((a-1)/2) + 2 levels.
Source: Hoefler et al., HammingMesh, SC22 (arXiv 2209.01346), sections 3 and 4 and its cost table.

Hosts are numbered row by row over the whole machine; host (R, C) is R * a*x + C; its ports are W, E,
N, S in this order. Group = board, row by row over the grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from topologies.fabric import LINK_CLASSES, Fabric, FabricBuilder, Order, total_cables
from topologies.families.base import DownUp, Ratio, SwitchedModel, ceil_div, spec_text
from topologies.halving import Halving, tree_halving
from topologies.routing.hammingmesh_tables import Dimension, mesh_routes
from topologies.trees import Tree
from uet.base.values import Dims

Ints = NDArray[np.int64]


class Parameters(SwitchedModel):
    """Keys of `hammingmesh`."""

    board: Dims = Field((2, 2), description="accelerators of a board, columns x rows")
    grid: Dims = Field(description="boards, columns x rows")
    row_taper: Ratio = Field(DownUp(1, 1), description="down:up of the leaves of row trees, if rows need trees")
    col_taper: Ratio = Field(DownUp(1, 1), description="the same for columns")
    planes: int = Field(4, ge=1, description="parallel identical networks, each host on all of them")

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        for key, value in (("board", self.board), ("grid", self.grid)):
            if len(value) != 2:
                raise ValueError(f"{key} has {len(value)} dimensions; a HammingMesh has 2, columns x rows")
        for name, boards, taper in (("row", self.grid[0], self.row_taper), ("column", self.grid[1], self.col_taper)):
            if 2 * boards > self.radix and self.radix < 3:
                raise ValueError(f"radix={self.radix} cannot form the trees that the {name}s need; nearest: radix=4")
            most = most_boards(self.radix, taper)
            if boards > most:
                raise ValueError(
                    f"a {name} of {boards} boards needs {2 * boards} ports, but a two-level tree of {self.radix}-port "
                    f"switches has {2 * most}; nearest: {most} boards in a {name} or a higher radix"
                )
        return self


def leaf_split(radix: int, taper: DownUp) -> tuple[int, int]:
    """Return the leaf ports that face the line and the spines for a taper, both at least 1."""
    down = min(max(radix * taper.down // (taper.down + taper.up), 1), radix - 1)
    return down, radix - down


def most_boards(radix: int, taper: DownUp) -> int:
    """Return how many boards a line can join: radix leaves of `down` ports, two ports a board."""
    return max(radix // 2, radix * leaf_split(radix, taper)[0] // 2)


@dataclass(frozen=True)
class Line:
    """The network of one accelerator row or column, two ports per board."""

    boards: int
    radix: int
    taper: DownUp

    @property
    def ports(self) -> int:
        """Ports that face boards."""
        return 2 * self.boards

    @property
    def down(self) -> int:
        """Ports of a leaf that face boards."""
        return self.ports if self.ports <= self.radix else leaf_split(self.radix, self.taper)[0]

    @property
    def tree(self) -> Tree:
        """One leaf, or leaves and spines."""
        if self.ports <= self.radix:
            return Tree(1)
        down, up = leaf_split(self.radix, self.taper)
        leaves = ceil_div(self.ports, down)
        spines = ceil_div(leaves * up, self.radix)
        return Tree(leaves, up, leaves, spines, spines)

    def boxes(self, lines: int) -> int:
        """Physical switches for `lines` lines: small lines share a box."""
        tree = self.tree
        if tree.spines:
            return lines * (tree.leaves + tree.spines)
        return ceil_div(lines, self.radix // self.ports)


def build(p: Parameters) -> Fabric:
    """Return the HammingMesh: hosts, then row leaves and spines, then column leaves and spines."""
    (a, b), (x, y) = p.board, p.grid
    width, height = a * x, b * y
    row, col = np.divmod(np.arange(width * height), width)
    graph = FabricBuilder(width * height, (row // b) * x + col // a)
    rows = _wire(graph, "row", row, col, a, Line(x, p.radix, p.row_taper), p)
    cols = _wire(graph, "col", col, row, b, Line(y, p.radix, p.col_taper), p)
    return graph.build(
        spec_text("hammingmesh", p), "hammingmesh", p.planes, order(p), partial(mesh_routes, rows, cols),
        p.switch_latency_ns, p.model_dump(),
    )  # fmt: skip


def order(p: Parameters) -> Order:
    """Return what is bought over all planes."""
    (a, b), (x, y) = p.board, p.grid
    row, col = Line(x, p.radix, p.row_taper), Line(y, p.radix, p.col_taper)
    inside = b * y * row.tree.leaves * row.tree.up + a * x * col.tree.leaves * col.tree.up
    cables = [("dac", b * y * row.ports), ("aoc", a * x * col.ports + inside)]
    return Order((row.boxes(b * y) + col.boxes(a * x)) * p.planes, total_cables(cables, p.planes))


def _wire(graph: FabricBuilder, name: str, line: Ints, place: Ints, side: int, net: Line, p: Parameters) -> Dimension:
    """Add the networks of all lines of one dimension and the links on the boards along it.

    `line` is each host's line, `place` its place on it, `side` a board's length along it. A host gets
    first its port towards lower places, then the one towards higher places.
    """
    length, lines, tree = side * net.boards, int(line.max()) + 1, net.tree
    leaf = graph.switches(f"{name}leaf", lines * tree.leaves, 1, np.repeat(np.arange(lines), tree.leaves))
    hosts = np.argsort(line * length + place, kind="stable").reshape(lines, length)
    steps = np.arange(length)
    board, within = np.divmod(steps, side)
    low, high = 2 * board // net.down, (2 * board + 1) // net.down  # leaf of each board's two ports
    edge, last = within == 0, within == side - 1
    first_leaf = leaf[0] + np.arange(lines)[:, None] * tree.leaves
    # per place: a link to the line if it is a board's first, then one to the next place or to the line
    near = np.stack([hosts, hosts], axis=-1)
    far = np.stack([first_leaf + low, np.where(last, first_leaf + high, np.roll(hosts, -1, axis=1))], axis=-1)
    cable = LINK_CLASSES.index("dac" if name == "row" else "aoc")
    kind = np.full((lines, length, 2), cable, np.uint8)
    kind[:, ~last, 1] = LINK_CLASSES.index("trace")
    kept = np.broadcast_to(np.stack([edge, np.ones(length, bool)], axis=-1), near.shape)
    graph.links(near[kept], far[kept], kind[kept], p.gbps, p.latency_ns)
    if not tree.spines:
        return Dimension(length, side, net.down, tree, int(leaf[0]), 0)
    spine = graph.switches(f"{name}spine", lines * tree.spines, 2, np.repeat(np.arange(lines), tree.spines))
    below, above = tree.leaf_links
    starts = np.arange(lines)[:, None]
    graph.links(
        (leaf[0] + starts * tree.leaves + below).reshape(-1), (spine[0] + starts * tree.spines + above).reshape(-1),
        "aoc", p.gbps, p.latency_ns,
    )  # fmt: skip
    return Dimension(length, side, net.down, tree, int(leaf[0]), int(spine[0]))


def symmetries(fabric: Fabric) -> Iterator[Ints]:
    """Yield the rotations of the boards that share their leaves, of the columns and of the rows of boards."""
    p = Parameters.model_validate(dict(fabric.parameters))
    (a, b), (x, y) = p.board, p.grid
    width, height = a * x, b * y
    row, col = np.divmod(np.arange(width * height), width)
    turned_cols, turned_rows = _turned(Line(x, p.radix, p.row_taper), a), _turned(Line(y, p.radix, p.col_taper), b)
    yield _moved(fabric, row * width + turned_cols[col], "col", turned_cols)
    yield _moved(fabric, turned_rows[row] * width + col, "row", turned_rows)


def _turned(line: Line, side: int) -> Ints:
    """Return where each place of a line goes when the boards that share both leaves rotate."""
    board = np.arange(line.boards)
    leaves = 2 * board // line.down * (2 * line.boards) + (2 * board + 1) // line.down
    _, first, size = np.unique(leaves, return_index=True, return_counts=True)
    start, count = np.repeat(first, size), np.repeat(size, size)
    target = start + (board - start + 1) % count
    return (target[:, None] * side + np.arange(side)).reshape(-1)


def _moved(fabric: Fabric, hosts: Ints, lines: str, line_to: Ints) -> Ints:
    """Return the permutation of all nodes: hosts as given, and the switches of the lines they carry along."""
    moved = np.arange(len(fabric.nodes))
    moved[: fabric.n_hosts] = hosts
    for r in fabric.names[1:]:
        if r.prefix.startswith(lines):
            block = r.first + np.arange(r.count).reshape(len(line_to), -1)
            moved[block] = block[line_to]
    return moved


def halving(fabric: Fabric) -> Halving | None:
    """Return what halves with a straight border between boards exchange; None where both sides of the grid are odd.

    The lines across the border are cut in the middle: x of their 2x ports on either side, or what
    their trees let through. A square machine of a x a boards and full trees gets 1/(2a).
    """
    p = Parameters.model_validate(dict(fabric.parameters))
    (a, b), (x, y) = p.board, p.grid
    cuts = []
    for boards, taper, lines in ((x, p.row_taper, b * y), (y, p.col_taper, a * x)):
        line = Line(boards, p.radix, taper)
        inside = tree_halving(line.tree, line.ports, line.down, 1.0)
        if boards % 2 == 0 and inside is not None:
            cuts.append(np.array([inside.lower, inside.upper]) * lines * boards / (2 * fabric.n_hosts))
    if not cuts:
        return None
    lower, upper = np.min(cuts, axis=0).tolist()
    return Halving(lower, upper, straight=True)
