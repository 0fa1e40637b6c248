"""Ordered partitions of a coloured graph and their refinement: the engine of the search for automorphisms.

A partition keeps the nodes in one array, each cell a stretch of it, so that a cell is named by its
start. Splitting cells by what they see of one another (Hopcroft 1971; McKay and Piperno 2014) touches
only the surroundings of what changed. Every decision depends on starts, sizes and hashes but not on
node numbers: equal graphs give equal partitions and equal traces. A hash collision can only hide a
split, and every automorphism that is built from partitions is verified afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uet.base.jit import kernel
from uet.base.rng import mix64

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]


@kernel
def _sort_by_score(nodes: np.ndarray, start: int, count: int, score: np.ndarray) -> None:
    """Heap sort of nodes[start : start + count] by score."""
    for half in range(count // 2 - 1, -1, -1):
        _sink(nodes, start, half, count, score)
    for last in range(count - 1, 0, -1):
        nodes[start], nodes[start + last] = nodes[start + last], nodes[start]
        _sink(nodes, start, 0, last, score)


@kernel
def _sink(nodes: np.ndarray, start: int, at: int, count: int, score: np.ndarray) -> None:
    while 2 * at + 1 < count:
        below = 2 * at + 1
        if below + 1 < count and score[nodes[start + below + 1]] > score[nodes[start + below]]:
            below += 1
        if score[nodes[start + below]] <= score[nodes[start + at]]:
            return
        nodes[start + at], nodes[start + below] = nodes[start + below], nodes[start + at]
        at = below


@kernel
def _score_neighbours(
    members: np.ndarray, first: np.ndarray, head: np.ndarray, kind: np.ndarray, nodes: np.ndarray, place: np.ndarray,
    cell: np.ndarray, size: np.ndarray, score: np.ndarray, hits: np.ndarray, touched: np.ndarray,
) -> int:  # fmt: skip
    """Add up the arc colours by which each node sees `members`; return the number of cells `touched`.

    Touched nodes move to the end of their cell; `hits` counts them per cell.
    """
    cells = 0
    for node in members:
        for arc in range(first[node], first[node + 1]):
            other = head[arc]
            if score[other] == np.uint64(0):
                start = cell[other]
                if hits[start] == 0:
                    touched[cells] = start
                    cells += 1
                hits[start] += 1
                end = start + size[start] - hits[start]
                moved, gap = nodes[end], place[other]
                nodes[gap], nodes[end] = moved, other
                place[moved], place[other] = gap, end
            score[other] += kind[arc]
    return cells


@kernel
def _split(
    start: int, hit: int, nodes: np.ndarray, place: np.ndarray, cell: np.ndarray, size: np.ndarray, score: np.ndarray,
    queue: np.ndarray, queued: np.ndarray, tail: int,
) -> int:  # fmt: skip
    """Split one cell by score, its last `hit` nodes being touched and sorted; return the new end of the queue.

    Queued are all parts but a largest one, or all parts if the cell was queued already.
    """
    end = start + size[start]
    part, largest = start, start
    size[start] -= hit
    if size[start] == 0:
        size[start] = hit
    for k in range(end - hit, end):
        node = nodes[k]
        place[node] = k
        if k > start and (k == end - hit or score[node] != score[nodes[k - 1]]):
            if part >= end - hit:
                size[part] = k - part
            part = k
        cell[node] = part
    size[part] = end - part
    part = start
    while part < end:
        if size[part] > size[largest]:
            largest = part
        part += size[part]
    part, all_parts = start, queued[start] == 1
    while part < end:
        if queued[part] == 0 and (part != largest or all_parts):
            queue[tail % len(queue)] = part
            queued[part] = 1
            tail += 1
        part += size[part]
    return tail


@kernel
def _refine(
    first: np.ndarray, head: np.ndarray, kind: np.ndarray, nodes: np.ndarray, place: np.ndarray, cell: np.ndarray,
    size: np.ndarray, queue: np.ndarray, queued: np.ndarray, tail: int, members: np.ndarray, score: np.ndarray,
    hits: np.ndarray, touched: np.ndarray,
) -> np.uint64:  # fmt: skip
    """Refine until stable, starting from the queued cells; return the trace."""
    trace, at = np.uint64(0), 0
    while at < tail:
        start = queue[at % len(queue)]
        at += 1
        queued[start] = 0
        count = size[start]
        members[:count] = nodes[start : start + count]
        cells = _score_neighbours(members[:count], first, head, kind, nodes, place, cell, size, score, hits, touched)
        touched[:cells].sort()
        for k in range(cells):
            here = touched[k]
            hit, low = hits[here], here + size[here] - hits[here]
            _sort_by_score(nodes, low, hit, score)
            total = np.uint64(hit)
            for j in range(low, low + hit):
                total += mix64(score[nodes[j]])
            trace = mix64(trace ^ mix64(np.uint64(here)) ^ total)
            tail = _split(here, hit, nodes, place, cell, size, score, queue, queued, tail)
            for j in range(low, low + hit):
                score[nodes[j]] = np.uint64(0)
            hits[here] = 0
    return trace


@dataclass(frozen=True, eq=False)
class Structure:
    """A graph to be searched for symmetry: arcs by tail (both directions present), arc and node colours.

    `first` [n + 1], `head`, `kind` [n_arcs] (hashed arc colours, never 0), `colour` [n] (hashed).
    """

    first: Ints
    head: Ints
    kind: Words
    colour: Words

    @property
    def n(self) -> int:
        """Nodes."""
        return len(self.colour)

    def twins(self) -> tuple[Ints, Ints]:
        """Return the twin class of each node and its rank in it.

        Twins have the same colour and the same arcs to the same other nodes; they may be adjacent.
        """
        named: Words = mix64(np.arange(self.n, dtype=np.uint64))
        tail = np.repeat(np.arange(self.n), np.diff(self.first))
        apart = np.zeros(self.n, np.uint64)
        np.add.at(apart, tail, mix64(named[self.head] ^ self.kind))
        like = self.colour[tail] == self.colour[self.head]
        kinds = np.zeros(self.n, np.uint64)
        np.maximum.at(kinds, tail[like], self.kind[like])
        joined = apart + mix64(named ^ kinds)  # the neighbourhood with the node itself: equal for adjacent twins
        label = _group(np.stack([self.colour, apart], axis=1))
        near = _group(np.stack([self.colour, joined, kinds], axis=1))
        label = np.where(np.bincount(label)[label] == 1, near + self.n, label)
        label = np.unique(label, return_inverse=True)[1].astype(np.int64)
        order = np.argsort(label, kind="stable")
        starts = np.searchsorted(label[order], np.arange(label.max(initial=0) + 1))
        rank = np.empty(self.n, np.int64)
        rank[order] = np.arange(self.n) - starts[label[order]]
        return label, rank


@dataclass(eq=False)
class Partition:
    """An ordered partition: `nodes` in order, `place` of each node, start of each node's `cell`, `size` by start."""

    nodes: Ints
    place: Ints
    cell: Ints
    size: Ints

    def copy(self) -> Partition:
        """Return an independent copy."""
        return Partition(self.nodes.copy(), self.place.copy(), self.cell.copy(), self.size.copy())

    def members(self, start: int) -> Ints:
        """Return the nodes of the cell that begins at `start`."""
        return self.nodes[start : start + self.size[start]]

    @property
    def starts(self) -> Ints:
        """The starts of all cells."""
        return np.flatnonzero(self.cell[self.nodes] == np.arange(len(self.nodes))).astype(np.int64)

    def smallest(self) -> int:
        """Return the start of the first smallest cell with more than one member, -1 if all are alone."""
        starts = self.starts
        many = starts[self.size[starts] > 1]
        return -1 if len(many) == 0 else int(many[np.argmin(self.size[many])])

    def single_out(self, node: int) -> None:
        """Move `node` to the front of its cell and make it a cell of its own (of a cell of two or more)."""
        start = int(self.cell[node])
        other, place = self.nodes[start], self.place[node]
        self.nodes[start], self.nodes[place] = node, other
        self.place[node], self.place[other] = start, place
        self.cell[self.nodes[start + 1 : start + self.size[start]]] = start + 1
        self.size[start + 1] = self.size[start] - 1
        self.size[start] = 1


class Refiner:
    """Refines partitions of one structure; owns the scratch arrays."""

    def __init__(self, structure: Structure) -> None:
        """Allocate scratch for `structure`."""
        n = structure.n
        self.structure = structure
        self._queue, self._queued = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.int64)
        self._members, self._score = np.zeros(n, np.int64), np.zeros(n, np.uint64)
        self._hits, self._touched = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)

    def start(self, colour: Words) -> Partition:
        """Return the stable partition by `colour`."""
        order = np.argsort(colour, kind="stable").astype(np.int64)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        sorted_colour = colour[order]
        cell = np.searchsorted(sorted_colour, colour).astype(np.int64)
        size = np.zeros(len(order) + 1, np.int64)
        starts, counts = np.unique(cell, return_counts=True)
        size[starts] = counts
        partition = Partition(order, place, cell, size)
        self.refine(partition, starts)
        return partition

    def refine(self, partition: Partition, changed: Ints) -> int:
        """Refine in place after the cells that begin at `changed` are new; return the trace."""
        s, p = self.structure, partition
        self._queue[: len(changed)], self._queued[changed] = changed, 1
        trace = _refine(
            s.first, s.head, s.kind, p.nodes, p.place, p.cell, p.size, self._queue, self._queued, len(changed),
            self._members, self._score, self._hits, self._touched,
        )  # fmt: skip
        return int(trace)

    def individualise(self, partition: Partition, node: int) -> int:
        """Single out `node` in place and refine; return the trace."""
        partition.single_out(node)
        return self.refine(partition, np.array([partition.cell[node]]))


def hashed(values: NDArray[np.float64]) -> Words:
    """Return a well mixed word per number; equal numbers give equal words."""
    words: Words = mix64(np.ascontiguousarray(values, np.float64).view(np.uint64))
    return words


def _group(rows: Words) -> Ints:
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
