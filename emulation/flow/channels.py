"""Which resources the pairs that talk share, found by walking the fabric's routes.

Ports that every pair loads alike are one resource: all up-links of a leaf, say, over which everybody
sprays evenly. And a resource that is not full even with all its pairs at the highest rate that their
other links allow limits nobody; it is left out of the filling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emulation.flow.walker import Ints, Reals, Say, Walker
from emulation.packet.probe import PS_PER_BYTE_GBPS
from topologies.fabric import Fabric
from uet.base.tables import Records

_ODD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Channels:
    """Pairs of hosts and what they load.

    Pair i goes from `source[i]` to `target[i]` and uses entries first[i] .. first[i + 1]: `resource` with
    its `share` of the pair's rate. `capacity` [n_resources] is in wire bytes/ps, `port_resource` [n_ports]
    tells which resource a port is part of (-1: nobody uses it). `binding` [n_entries] are the entries that
    can limit somebody. Unloaded: `there_ps` latency of a pair's path, `rest_ps_per_byte` serialisation behind its
    first link, `back_ps` an ACK's way back, and `alone` [wire bytes/ps] the rate it would get.
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
    alone: Reals


def build_channels(
    fabric: Fabric, source: Ints, target: Ints, ack_bytes: int, n_paths: int = 0, seed: int = 1,
    say: Say | None = None,
) -> Channels:  # fmt: skip
    """Return the channels of distinct pairs of hosts, source[i] != target[i], spread as a `Walker` does."""
    walker = Walker(fabric, n_paths, seed, say)
    gbps = fabric.links["gbps"][fabric.ports["link"]].astype(np.float64)
    signature = walker.port_signatures(source, target)
    used = np.flatnonzero(signature)
    alike = signature[used] ^ (gbps[used].view(np.uint64) * _ODD)
    _, leader, number = np.unique(alike, return_index=True, return_inverse=True)
    port_resource = np.full(len(gbps), -1, np.int64)
    port_resource[used] = number
    kept = np.zeros(len(gbps), np.bool_)
    kept[used[leader]] = True
    counts, ports, share = walker.shares(source, target, kept)
    first = np.concatenate([[0], np.cumsum(counts)])
    resource, capacity = port_resource[ports], gbps[used[leader]] / PS_PER_BYTE_GBPS
    return Channels(
        source, target, first, resource, share, capacity, port_resource, binding(first, resource, share, capacity),
        *walker.times(source, target, ack_bytes), np.minimum.reduceat(capacity[resource] / share, first[:-1]),
    )  # fmt: skip


def binding(first: Ints, resource: Ints, share: Reals, capacity: Reals) -> NDArray[np.bool_]:
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


def port_loads(fabric: Fabric, channels: Channels, sent: Reals) -> Records:
    """Return a row per port: `sent_bytes` if the pairs have sent so many wire bytes [n_pairs], and its rate."""
    c = channels
    loads = np.bincount(c.resource, c.share * np.repeat(sent, np.diff(c.first)), len(c.capacity))
    rows = np.zeros(len(fabric.ports), dtype=[("sent_bytes", "f8"), ("gbps", "f8")])
    rows["sent_bytes"] = np.where(c.port_resource >= 0, np.append(loads, 0.0)[c.port_resource], 0.0)
    rows["gbps"] = fabric.links["gbps"][fabric.ports["link"]]
    return rows
