"""Single points of failure: links and switches whose loss cuts a host off.

One depth-first search with low-links (Tarjan, SIAM J. Comput. 1972) from the first working host, over the
planes side by side, joined in their hosts. With two undamaged planes or more there is nothing to search:
no single link or switch cuts a host off, since every host is on all planes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric
from topologies.failures import Damage
from uet.base.jit import kernel


@kernel
def _search(
    offsets: np.ndarray,
    peer: np.ndarray,
    link: np.ndarray,
    start: int,
    n_hosts: int,
    cut_links: np.ndarray,
    cut_nodes: np.ndarray,
) -> int:
    """Mark the bridges with hosts on both sides and the nodes that separate hosts; return the hosts reached."""
    n = len(offsets) - 1
    seen = np.zeros(n, np.int64)  # order of discovery, from 1
    low = np.zeros(n, np.int64)
    hosts = np.zeros(n, np.int64)  # in the subtree
    parent, by_link, next_port = np.full(n, -1, np.int64), np.full(n, -1, np.int64), offsets[:n].copy()
    seen[start] = low[start] = hosts[start] = 1
    count = 1
    v = start
    while v >= 0:
        if next_port[v] < offsets[v + 1]:
            p = next_port[v]
            next_port[v] += 1
            u = peer[p]
            if link[p] == by_link[v]:
                continue
            if seen[u]:
                low[v] = min(low[v], seen[u])
                continue
            count += 1
            seen[u] = low[u] = count
            parent[u], by_link[u] = v, link[p]
            hosts[u] = 1 if u < n_hosts else 0
            v = u
            continue
        up = parent[v]
        if up >= 0:
            low[up] = min(low[up], low[v])
            hosts[up] += hosts[v]
            if hosts[v] > 0 and low[v] >= seen[up]:
                cut_nodes[up] = 1
                if low[v] > seen[up]:
                    cut_links[by_link[v]] = 1
        v = up
    return hosts[start]


def single_points(fabric: Fabric, damage: Damage | None = None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which links [planes, n_links] and switches [planes, n_switches] cut a host off when they fail alone.

    With damage: of the hosts that the first working host still reaches.
    """
    links = np.zeros((fabric.planes, len(fabric.links)), bool)
    switches = np.zeros((fabric.planes, fabric.n_switches), bool)
    working = np.arange(fabric.n_hosts) if damage is None else np.flatnonzero(~damage.host_down)
    if (damage is None and fabric.planes > 1) or not len(working):
        return links, switches
    ends, used = _side_by_side(fabric, damage)
    n = fabric.n_hosts + switches.size
    cut_links, cut_nodes = np.zeros(links.size, np.int64), np.zeros(n, np.int64)
    _search(*_neighbours(ends, used, n), int(working[0]), fabric.n_hosts, cut_links, cut_nodes)
    return cut_links.reshape(links.shape) > 0, cut_nodes[fabric.n_hosts :].reshape(switches.shape) > 0


def _side_by_side(fabric: Fabric, damage: Damage | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the end nodes [2, links] of all links of all planes, switches of plane p after those of plane p - 1,
    and the numbers of the links that are left.
    """
    ends = np.stack([fabric.ports["node"][fabric.links[end]] for end in ("port_a", "port_b")]).astype(np.int64)
    shift = np.arange(fabric.planes)[:, None] * fabric.n_switches
    moved = np.where(ends[:, None] < fabric.n_hosts, ends[:, None], ends[:, None] + shift).reshape(2, -1)
    up = np.ones(moved.shape[1], bool) if damage is None else damage.link_rate.reshape(-1) > 0
    return moved, np.flatnonzero(up)


def _neighbours(
    ends: NDArray[np.int64], used: NDArray[np.int64], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return neighbour lists (offsets [n + 1], neighbours and links) of the links `used`."""
    tail, head = (np.concatenate([ends[k][used], ends[1 - k][used]]) for k in (0, 1))
    order = np.argsort(tail, kind="stable")
    offsets = np.searchsorted(tail[order], np.arange(n + 1)).astype(np.int64)
    return offsets, head[order], np.concatenate([used, used])[order]
