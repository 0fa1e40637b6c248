"""The tables of the `hammingmesh` rule, made one dimension at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.routes import ROUTE_NODE, Routes
from topologies.routing.words import Words, running_offsets
from topologies.trees import Tree
from uet.base.tables import Records

Ints = NDArray[np.int64]
SENTENCE = (
    "the channel number grows on every way into a line's tree; inside a number paths go up, down and then "
    "over one board, where no path turns after going north"
)
_HEADER = 6


def _port_sets() -> list[int]:
    """Return for each set of four ports its members, two bits each, and its size from bit 8 on."""
    sets = [[port for port in range(4) if bits >> port & 1] for bits in range(16)]
    return [sum(port << 2 * k for k, port in enumerate(ports)) | len(ports) << 8 for ports in sets]


@dataclass(frozen=True)
class Dimension:
    """One dimension of a HammingMesh: `length` places in boards of `side`, each line with a `tree`.

    Line port q sits on leaf q // down; the trees' nodes are numbered line after line.
    """

    length: int
    side: int
    down: int
    tree: Tree
    first_leaf: int
    first_spine: int

    @property
    def leaves(self) -> tuple[Ints, Ints]:
        """The leaf of the low and of the high line port of each place's board [length]."""
        board = np.arange(self.length) // self.side
        return 2 * board // self.down, (2 * board + 1) // self.down

    def directions(self) -> NDArray[np.uint8]:
        """Return [length, length] of bits: 1 going low is minimal, 2 going high is, from row to column."""
        within = np.arange(self.length) % self.side
        out = within, self.side - 1 - within  # links to the last host before the low and the high line port
        leaf = self.leaves
        bits = np.empty((self.length, self.length), np.uint8)
        for board in range(0, self.length, self.side):
            rows = slice(board, board + self.side)
            cost = [
                out[s][rows, None] + np.minimum(*(out[t] + 2 + 2 * (leaf[s][rows, None] != leaf[t]) for t in (0, 1)))
                for s in (0, 1)
            ]
            inside = within[None, : self.side] - within[: self.side, None]
            for s, forward in ((0, inside < 0), (1, inside > 0)):
                cost[s][:, rows] = np.where(forward, np.minimum(cost[s][:, rows], abs(inside)), cost[s][:, rows])
            least = np.minimum(*cost)
            bits[rows] = (cost[0] == least) + 2 * (cost[1] == least)
        np.fill_diagonal(bits, 0)
        return bits


def mesh_routes(rows: Dimension, cols: Dimension, nodes: Records, ports: Records) -> Routes:
    """Return the `hammingmesh` routes; `hammingmesh` documents the fields."""
    table = ROUTE_NODE.zeros(len(nodes))
    table["first_port"], table["level"] = nodes["first_port"], nodes["level"]
    words = Words(*[0] * _HEADER, *_port_sets())
    n_hosts = rows.length * cols.length
    row, col = np.divmod(np.arange(n_hosts), rows.length)
    host = slice(0, n_hosts)
    table["a"][host], table["b"][host] = col, row
    table["c"][host], table["d"][host] = col * rows.length, row * cols.length
    table["e"][host] = _line_ports(rows, col) | _line_ports(cols, row) << 2
    for number, dimension in enumerate((rows, cols)):
        words[number] = words.append(_packed(dimension.directions()))
        words[2 + number] = words.append(_places(dimension))
        words[4 + number] = dimension.side - 1
        _fill_lines(table, words, dimension, number, n_hosts // dimension.length, nodes)
    return Routes("hammingmesh", table, words.table(), 3, SENTENCE)


def _line_ports(d: Dimension, place: Ints) -> Ints:
    """Return the ports of each host that lead into the line: bit 0 the low one, bit 1 the high one."""
    within = place % d.side
    lines: Ints = (within == 0) + 2 * (within == d.side - 1)
    return lines


def _packed(bits: NDArray[np.uint8]) -> Ints:
    """Pack two bits per entry, sixteen entries to a signed 32-bit word."""
    flat = np.zeros(-(-bits.size // 16) * 16, np.uint32)
    flat[: bits.size] = bits.reshape(-1)
    shifted = flat.reshape(-1, 16) << np.arange(0, 32, 2, dtype=np.uint32)
    return np.bitwise_or.reduce(shifted, axis=1).view(np.int32).astype(np.int64)


def _places(d: Dimension) -> Ints:
    """Return [length, 4]: low line port, leaf of the low one, leaf of the high one, place on the board."""
    place = np.arange(d.length)
    return np.stack([2 * (place // d.side), *d.leaves, place % d.side], axis=1)


def _fill_lines(table: Records, words: Words, d: Dimension, number: int, lines: int, nodes: Records) -> None:
    leaf = slice(d.first_leaf, d.first_leaf + lines * d.tree.leaves)
    mine = np.tile(np.arange(d.tree.leaves), lines)
    table["a"][leaf], table["b"][leaf] = number, mine
    table["c"][leaf], table["d"][leaf] = d.tree.up, nodes["n_ports"][leaf] - d.tree.up
    table["e"][leaf] = mine * d.down
    if not d.tree.spines:
        return
    spine = slice(d.first_spine, d.first_spine + lines * d.tree.spines)
    below, above = d.tree.leaf_links
    offsets = running_offsets(above, below, d.tree.spines, d.tree.leaves)
    table["a"][spine] = number
    table["b"][spine] = np.tile(words.append_rows(offsets), lines)
