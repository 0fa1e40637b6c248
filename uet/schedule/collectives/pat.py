"""PAT, parallel aggregated trees: a binomial tree for every block at once, far steps first.

Step k moves blocks 2**(K-1-k) ranks on, K = ceil(log2 n), so that few blocks go far and many go near. Blocks that a
rank sends to the same peer are packed into messages of at most `aggregate` blocks, which bounds the room
they need. With D bytes over n ranks, for any n:

    allgather       ceil(log2 n) rounds, up to as many steps, (n - 1)/n D bytes sent per rank
    reducescatter   the same trees backwards: the same rounds and bytes

Source: Jeaugey 2025, "PAT: a new algorithm for all-gather and reduce-scatter operations at scale" (arXiv
2506.20252), the algorithm of NCCL 2.23.
"""

from __future__ import annotations

import numpy as np

from uet.base.errors import BadInput
from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.model import DATA, SCRATCH, Index, Schedule, ScheduleBuilder


def allgather(n_ranks: int, size_bytes: int, dtype: str = "float32", aggregate: int | None = None) -> Schedule:
    """Return the schedule that brings block r of rank r to all ranks."""
    trees = _Trees("allgather", n_ranks, size_bytes, dtype, aggregate)
    have: Index = np.full((n_ranks, n_ranks), -1, np.int64)  # [distance from the block's rank, rank]
    for step, far in enumerate(trees.reach):
        for part, held in enumerate(trees.messages(far)):
            received, place = trees.send(held, far, (step, part), have[held])
            for distance, at in zip(held, place, strict=True):
                block = (trees.ranks - distance - far) % n_ranks
                have[distance + far] = received if at is None else trees.unpack(block, at, received)
    return trees.builder.build()


def reducescatter(n_ranks: int, size_bytes: int, dtype: str = "float32", aggregate: int | None = None) -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r."""
    trees = _Trees("reducescatter", n_ranks, size_bytes, dtype, aggregate)
    summed: Index = np.full((n_ranks, n_ranks), -1, np.int64)
    for step, far in enumerate(reversed(trees.reach)):
        for part, kept in enumerate(trees.messages(far)):
            received, place = trees.send(kept + far, -far, (step, part), summed[kept + far])
            for distance, at in zip(kept, place, strict=True):
                block = (trees.ranks - distance) % n_ranks
                summed[distance] = trees.add(block, at, received, summed[distance])
    return trees.builder.build()


class _Trees:
    """What both directions share; `reach` are the distances of the steps of an allgather."""

    def __init__(self, result: str, n_ranks: int, size_bytes: int, dtype: str, aggregate: int | None) -> None:
        if aggregate is not None and aggregate < 1:
            raise BadInput(f"aggregate={aggregate} must be at least 1 block per message")
        self.n, self.ranks = n_ranks, np.arange(n_ranks)
        self.offsets = blocks(size_bytes, n_ranks, dtype)
        self.sizes = np.diff(self.offsets)
        self.aggregate = aggregate or n_ranks
        self.reach = [2**k for k in reversed(range(rounds(n_ranks)))]
        self.gather = result == "allgather"
        self.builder = ScheduleBuilder(f"{result} pat", n_ranks, size_bytes, 0, dtype, result)

    def messages(self, far: int) -> list[Index]:
        """Return the distances of the blocks that every rank sends `far` on, for each message."""
        held = np.arange(0, self.n - far, 2 * far)
        return [held[k : k + self.aggregate] for k in range(0, len(held), self.aggregate)]

    def send(
        self, distances: Index, far: int, number: tuple[int, int], ready: Index
    ) -> tuple[Index, list[Index | None]]:
        """Send the blocks of ranks so many places back `far` on; return the receives and the places of the blocks.

        A single block of an allgather arrives where it belongs: its place is None.
        """
        sources = (self.ranks[:, None] - distances) % self.n  # [rank, block of the message]
        sizes = self.sizes[sources]
        target = (self.ranks + far) % self.n
        tag, total = number[0] * self.n + number[1], sizes.sum(axis=1)
        inside = np.cumsum(sizes, axis=1) - sizes
        if len(distances) == 1:
            out, buffer, packed = self.offsets[sources[:, 0]], DATA, tuple(ready)
        else:
            out, buffer = np.full(self.n, self._room(int(total.max()))), SCRATCH
            packed = tuple(
                self.builder.copy(
                    self.ranks, sizes[:, j], out + inside[:, j], self.offsets[sources[:, j]], source_buffer=DATA,
                    buffer=SCRATCH, after=(ready[j],), where=sizes[:, j] > 0,
                )
                for j in range(len(distances))
            )  # fmt: skip
        direct = self.gather and len(distances) == 1
        into = out if direct else self._room(int(total.max()))
        _, arrived = self.builder.transfer(
            self.ranks, target, total, offset=out, buffer=buffer, to_offset=into, to_buffer=DATA if direct else SCRATCH,
            tag=tag, after=packed, where=total > 0,
        )  # fmt: skip
        places: list[Index | None] = [None] if direct else [np.roll(into + p, far) for p in inside.T]
        return np.roll(arrived, far), places

    def unpack(self, block: Index, place: Index, received: Index) -> Index:
        """Copy a block out of a message to where it belongs."""
        size = self.sizes[block]
        return self.builder.copy(
            self.ranks, size, self.offsets[block], place, buffer=DATA, after=(received,), where=size > 0
        )

    def add(self, block: Index, place: Index | None, received: Index, before: Index) -> Index:
        """Add a block of a message to the rank's own."""
        assert place is not None
        size = self.sizes[block]
        return self.builder.reduce(
            self.ranks, size, self.offsets[block], place, after=(received, before), where=size > 0
        )

    def _room(self, n_bytes: int) -> int:
        self.builder.scratch_bytes += n_bytes
        return self.builder.scratch_bytes - n_bytes
