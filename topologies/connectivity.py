"""Single points of failure: links and switches whose loss cuts a host off.

One depth-first search with low-links (Tarjan, SIAM J. Comput. 1972) from host 0 over one plane. With
two planes or more no single link or switch cuts a host off, since every host is on all planes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric
from uet.base.jit import kernel


@kernel
def _search(
    offsets: np.ndarray, peer: np.ndarray, link: np.ndarray, n_hosts: int, cut_links: np.ndarray, cut_nodes: np.ndarray
) -> int:
    """Mark the bridges with hosts on both sides and the nodes that separate hosts; return the hosts reached."""
    n = len(offsets) - 1
    seen = np.zeros(n, np.int64)  # order of discovery, from 1
    low = np.zeros(n, np.int64)
    hosts = np.zeros(n, np.int64)  # in the subtree
    parent, by_link, next_port = np.full(n, -1, np.int64), np.full(n, -1, np.int64), offsets[:n].copy()
    seen[0] = low[0] = hosts[0] = 1
    count = 1
    v = 0
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
    return hosts[0]


def single_points(fabric: Fabric) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which links [n_links] and switches [n_switches] of a plane cut a host off when they fail alone."""
    links, nodes = np.zeros(len(fabric.links), np.int64), np.zeros(len(fabric.nodes), np.int64)
    if fabric.planes == 1:
        offsets, peer = fabric.adjacency
        link = fabric.ports["link"].astype(np.int64)
        _search(offsets.astype(np.int64), peer.astype(np.int64), link, fabric.n_hosts, links, nodes)
    return links > 0, nodes[fabric.n_hosts :] > 0
