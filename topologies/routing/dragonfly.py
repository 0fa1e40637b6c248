"""Minimal routing on a Dragonfly: over at most one link between groups, with links inside groups around it.

From a router towards a router of another group the set holds the first link of every shortest path of
the form local, global, local with one global link, where local links may be missing. (A pair of global
links through a third group can be shorter still; it is not minimal routing in a Dragonfly's sense.)
Links inside the destination's group use channel 1, all others 0: local, global, local is their order,
hence no cycle of waits (Kim, Dally, Scott, Abts, ISCA 2008).

Fields of ROUTE_NODE:
    level  0 host, 1 router
    index  router (of a host: the one it hangs on), a group, b number in its group, d of a host: port on it
Words 0..4: hosts of a router, groups, routers of a group, words of a set, first word of the sets' numbers;
then the number of the first set for every pair of groups, and sets by router of the near and of the far
group. Bits count a router's ports from the first after its hosts.

Memory: 32 bytes a node, 4 bytes per ordered pair of groups, 4 bytes per word of a set; pairs at equal
distance in the numbering share their routers^2 sets.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.routing.bitset import choose_port
from topologies.routing.next_hop import node_at, pack, word_at
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
    first += word_at(r, 0)["value"]
    mine, wanted = np.int64(here["b"]), np.int64(there["b"])
    if here["a"] == there["a"]:
        return pack(first + wanted - (1 if wanted > mine else 0), 1, 1)
    pair = word_at(r, 4)["value"] + here["a"] * word_at(r, 1)["value"] + there["a"]
    entry = mine * word_at(r, 2)["value"] + wanted
    n_words = np.int64(word_at(r, 3)["value"])
    return choose_port(r, word_at(r, pair)["value"] + entry * n_words, n_words, first, 0, choice)
