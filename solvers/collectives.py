"""What allreduce algorithms send in all, as traffic between hosts; the bandwidth view of `uet.schedule`.

Shares are bytes over those of the vector. Steps are taken to overlap, as they do when a long vector is
cut into chunks, so an algorithm's time is that of its total traffic. Algorithms and sources are those of
`uet.schedule.collectives`; there they exist message by message.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.chassis import chassis
from topologies.fabric import Fabric
from topologies.grids import coordinates, number
from uet.base.errors import BadInput
from uet.schedule.collectives.dual_rings import hamiltonian_cycles
from uet.schedule.collectives.library import collective
from uet.schedule.cost import traffic

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Traffic:
    """Host `source[i]` sends `share[i]` vectors to `target[i]` in the whole of the algorithm."""

    algorithm: str
    source: Ints
    target: Ints
    share: Floats


def algorithms(fabric: Fabric, hosts: Ints, shape: tuple[int, ...] = ()) -> Iterator[Traffic]:
    """Yield the traffic of every algorithm that suits a job on `hosts`, in rank order, special ones first.

    `shape` is the job's grid of hosts, the first dimension fastest, where it has one.
    """
    if len(hosts) < 2:
        return
    if len(shape) == 2:
        with suppress(BadInput):  # this grid has no two disjoint Hamiltonian cycles
            yield dual_rings(hosts, shape[0], shape[1])
    if len(shape) > 1:
        yield torus(hosts, shape)
    box = chassis(fabric)[hosts]
    _, count = np.unique(box, return_counts=True)
    if len(count) < len(hosts) and (count == count[0]).all():
        yield hierarchical(hosts[np.argsort(box, kind="stable")].reshape(-1, count[0]))
    yield ring(hosts)
    yield double_tree(hosts)


def ring(hosts: Ints) -> Traffic:
    """Return the traffic of the ring: 2 (n - 1)/n vectors to the next host."""
    n = len(hosts)
    return Traffic("ring", hosts, np.roll(hosts, -1), np.full(n, 2 * (n - 1) / n))


def dual_rings(hosts: Ints, columns: int, rows: int) -> Traffic:
    """Return the traffic of two disjoint Hamiltonian cycles, each in both directions.

    Raises BadInput for grids that have none.
    """
    cycles = [hosts[cycle[::way]] for cycle in hamiltonian_cycles(columns, rows) for way in (1, -1)]
    source, target = np.concatenate(cycles), np.concatenate([np.roll(c, -1) for c in cycles])
    n = len(hosts)
    return Traffic("dual-rings", source, target, np.full(4 * n, (n - 1) / (2 * n)))


def torus(hosts: Ints, shape: tuple[int, ...]) -> Traffic:
    """Return the traffic of reduce-scatters along one dimension after the other, and allgathers back.

    2 d parts of the vector go round the d dimensions at once, each starting with another one or going
    the other way; the first dimension carries (k - 1)/k of a part each way, the next ones what is left.
    """
    places, d = coordinates(shape), len(shape)
    along = np.zeros(d)
    for first in range(d):
        left = 1.0 / (2 * d)
        for dimension in np.roll(np.arange(d), -first).tolist():
            along[dimension] += 2 * left * (shape[dimension] - 1) / shape[dimension]
            left /= shape[dimension]
    sources, targets, shares = [], [], []
    for dimension in range(d):
        for step in (1, -1):
            there = places.copy()
            there[:, dimension] = (there[:, dimension] + step) % shape[dimension]
            sources.append(hosts)
            targets.append(hosts[number(there, shape)])
            shares.append(np.full(len(hosts), along[dimension]))
    return Traffic("torus", np.concatenate(sources), np.concatenate(targets), np.concatenate(shares))


def hierarchical(islands: Ints) -> Traffic:
    """Return the traffic of islands [islands, members]: all pairs inside, rings of like members between."""
    m, g = islands.shape
    inside = np.stack(np.broadcast_arrays(islands[:, :, None], islands[:, None, :]), axis=-1)[:, ~np.eye(g, dtype=bool)]
    source, target = inside.reshape(-1, 2).T
    share = np.full(len(source), 2.0 / g)
    if m > 1:
        source = np.concatenate([source, islands.reshape(-1)])
        target = np.concatenate([target, np.roll(islands, -1, axis=0).reshape(-1)])
        share = np.concatenate([share, np.full(m * g, 2 * (m - 1) / m / g)])
    return Traffic("hierarchical", source, target, share)


def double_tree(hosts: Ints) -> Traffic:
    """Return the traffic of two complementary binary trees, each with half of the vector."""
    size_bytes = 2
    sent = traffic(collective("allreduce", "double-tree", len(hosts), size_bytes, "uint8"))
    return Traffic("double-tree", hosts[sent.source], hosts[sent.target], sent.bytes / size_bytes)
