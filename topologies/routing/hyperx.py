"""Minimal routing where the nodes of a line are all linked to each other: HyperX and full meshes.

Any dimension in which the destination differs may be corrected next, so the set is every minimal next
hop. The channel of a link is the number of dimensions already right, of `dimensions`; it grows along
every path, hence no cycle of waits.

Fields of ROUTE_NODE:
    level  0 a host that hangs on a router, 1 a node with links to others of its lines
    index  number of the router (of a host: the one it hangs on or is)
    a      the router's coordinates, packed
    d      of a host: port on its router
Word 0: dimensions; then per dimension shift and mask of its coordinate, and the first port of its links,
counted from a node's first.

Memory: 32 bytes a node.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.bits import member_of_few, ones
from topologies.routing.bitset import coordinate, differing
from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    first = np.int64(here["first_port"])
    if node == destination:
        return -1
    if here["level"] == 0:
        return pack(first, 0, 1)
    if here["index"] == there["index"]:
        return pack(first + there["d"], vc, 1)
    dimensions = np.int64(word_at(r, 0)["value"])
    wrong = differing(r, here["a"], there["a"], dimensions, 1, 3)
    size = ones(wrong)
    word = 1 + 3 * member_of_few(wrong, pick(choice, size))
    mine, wanted = coordinate(r, here["a"], word), coordinate(r, there["a"], word)
    port = word_at(r, word + 2)["value"] + wanted - (1 if wanted > mine else 0)
    return pack(first + port, dimensions - size, size)
