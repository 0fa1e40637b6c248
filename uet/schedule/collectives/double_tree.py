"""Double binary tree: two trees carry half of the vector each, and who is a leaf of one works in the other.

Sanders, Speck, Träff 2009, "Two-tree algorithms for full bandwidth broadcast, reduction and scan". Each
half goes up its tree to be summed and down again, in chunks that follow each other. Ranks other than
the roots send up to D bytes up and D down: 2 (n - 1)/n D on average, in 2 ceil(log2 n) steps.
"""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.collectives.pieces import blocks, cut
from uet.schedule.model import SCRATCH, Index, Schedule, ScheduleBuilder, Where

DEFAULT_CHUNKS = 8


def allreduce(n_ranks: int, size_bytes: int, dtype: str = "float32", chunks: int = DEFAULT_CHUNKS) -> Schedule:
    """Return the schedule with `chunks` chunks per tree.

    2 ceil(log2 n) steps; in all 2 (n - 1) D bytes in 4 (n - 1) chunks messages. Scratch: place for the
    vectors of two children. Raises BadInput for fewer than one chunk.
    """
    if chunks < 1:
        raise BadInput(f"chunks={chunks} must be at least 1")
    halves = blocks(size_bytes, 2, dtype)
    builder = ScheduleBuilder("allreduce double tree", n_ranks, size_bytes, 2 * size_bytes, dtype, "allreduce")
    for number, parent in enumerate(two_trees(n_ranks)):
        pieces = cut(halves[number], halves[number + 1], chunks, dtype)
        tree = Tree(builder, parent, pieces[:-1], np.diff(pieces), 2 * number * chunks)
        tree.spread(tree.gather())
    return builder.build()


def two_trees(n: int) -> tuple[Index, Index]:
    """Return the parents of all ranks in both trees, -1 for the root, each of shape [n].

    The first is the in-order tree over 1 .. n - 1 below root 0, in which odd ranks are leaves; the second
    is its mirror image (even n) or shifted by one (odd n), so that odd ranks work and even ones are leaves.
    """
    ranks = np.arange(n)
    low = ranks & -ranks
    parent = ranks ^ low | low << 1
    parent = np.where(parent >= n, ranks ^ low, parent)
    parent[0] = -1
    image = n - 1 - ranks if n % 2 == 0 else (ranks + 1) % n
    second = np.full(n, -1, np.int64)
    second[image[1:]] = image[parent[1:]]
    return parent, second


class Tree:
    """One tree; its chunks have the offsets and sizes of `starts` and `sizes`, shape [chunks]."""

    def __init__(self, builder: ScheduleBuilder, parent: Index, starts: Index, sizes: Index, first_tag: int) -> None:
        """Take the parents of all ranks, -1 for the root."""
        self.builder, self.parent = builder, parent
        self.starts, self.sizes = starts, sizes
        self.tags = first_tag + np.arange(len(sizes))
        self.levels = _levels(parent)
        self.child_number = np.zeros(len(parent), np.int64)  # of a rank among its parent's children
        ranks = np.flatnonzero(parent >= 0)
        order = ranks[np.argsort(parent[ranks], kind="stable")]
        _, first, place = np.unique(parent[order], return_index=True, return_inverse=True)
        self.child_number[order] = np.arange(len(order)) - first[place]

    def gather(self) -> Index:
        """Add the way up, deepest ranks first; return the last reduction of every rank and chunk [n, chunks]."""
        reduced = np.full((len(self.parent), len(self.sizes)), -1, np.int64)
        for level in reversed(self.levels[1:]):
            for child in range(int(self.child_number[level].max()) + 1):
                ranks = level[self.child_number[level] == child][:, None]
                up = self.parent[ranks]
                received, place = self._up(ranks, up, child, (reduced[ranks[:, 0]],))
                reduced[up[:, 0]] = self.builder.reduce(
                    up, self.sizes, self.starts, place, after=(received, reduced[up[:, 0]]), where=self.sizes > 0
                )
        return reduced

    def spread(self, reduced: Index) -> None:
        """Add the way down from the root, which sends a chunk once it is summed."""
        have = reduced.copy()
        for level in self.levels[1:]:
            ranks = level[:, None]
            up = self.parent[ranks]
            have[level] = self._down(up, ranks, (have[up[:, 0]],))

    def _up(self, ranks: Index, up: Index, child: int, after: tuple[Where, ...]) -> tuple[Index, Index]:
        """Send to the parents, whose children of this number they are; return the receives and where in scratch."""
        place = self.starts + child * self.builder.data_bytes
        _, received = self.builder.transfer(
            ranks, up, self.sizes, offset=self.starts, to_offset=place, to_buffer=SCRATCH, tag=self.tags,
            after=after, where=self.sizes > 0,
        )  # fmt: skip
        return received, place

    def _down(self, up: Index, ranks: Index, after: tuple[Where, ...]) -> Index:
        """Send to the children; return what their data is complete with."""
        _, received = self.builder.transfer(
            up, ranks, self.sizes, offset=self.starts, tag=self.tags + len(self.tags), after=after,
            where=self.sizes > 0,
        )  # fmt: skip
        return received


def _levels(parent: Index) -> list[Index]:
    """Return the ranks by distance from the root."""
    levels = [np.flatnonzero(parent < 0)]
    while len(levels[-1]):
        levels.append(np.flatnonzero(np.isin(parent, levels[-1])))
    return levels[:-1]
