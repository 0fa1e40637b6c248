"""Twin switches: those with the same neighbours over the same links, port by port, as the spines of a two-level tree.

Traffic that spreads over all next hops loads the ports of twins alike, so the eldest is walked for all of
them: 260 ports instead of 8,300 per pair in a three-level tree of 128-port switches.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from topologies.fabric import Fabric

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Twins:
    """How a walk passes over twins.

    `run` [n_ports]: how many ports from here on lead to twins, one to each and to the eldest first; 0 for the
    others of them, 1 for ports that lead elsewhere. `many` [n_nodes]: how many twins a switch is one of, itself
    included. `leader` [n_ports]: the port that is walked for this one.
    """

    run: Ints
    many: Ints
    leader: Ints


def no_twins(fabric: Fabric) -> Twins:
    """Return that every port is walked for itself."""
    n_ports = len(fabric.ports)
    return Twins(np.ones(n_ports, np.int64), np.ones(len(fabric.nodes), np.int64), np.arange(n_ports))


def find_twins(fabric: Fabric) -> Twins:
    """Return the twins with numbers in a row that all their neighbours have at ports in a row; or `no_twins`."""
    node = fabric.ports["node"].astype(np.int64)
    peer, first = node[fabric.ports["peer"]], fabric.nodes["first_port"].astype(np.int64)
    eldest = _eldest(fabric, node, peer, first)
    many = np.bincount(eldest, minlength=len(eldest))[eldest]
    begins = np.flatnonzero((eldest[peer] == peer) & (many[peer] > 1))
    length = many[peer[begins]]
    place = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    start = np.repeat(begins, length)
    ports = np.minimum(start + place, len(node) - 1)
    in_a_row = (peer[ports] == peer[start] + place) & (node[ports] == node[start])
    if len(ports) != np.count_nonzero(many[peer] > 1) or not in_a_row.all():
        return no_twins(fabric)
    run, lead = np.ones(len(node), np.int64), np.arange(len(node))
    run[ports], lead[ports] = 0, start
    run[begins] = length
    return Twins(run, many, lead[first[eldest[node]] + np.arange(len(node)) - first[node]])


def _eldest(fabric: Fabric, node: Ints, peer: Ints, first: Ints) -> Ints:
    """Return the first of the switches in a row with the same peers and links, port by port; hosts are their own."""
    links = fabric.links[fabric.ports["link"]]
    kinds = np.unique(np.stack([links["gbps"], links["latency_ps"]]), axis=1, return_inverse=True)[1].reshape(-1)
    mix = np.random.default_rng(0).integers(0, 2**63, (3, max(len(first), len(node))), np.uint64)
    key = np.zeros(len(first), np.uint64)  # a sum stands for a sequence: every part is mixed with its place
    np.add.at(key, node, (mix[0, peer] + mix[1, kinds]) * (mix[2, np.arange(len(node)) - first[node]] | np.uint64(1)))
    numbers = np.arange(len(first))
    new = (np.diff(key, prepend=~key[:1]) != 0) | (numbers <= fabric.n_hosts)
    return np.maximum.accumulate(np.where(new, numbers, 0))
