"""Words of routing tables: running counts of links per child, and blocks appended to a word list."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from topologies.routes import WORD
from uet.base.tables import Records

Ints = NDArray[np.int64]


class Words:
    """Collects blocks of integers; `table` is the finished WORD table."""

    def __init__(self, *header: int) -> None:
        """Start with the header words."""
        self._blocks: list[Ints] = [np.array(header, np.int64)]
        self._count = len(header)

    def append(self, block: Ints) -> int:
        """Append a block and return the number of its first word."""
        start = self._count
        self._blocks.append(block.reshape(-1))
        self._count += block.size
        return start

    def append_rows(self, block: Ints) -> Ints:
        """Append a matrix and return the number of the first word of each of its rows."""
        return self.append(block) + np.arange(len(block)) * block.shape[1]

    def __setitem__(self, word: int, value: int) -> None:
        """Set a word of the header."""
        self._blocks[0][word] = value

    def table(self) -> Records:
        """Return all words as one WORD table."""
        rows = WORD.zeros(self._count)
        rows["value"] = np.concatenate(self._blocks)
        return rows


def running_offsets(parent: Ints, child: Ints, n_parents: int, n_children: int) -> Ints:
    """Return [n_parents, n_children + 1] running counts of the links from parents to children.

    Where a parent's links are in child order, entries i and i + 1 delimit those to child i.
    """
    counts = np.zeros((n_parents, n_children + 1), np.int64)
    np.add.at(counts, (parent, child + 1), 1)
    return counts.cumsum(axis=1)
