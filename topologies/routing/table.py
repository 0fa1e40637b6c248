"""Minimal routing on any graph from a table of next-hop sets; the channel number grows with every link.

For each node that forwards and each attachment (the switch of a host with one link, else the host) a
bit set of the node's ports that lie on a shortest path. A set takes as many bits as the node's port
count rounded up to a power of two, and at least four.

Fields of ROUTE_NODE:
    level  0 a host with one link, 1 a node with a table row
    index  as a destination: number of its attachment
    a      first word of the node's row
    b      bits of a set; above 32 a multiple of 32
    c      as a destination: port on the attachment's node that leads to it, -1 if it is its own
    d      node number of the attachment

Memory: 32 bytes a node and (forwarding nodes) * (attachments) * bits / 8 bytes. The set is every
minimal next hop. Links between forwarding nodes use channels 1, 2, ... in the order of the path; the links
of hosts with one link need no channel of their own. Hence no cycle of waits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.bits import member, ones
from topologies.routing.bitset import bits_at, choose_port
from topologies.routing.next_hop import node_at, pack, pick
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    first = np.int64(here["first_port"])
    if node == destination:
        return -1
    if here["level"] == 0:
        return pack(first, vc, 1)
    if node == there["d"]:
        return pack(first + there["c"], vc, 1)
    bits = np.int64(here["b"])
    entry = there["index"] * bits
    word = here["a"] + (entry >> 5)
    if bits > 32:
        return choose_port(r, word, bits >> 5, first, vc + 1, choice)
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    ports = (bits_at(r, word) >> np.uint64(entry & 31)) & mask
    size = ones(ports)
    return pack(first + member(ports, pick(choice, size)), vc + 1, size) if size else -1
