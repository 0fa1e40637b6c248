"""Pipelined chain: the vector passes from rank to rank in chunks that follow each other.

Every rank but one end sends all D bytes once: n - 1 steps, (n - 1) D bytes in all in (n - 1) chunks
messages. In Hockney's model n - 2 + chunks times the time of a chunk, so for long vectors about D bytes' time
whatever n (Pjesivac-Grbovic et al. 2007, "Performance analysis of MPI collective operations"). A
`protocol` frames the messages as NCCL does, whose ring broadcast and reduce this is.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.nccl_protocols import SIMPLE, Protocol, send_frame
from uet.schedule.collectives.pieces import blocks, chunk_count
from uet.schedule.model import DATA, Index, Schedule, ScheduleBuilder


def broadcast(
    n_ranks: int, size_bytes: int, dtype: str = "uint8", root: int = 0, chunks: int | None = None
) -> Schedule:
    """Return the schedule that brings the vector of `root` to all ranks, each from its left neighbour."""
    builder = ScheduleBuilder("broadcast chain", n_ranks, size_bytes, 0, dtype, "broadcast", root)
    add_broadcast(builder, _chunks(size_bytes, chunks, dtype))
    return builder.build()


def reduce(n_ranks: int, size_bytes: int, dtype: str = "float32", root: int = 0, chunks: int | None = None) -> Schedule:
    """Return the schedule that leaves the sum at `root`; the chain begins at its right neighbour."""
    builder = ScheduleBuilder("reduce chain", n_ranks, size_bytes, 0, dtype, "reduce", root)
    add_reduce(builder, _chunks(size_bytes, chunks, dtype))
    return builder.build()


def _chunks(size_bytes: int, chunks: int | None, dtype: str) -> Index:
    return blocks(size_bytes, chunk_count(chunks, size_bytes, most=32), dtype)


def add_broadcast(builder: ScheduleBuilder, edges: Index, protocol: Protocol = SIMPLE) -> None:
    """Add the chain from the root over chunks with these offsets [chunks + 1]."""
    n, sizes = builder.n_ranks, np.diff(edges)
    have: Index = np.full(len(sizes), -1, np.int64)
    tags, used = np.arange(len(sizes)), sizes > 0
    out, into = _slots(builder, sizes, protocol) if protocol.framed else (edges[:-1], edges[:-1])
    for hop in range(n - 1):
        source, target = (builder.root + hop) % n, (builder.root + hop + 1) % n
        if not protocol.framed:
            _, have = builder.transfer(source, target, sizes, offset=edges[:-1], tag=tags, after=(have,), where=used)
            continue
        _, received = send_frame(
            builder, protocol, source, target, sizes, offset=edges[:-1], out=out, into=into, tag=tags, after=(have,),
            where=used,
        )  # fmt: skip
        have = builder.copy(target, sizes, edges[:-1], into, buffer=DATA, after=(received,), where=used)


def add_reduce(builder: ScheduleBuilder, edges: Index, protocol: Protocol = SIMPLE) -> None:
    """Add the chain to the root over chunks with these offsets [chunks + 1]."""
    n, sizes = builder.n_ranks, np.diff(edges)
    summed: Index = np.full(len(sizes), -1, np.int64)
    tags, used = np.arange(len(sizes)), sizes > 0
    out, into = _slots(builder, sizes, protocol)
    for hop in range(n - 1):
        source, target = (builder.root + hop + 1) % n, (builder.root + hop + 2) % n
        _, received = send_frame(
            builder, protocol, source, target, sizes, offset=edges[:-1], out=out, into=into, tag=tags,
            after=(summed,), where=used,
        )  # fmt: skip
        summed = builder.reduce(target, sizes, edges[:-1], into, after=(received,), where=used)


def _slots(builder: ScheduleBuilder, sizes: Index, protocol: Protocol) -> tuple[Index, Index]:
    """Return places in scratch to send chunks from and to receive them at, each of shape [chunks]."""
    frames = protocol.wire_bytes(sizes)
    into = np.cumsum(frames) - frames
    total = int(frames.sum())
    builder.scratch_bytes = total * (2 if protocol.framed else 1)
    return into + total, into
