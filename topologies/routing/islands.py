"""Islands of hosts on NVLink switches beside a scale-out tree.

Hosts of one island reach each other over the island, all others over the sender's own NIC and the
tree (rule `up_down`). On rails without a tree across (`rail-only`) a host whose rail is not the destination's may
also hand over to the island's host of that rail, which sends on (as NCCL's PXN does); the other way
round, a packet that arrives on another rail finishes over the destination's island.

Fields of ROUTE_NODE: those of `up_down`, and
    host   e island, index place in the island, which is its rail
    leaf and core  e rail; spine  index rail
    island switch  level 4, index island
Word 1: switches of an island, each with one link to every host; word 2: 1 on rails without a tree across.

Memory: that of `up_down`, 32 bytes an island switch more. Island links behind a tree use channel 1, all else 0:
packets go island, tree, island.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.routing import up_down
from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel

ISLAND_LEVEL = 4
_over_tree = up_down.next_hop


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    level, first = here["level"], np.int64(here["first_port"])
    if level == ISLAND_LEVEL:
        return pack(first + there["index"], vc, 1)
    rails = np.int64(word_at(r, 2)["value"])
    if level > 0:
        rail = here["index"] if level == 2 else here["e"]
        return _over_tree(r, node, destination + rails * (rail - there["index"]), vc, choice)
    n_switches = np.int64(word_at(r, 1)["value"])
    if node == destination:
        return -1
    own_nic = np.int64(here["d"] >= 0)
    if here["e"] == there["e"]:
        return pack(first + own_nic + pick(choice, n_switches), rails, n_switches)
    if rails and here["index"] != there["index"]:
        size = 1 + n_switches
        return pack(first + pick(choice, size), vc, size)
    return _over_tree(r, node, destination, vc, choice) if own_nic else -1
