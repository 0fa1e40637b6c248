"""Bruck's algorithms: ceil(log2 n) steps for any number of ranks.

Bruck et al. 1997, "Efficient algorithms for all-to-all communications in multiport message-passing
systems"; Thakur, Rabenseifner, Gropp 2005, sections 3.1 and 3.3.1. With blocks of D/n:

    allgather   ceil(log2 n) steps, (n - 1)/n D bytes sent per rank
    alltoall    ceil(log2 n) steps; in step k the blocks j < n with bit k set: about D/2 log2 n bytes
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.pieces import blocks, rounds
from uet.schedule.model import DATA, SCRATCH, Index, Schedule, ScheduleBuilder


def allgather(n_ranks: int, size_bytes: int, dtype: str = "float32") -> Schedule:
    """Return the rounds in which rank r passes blocks r, r + 1, ... on to rank r - 2**k.

    Scratch holds the vector rotated so that the rank's own block comes first; every rank sends
    min(2**k, n - 2**k) blocks in step k, all blocks but one in all.
    """
    offsets = blocks(size_bytes, n_ranks, dtype)
    builder = ScheduleBuilder("allgather bruck", n_ranks, size_bytes, size_bytes, dtype, "allgather")
    ranks, start = np.arange(n_ranks), offsets[:-1]
    own = np.diff(offsets)
    ready = [builder.copy(ranks, own, 0, start, source_buffer=DATA, buffer=SCRATCH, where=own > 0)]
    for k in range(rounds(n_ranks)):
        target = (ranks - 2**k) % n_ranks
        end = ranks + min(2**k, n_ranks - 2**k)
        size = start[end % n_ranks] - start + np.where(end >= n_ranks, size_bytes, 0)
        _, arrived = builder.transfer(
            ranks, target, size, offset=0, to_offset=(start - start[target]) % size_bytes, buffer=SCRATCH,
            to_buffer=SCRATCH, tag=k, after=tuple(ready), where=size > 0,
        )  # fmt: skip
        ready.append(np.roll(arrived, -(2**k)))
    tail = size_bytes - start
    builder.copy(ranks, tail, start, 0, buffer=DATA, after=tuple(ready), where=tail > 0)
    builder.copy(ranks, start, 0, tail, buffer=DATA, after=tuple(ready), where=start > 0)
    return builder.build()


def alltoall(n_ranks: int, size_bytes: int, dtype: str = "uint8") -> Schedule:
    """Return the rounds in which blocks travel to r + 2**k for every bit k of the distance they have to go.

    Scratch holds n slots of the largest block, slot j for what has to go j ranks further, and places to
    pack and unpack; slots are sent whole. Each rank does its copies one after another.
    """
    return _Alltoall(n_ranks, size_bytes, dtype).build()


class _Alltoall:
    """Builds the schedule; `copied` is the last copy of each rank, after which the next one comes."""

    def __init__(self, n_ranks: int, size_bytes: int, dtype: str) -> None:
        self.n, self.size_bytes = n_ranks, size_bytes
        self.offsets = blocks(size_bytes, n_ranks, dtype)
        self.slot = int(np.diff(self.offsets).max())
        self.ranks = np.arange(n_ranks)
        self.pack = n_ranks * self.slot
        half = self.slot * -(-n_ranks // 2)
        self.unpack = self.pack + half
        self.builder = ScheduleBuilder(
            "alltoall bruck", n_ranks, size_bytes + n_ranks * self.slot, self.unpack + half, dtype, "alltoall"
        )
        self.copied: Index = np.full(n_ranks, -1, np.int64)

    def build(self) -> Schedule:
        for j in range(self.n):
            block = (self.ranks + j) % self.n
            self._copy(j * self.slot, self.offsets[block], np.diff(self.offsets)[block], source_buffer=DATA)
        sends: Index = np.full(self.n, -1, np.int64)
        for k in range(rounds(self.n)):
            sends = self._round(k, sends)
        sizes = np.diff(self.offsets)
        for j in range(self.n):
            place = self.size_bytes + (self.ranks - j) % self.n * sizes
            self._copy(place, j * self.slot, sizes, buffer=DATA)
        return self.builder.build()

    def _copy(
        self, to: int | Index, source: int | Index, size: int | Index, buffer: int = SCRATCH,
        source_buffer: int = SCRATCH, after: Index | int = -1,
    ) -> None:  # fmt: skip
        copied = self.builder.copy(
            self.ranks, size, to, source, source_buffer=source_buffer, buffer=buffer, after=(self.copied, after),
            where=np.asarray(size) > 0,
        )  # fmt: skip
        self.copied = np.where(copied >= 0, copied, self.copied)

    def _round(self, k: int, sends: Index) -> Index:
        """Pack the runs of slots with bit k set, exchange them and put them back."""
        runs = [(j, min(2**k, self.n - j)) for j in range(2**k, self.n, 2 ** (k + 1))]
        packed = 0
        for j, length in runs:
            self._copy(self.pack + packed, j * self.slot, length * self.slot, after=sends)
            packed += length * self.slot
        sends, arrived = self.builder.transfer(
            self.ranks, (self.ranks + 2**k) % self.n, packed, offset=self.pack, to_offset=self.unpack,
            buffer=SCRATCH, to_buffer=SCRATCH, tag=k, after=(self.copied,),
            recv_after=(np.roll(self.copied, -(2**k)),),
        )  # fmt: skip
        received, packed = np.roll(arrived, 2**k), 0
        for j, length in runs:
            self._copy(j * self.slot, self.unpack + packed, length * self.slot, after=received)
            packed += length * self.slot
        return sends
