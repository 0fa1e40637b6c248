"""Walks pairs of hosts over a fabric's routes, some thousand at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from emulation.flow.spread import APART, DONE, list_shares, measure, scratch, sign_pairs, sign_ports
from emulation.flow.twins import find_twins, no_twins
from emulation.packet.probe import MAX_HOPS, PROBE_SOURCE, probe_world
from topologies.fabric import Fabric
from uet.base.errors import NoAnswer
from uet.base.jit import World

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Words = NDArray[np.uint64]
Say = Callable[[str], None]

PAIRS_PER_CALL = 8192
"""Pairs walked between two remarks and looks at Ctrl-C."""


class Walker:
    """Spreads pairs (source[i], target[i]) over a fabric's ports.

    `n_paths` = 0 spreads every pair evenly over all next hops, else it takes that many paths drawn by
    hash, which differ with `seed`. All raise NoAnswer if a host cannot reach another.
    """

    def __init__(self, fabric: Fabric, n_paths: int = 0, seed: int = 1, say: Say | None = None) -> None:
        """Take the fabric; `port_signatures` finds out whether its twins may be walked as one."""
        self.fabric, self.n_paths, self.seed, self.say = fabric, n_paths, seed, say
        self.world: World = probe_world(fabric, PROBE_SOURCE.zeros(0))
        self.head = self.world.handle, fabric.routes.address
        self.twins = no_twins(fabric)
        self.room = scratch(self.twins, fabric.routes.virtual_channels)

    def port_signatures(self, source: Ints, target: Ints) -> Words:
        """Return a number per port, 0 for unused ones, equal where all pairs load ports alike.

        From here on `twins` are walked as one, if these pairs' paths go over all of them or none.
        """
        fabric = self.fabric
        for twins in (no_twins(fabric),) if self.n_paths else (find_twins(fabric), no_twins(fabric)):
            self.twins, self.room = twins, scratch(twins, fabric.routes.virtual_channels)
            found = np.zeros(len(fabric.ports), np.uint64)
            code = DONE
            for start, pairs in self._batches("spreading", source, target):
                code = sign_ports(*self.head, *pairs, self.n_paths, self.room, start, found)
                if code == APART:
                    break
                self._check(code, pairs)
            if code != APART:
                break
        return found[self.twins.leader]

    def pair_signatures(self, source: Ints, target: Ints, label: Ints) -> Words:
        """Return a number per pair, equal where pairs put the same shares on ports of the same `label` [n_ports]."""
        found = np.zeros(len(source), np.uint64)
        sums, labels = np.zeros(int(label.max()) + 1), np.zeros(len(label), np.int64)
        for start, pairs in self._batches("comparing", source, target):
            mine = found[start : start + len(pairs[0])]
            code = sign_pairs(*self.head, *pairs, self.n_paths, self.room, label, mine, sums, labels)
            self._check(code, pairs)
        return found

    def shares(self, source: Ints, target: Ints, kept: NDArray[np.bool_]) -> tuple[Ints, Ints, Reals]:
        """Return how many of the kept ports each pair uses, which, and with what shares."""
        counts, ports, shares = [], [], []
        room = PAIRS_PER_CALL * 16
        for _, pairs in self._batches("listing", source, target):
            while len(pairs[0]):
                port, share, count = np.empty(room, np.int32), np.empty(room), np.zeros(len(pairs[0]), np.int64)
                done = int(list_shares(*self.head, *pairs, self.n_paths, self.room, kept, count, port, share))
                n = int(count[:done].sum())
                counts.append(count[:done])
                ports.append(port[:n].copy())
                shares.append(share[:n].copy())
                pairs = [ends[done:] for ends in pairs]
                room *= 1 if done else 2
        return np.concatenate(counts), np.concatenate(ports).astype(np.int64), np.concatenate(shares)

    def times(self, source: Ints, target: Ints, ack_bytes: int) -> tuple[Ints, Reals, Ints]:
        """Return each pair's latency [ps], serialisation behind the first link [ps/byte] and an ACK's way back [ps]."""
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

    def _batches(self, what: str, source: Ints, target: Ints) -> Iterator[tuple[int, list[Ints]]]:
        key = (source * self.fabric.n_hosts + target) ^ (self.seed << 40)
        for start in range(0, len(source), PAIRS_PER_CALL):
            if self.say is not None:
                self.say(f"{what} pair {start:,} of {len(source):,}")
            yield start, [ends[start : start + PAIRS_PER_CALL] for ends in (source, target, key)]

    def _check(self, stuck: int, pairs: list[Ints]) -> None:
        if stuck >= 0:
            a, b = (self.fabric.node_name(int(ends[stuck])) for ends in pairs[:2])
            raise NoAnswer(f"{self.fabric.spec}: {a} cannot reach {b}; repair links or choose another fabric")
