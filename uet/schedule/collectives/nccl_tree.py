"""NCCL's tree: a double binary tree over nodes, a chain inside every node, half of the channels on either tree.

Sums go up and results come down in chunks that follow each other. With D bytes of data over n ranks in m
nodes of g, 2 (n - 1) D bytes of data in all and `Protocol.wire_bytes` of every message on the wire; up to
2 (g - 1 + ceil(log2 m)) steps. Chunks are one step of the protocol; Simple halves them while there are few
of them for the depth of the tree. Source: NCCL 2.19 (trees.cc, enqueue.cc); LL128's halving is left out.
"""

from __future__ import annotations

import numpy as np

from uet.schedule.collectives.double_tree import Tree, two_trees
from uet.schedule.collectives.nccl_protocols import SIMPLE, Protocol, check_channels, protocol_of, send_frame
from uet.schedule.collectives.pieces import blocks, island_of, rounds
from uet.schedule.model import DATA, Index, Schedule, ScheduleBuilder, Where

DEFAULT_CHANNELS = 2
HALVINGS = ((8, 128 * 2**10), (4, 64 * 2**10), (1, 32 * 2**10))
"""Simple halves a chunk above this many bytes while there are fewer chunks a channel than this times the depth."""


def allreduce(
    n_ranks: int, size_bytes: int, dtype: str = "float32", channels: int = DEFAULT_CHANNELS,
    protocol: str = "simple", island: int = 1,
) -> Schedule:  # fmt: skip
    """Return the schedule for nodes of `island` consecutive ranks. Raises BadInput for an odd number of channels."""
    how, nodes = protocol_of(protocol), n_ranks // island_of(n_ranks, island)
    check_channels(channels, multiple=2)
    chunk = chunk_bytes(size_bytes, channels, how, island - 1 + rounds(nodes))
    loops = max(-(-size_bytes // (channels * chunk)), 1)
    edges = blocks(size_bytes, loops * channels, dtype)
    builder = ScheduleBuilder("allreduce nccl-tree", n_ranks, size_bytes, 0, dtype, "allreduce")
    for number, parent in enumerate(two_trees(nodes)):
        mine = np.flatnonzero(np.arange(loops * channels) % 2 == number)
        tree = FramedTree(builder, with_chains(parent, island), edges[mine], np.diff(edges)[mine], number, how)
        tree.spread(tree.gather())
    return builder.build()


def chunk_bytes(size_bytes: int, channels: int, protocol: Protocol, depth: int) -> int:
    """Return the most bytes of a chunk."""
    chunk = protocol.step_bytes
    if protocol is SIMPLE:
        for factor, least in HALVINGS:
            while size_bytes / (channels * chunk) < factor * depth and chunk > least:
                chunk //= 2
    return chunk


def with_chains(parent: Index, island: int) -> Index:
    """Return the parents [n] of all ranks, given those of nodes [n / island]: first ranks form the tree of nodes."""
    ranks = np.arange(len(parent) * island)
    head = parent[ranks // island] * island
    return np.where(ranks % island > 0, ranks - 1, np.where(head < 0, -1, head))


class FramedTree(Tree):
    """A tree whose messages a protocol frames; every chunk has places in scratch for each child and way."""

    def __init__(
        self, builder: ScheduleBuilder, parent: Index, starts: Index, sizes: Index, number: int, protocol: Protocol
    ) -> None:
        """Take what `Tree` takes, the number of the tree and the protocol."""
        super().__init__(builder, parent, starts, sizes, first_tag=2 * number * (len(sizes) + 1))
        self.protocol = protocol
        frames = protocol.wire_bytes(sizes)
        self.place, self.room = builder.scratch_bytes + np.cumsum(frames) - frames, int(frames.sum())
        self.children = int(self.child_number.max(initial=0)) + 1
        builder.scratch_bytes += self.room * ((2 * self.children + 2) if protocol.framed else self.children)

    def _up(self, ranks: Index, up: Index, child: int, after: tuple[Where, ...]) -> tuple[Index, Index]:
        into = self.place + child * self.room
        _, received = send_frame(
            self.builder, self.protocol, ranks, up, self.sizes, offset=self.starts, out=self._out(0), into=into,
            tag=self.tags, after=after, where=self.sizes > 0,
        )  # fmt: skip
        return received, into

    def _down(self, up: Index, ranks: Index, after: tuple[Where, ...]) -> Index:
        if not self.protocol.framed:
            return super()._down(up, ranks, after)
        into = self._out(1)
        _, received = send_frame(
            self.builder, self.protocol, up, ranks, self.sizes, offset=self.starts,
            out=self._out(2) + self.child_number[ranks] * self.room, into=into, tag=self.tags + len(self.tags),
            after=after, where=self.sizes > 0,
        )  # fmt: skip
        return self.builder.copy(
            ranks, self.sizes, self.starts, into, buffer=DATA, after=(received,), where=self.sizes > 0
        )

    def _out(self, k: int) -> Index:
        """Return the k-th place behind those of the children: to send up from, to receive from above, to send down."""
        return self.place + (self.children + k) * self.room
