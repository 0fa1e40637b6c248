"""Which resources the pairs that talk share, found by walking the fabric's routes.

Ports that every pair loads alike are one resource: all up-links of a leaf, say, over which everybody
sprays evenly. And a resource that is not full even with all its pairs at the highest rate that their
other links allow limits nobody; it is left out of the filling.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulation.flow.spread import Scratch, list_shares, measure, sign
from emulation.packet.probe import MAX_HOPS, PROBE_SOURCE, PS_PER_BYTE_GBPS, probe_world
from topologies.fabric import Fabric
from uet.base.errors import NoAnswer
from uet.base.jit import World

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Say = Callable[[str], None]

_ODD = np.uint64(0x9E3779B97F4A7C15)
PAIRS_PER_CALL = 8192
"""Pairs walked between two remarks and looks at Ctrl-C."""


@dataclass(frozen=True, eq=False)
class Channels:
    """Pairs of hosts and what they load.

    Pair i goes from `source[i]` to `target[i]` and uses entries first[i] .. first[i + 1]: `resource` with
    its `share` of the pair's rate. `capacity` [n_resources] is in wire bytes/ps, `port_resource` [n_ports]
    tells which resource a port is part of (-1: nobody uses it). `binding` [n_entries] are the entries that
    can limit somebody. Unloaded times: `there_ps` latency of a pair's path, `rest_ps_per_byte` serialisation
    behind its first link, `back_ps` an ACK's way back.
    """

    source: Ints
    target: Ints
    first: Ints
    resource: Ints
    share: Reals
    capacity: Reals
    port_resource: Ints
    binding: NDArray[np.bool_]
    there_ps: Ints
    rest_ps_per_byte: Reals
    back_ps: Ints


class _Walker:
    """Walks pairs over a fabric, some thousand at a time."""

    def __init__(self, fabric: Fabric, source: Ints, target: Ints, n_paths: int, seed: int, say: Say | None) -> None:
        self.fabric, self.n_paths, self.say = fabric, n_paths, say
        self.pairs = source, target, (source * fabric.n_hosts + target) ^ (seed << 40)
        self.world: World = probe_world(fabric, PROBE_SOURCE.zeros(0))
        self.head = self.world.handle, fabric.routes.address
        routes = fabric.routes
        self.scratch = Scratch(len(fabric.nodes), len(fabric.ports), routes.virtual_channels).arrays

    def signatures(self) -> NDArray[np.uint64]:
        """Return a number per port, 0 for unused ones, equal where all pairs load ports alike."""
        found = np.zeros(len(self.fabric.ports), np.uint64)
        for start, pairs in self._batches("spreading"):
            stuck = int(sign(*self.head, *pairs, self.n_paths, start, found, *self.scratch))
            if stuck >= 0:
                a, b = (self.fabric.node_name(int(ends[stuck])) for ends in pairs[:2])
                raise NoAnswer(f"{self.fabric.spec}: {a} cannot reach {b}; repair links or choose another fabric")
        return found

    def shares(self, kept: NDArray[np.bool_]) -> tuple[Ints, Ints, Reals]:
        """Return how many of the kept ports each pair uses, which, and with what shares."""
        counts, ports, shares = [], [], []
        room = PAIRS_PER_CALL * 16
        for _, pairs in self._batches("listing"):
            while len(pairs[0]):
                port, share, count = np.empty(room, np.int32), np.empty(room), np.zeros(len(pairs[0]), np.int64)
                done = int(list_shares(*self.head, *pairs, self.n_paths, kept, count, port, share, *self.scratch))
                n = int(count[:done].sum())
                counts.append(count[:done])
                ports.append(port[:n].copy())
                shares.append(share[:n].copy())
                pairs = [ends[done:] for ends in pairs]
                room *= 1 if done else 2
        return np.concatenate(counts), np.concatenate(ports).astype(np.int64), np.concatenate(shares)

    def times(self, ack_bytes: int) -> tuple[Ints, Reals, Ints]:
        """Return each pair's latency [ps], serialisation behind the first link [ps/byte] and an ACK's way back [ps]."""
        source, target, _ = self.pairs
        there, back = np.zeros((len(source), 4)), np.zeros((len(source), 4))
        measure(*self.head, source, target, there)
        measure(*self.head, target, source, back)
        if max(there[:, 0].max(initial=0), back[:, 0].max(initial=0)) >= MAX_HOPS:
            raise NoAnswer(f"{self.fabric.spec}: some pairs cannot reach each other both ways; repair links")
        return (
            there[:, 1].astype(np.int64),
            there[:, 2] - there[:, 3],
            np.rint(back[:, 1] + ack_bytes * back[:, 2]).astype(np.int64),
        )

    def _batches(self, what: str) -> Iterator[tuple[int, list[Ints]]]:
        n = len(self.pairs[0])
        for start in range(0, n, PAIRS_PER_CALL):
            if self.say is not None:
                self.say(f"{what} pair {start:,} of {n:,}")
            yield start, [ends[start : start + PAIRS_PER_CALL] for ends in self.pairs]


def build_channels(
    fabric: Fabric, source: Ints, target: Ints, ack_bytes: int, n_paths: int = 0, seed: int = 1,
    say: Say | None = None,
) -> Channels:  # fmt: skip
    """Return the channels of distinct pairs of hosts, source[i] != target[i].

    `n_paths` = 0 spreads every pair evenly over all next hops, else it takes that many paths drawn by
    hash, which differ with `seed`. Raises NoAnswer if a host cannot reach another.
    """
    walker = _Walker(fabric, source, target, n_paths, seed, say)
    gbps = fabric.links["gbps"][fabric.ports["link"]].astype(np.float64)
    signature = walker.signatures()
    used = np.flatnonzero(signature)
    alike = signature[used] ^ (gbps[used].view(np.uint64) * _ODD)
    _, leader, number = np.unique(alike, return_index=True, return_inverse=True)
    port_resource = np.full(len(gbps), -1, np.int64)
    port_resource[used] = number
    kept = np.zeros(len(gbps), np.bool_)
    kept[used[leader]] = True
    counts, ports, share = walker.shares(kept)
    first = np.concatenate([[0], np.cumsum(counts)])
    resource, capacity = port_resource[ports], gbps[used[leader]] / PS_PER_BYTE_GBPS
    return Channels(
        source, target, first, resource, share, capacity, port_resource, _binding(first, resource, share, capacity),
        *walker.times(ack_bytes),
    )  # fmt: skip


def _binding(first: Ints, resource: Ints, share: Reals, capacity: Reals) -> NDArray[np.bool_]:
    """Tell which entries can limit somebody: of resources that may fill up, and each pair's own tightest one."""
    if not len(resource):
        return np.zeros(0, np.bool_)
    limit = capacity[resource] / share
    peak = np.minimum.reduceat(limit, first[:-1])
    owner = np.repeat(np.arange(len(peak)), np.diff(first))
    tightest = np.flatnonzero(limit == peak[owner])
    tightest = tightest[np.unique(owner[tightest], return_index=True)[1]]
    needed = np.bincount(resource, share * peak[owner], len(capacity))
    fills = needed > capacity * (1 + 1e-9)
    fills[resource[tightest]] = True
    return fills[resource]
