"""NCCL's ring: channels beside each other, loops, chunks and slices, and three protocols.

Every channel takes a share of each block round the ring, in loops of one chunk of a block per rank: loop
after loop, a chunk in slices that follow each other. With D bytes of data over n ranks:

    allreduce       2 (n - 1) steps a loop, 2 (n - 1)/n D bytes of data sent per rank
    reducescatter   n - 1 steps a loop, (n - 1)/n D
    allgather       n - 1 steps a loop, (n - 1)/n D
    broadcast       n - 1 steps, a chain from the root: D sent by every rank but the last
    reduce          n - 1 steps, a chain to the root: D sent by every rank but the root

and `Protocol.wire_bytes` of every message on the wire. Simple moves chunks of 4 steps (2 MiB) in 2 slices of
at least 32 KiB round rings and 1 step down chains, LL and LL128 one step; loops = ceil(D / (channels x ranks x
chunk)). Source: NCCL 2.19, enqueue.cc and the device primitives. Chunks of a loop are cut evenly, not padded
to thread counts; a receiver's slots are free once emptied, for which the sender does not wait.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives import chain
from uet.schedule.collectives.nccl_protocols import SIMPLE, Protocol, check_channels, protocol_of, send_frame
from uet.schedule.collectives.pieces import blocks, cut
from uet.schedule.collectives.ring import Ring, ring_tags
from uet.schedule.model import DATA, Index, Schedule, ScheduleBuilder, Where

DEFAULT_CHANNELS = 2
CHUNK_STEPS, SLICES, LEAST_SLICE_BYTES = 4, 2, 32 * 2**10


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", channels: int = DEFAULT_CHANNELS, protocol: str = "simple"
) -> Schedule:
    """Return a reduce-scatter and an allgather round the ring in every loop of every channel."""
    return _Loops("allreduce", n_ranks, size_bytes, dtype, channels, protocol).build()


def reducescatter(
    n_ranks: int, size_bytes: int, dtype: str = "float32", channels: int = DEFAULT_CHANNELS, protocol: str = "simple"
) -> Schedule:
    """Return the schedule that leaves the sum of block r at rank r."""
    return _Loops("reducescatter", n_ranks, size_bytes, dtype, channels, protocol).build()


def allgather(
    n_ranks: int, size_bytes: int, dtype: str = "float32", channels: int = DEFAULT_CHANNELS, protocol: str = "simple"
) -> Schedule:
    """Return the schedule that brings block r of rank r to all ranks."""
    return _Loops("allgather", n_ranks, size_bytes, dtype, channels, protocol).build()


def broadcast(
    n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0, channels: int = DEFAULT_CHANNELS,
    protocol: str = "simple",
) -> Schedule:  # fmt: skip
    """Return the chain from `root`."""
    builder = ScheduleBuilder("broadcast nccl-ring", n_ranks, size_bytes, 0, dtype, "broadcast", root)
    how = protocol_of(protocol)
    chain.add_broadcast(builder, _chunks_of_chain(size_bytes, channels, how, dtype), how)
    return builder.build()


def reduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", root: int = 0, channels: int = DEFAULT_CHANNELS,
    protocol: str = "simple",
) -> Schedule:  # fmt: skip
    """Return the chain to `root`."""
    builder = ScheduleBuilder("reduce nccl-ring", n_ranks, size_bytes, 0, dtype, "reduce", root)
    how = protocol_of(protocol)
    chain.add_reduce(builder, _chunks_of_chain(size_bytes, channels, how, dtype), how)
    return builder.build()


def _chunks_of_chain(size_bytes: int, channels: int, protocol: Protocol, dtype: str) -> Index:
    loops = max(-(-size_bytes // (check_channels(channels) * protocol.step_bytes)), 1)
    return blocks(size_bytes, loops * channels, dtype)


def pieces_of_ring(block_bytes: int, channels: int, protocol: Protocol) -> tuple[int, int]:
    """Return the number of loops and of slices of a chunk for blocks of `block_bytes`."""
    simple = protocol is SIMPLE
    loops = max(-(-block_bytes // (channels * protocol.step_bytes * (CHUNK_STEPS if simple else 1))), 1)
    chunk_bytes = -(-block_bytes // (loops * channels))
    return loops, min(SLICES, max(-(-chunk_bytes // LEAST_SLICE_BYTES), 1)) if simple else 1


class _Loops:
    """Builds the rings of all loops, channels and slices."""

    def __init__(self, result: str, n_ranks: int, size_bytes: int, dtype: str, channels: int, protocol: str) -> None:
        self.protocol, self.channels = protocol_of(protocol), check_channels(channels)
        self.offsets = blocks(size_bytes, n_ranks, dtype)
        largest = int(np.diff(self.offsets).max())
        self.loops, self.slices = pieces_of_ring(largest, channels, self.protocol)
        self.builder = ScheduleBuilder(f"{result} nccl-ring", n_ranks, size_bytes, 0, dtype, result)

    def build(self) -> Schedule:
        """Return the schedule; a channel begins a loop on a rank when that rank has ended the one before."""
        builder, n = self.builder, self.builder.n_ranks
        edges = cut(self.offsets[:-1], self.offsets[1:], self.loops * self.channels * self.slices, builder.dtype)
        ended = np.full((self.channels, self.slices, n), -1, np.int64)
        for k in range(self.loops * self.channels * self.slices):
            channel, part = k // self.slices % self.channels, k % self.slices
            ring = FramedRing(
                np.arange(n), edges[:, k], edges[:, k + 1] - edges[:, k], builder.scratch_bytes, k * ring_tags(n),
                self.protocol,
            )  # fmt: skip
            builder.scratch_bytes += ring.scratch_bytes
            ended[channel, part] = self._add(ring, ended[channel, part])
        return builder.build()

    def _add(self, ring: Ring, ready: Index) -> Index:
        """Add one ring and return its last operation on every rank, or `ready` where it has none."""
        if self.builder.result == "reducescatter":
            done = ring.reduce_scatter(self.builder, shift=-1, ready=ready)
        elif self.builder.result == "allgather":
            done = ([ready, *ring.allgather(self.builder, shift=0, ready=(ready,))])[-1]
        else:
            done = ring.allreduce(self.builder, ready=ready)[-1]
        return np.where(done >= 0, done, ready)


class FramedRing(Ring):
    """A ring whose messages a protocol frames: sent from two slots of scratch, received in two others."""

    def __init__(
        self, ranks: Index, starts: Index, sizes: Index, scratch: int, first_tag: int, protocol: Protocol
    ) -> None:
        """Take what `Ring` takes, and the protocol."""
        super().__init__(ranks, starts, sizes, scratch, first_tag)
        self.protocol = protocol
        self.slot_bytes = int(protocol.wire_bytes(self.slot_bytes))
        self.sent = np.full_like(self.slot_free, -1)

    @property
    def scratch_bytes(self) -> int:
        """Scratch of the slots."""
        return (4 if self.protocol.framed else 2) * self.slot_bytes

    def _into_slot(
        self, builder: ScheduleBuilder, step: int, offset: Index, size: Index, after: tuple[Where, ...], tag: int
    ) -> Index:
        slot = step % 2
        place = self.scratch + slot * self.slot_bytes
        sends, received = send_frame(
            builder, self.protocol, self.ranks, self.right, size, offset=offset, out=place + 2 * self.slot_bytes,
            into=place, tag=tag, after=(*after, self.sent[slot]), recv_after=(self._from_right(self.slot_free[slot]),),
            where=size > 0,
        )  # fmt: skip
        if self.protocol.framed:
            self.sent[slot] = np.where(sends >= 0, sends, self.sent[slot])
        return self._from_left(received)

    def _into_data(
        self, builder: ScheduleBuilder, step: int, offset: Index, size: Index, after: tuple[Where, ...], tag: int
    ) -> Index:
        if not self.protocol.framed:
            return super()._into_data(builder, step, offset, size, after, tag)
        received = self._into_slot(builder, step, offset, size, after, tag)
        offset, size = self._from_left(offset), self._from_left(size)
        place = self.scratch + step % 2 * self.slot_bytes
        copied = builder.copy(self.ranks, size, offset, place, buffer=DATA, after=(received,), where=size > 0)
        self.slot_free[step % 2] = np.where(copied >= 0, copied, self.slot_free[step % 2])
        return copied
