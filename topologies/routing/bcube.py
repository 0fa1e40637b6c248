"""Minimal routing on a BCube: any wrong digit may be corrected next, over the switch of its level.

The set is every minimal next hop. A switch's links use the channel of the link before; a host's next
link uses the number of digits already right, which grows along every path, hence no cycle of waits.

Fields of ROUTE_NODE:
    level  0 host, 1 switch
    a      of a host: its digits, packed; of a switch: the word of shift and mask of the digit it corrects
Word 0: digits; then per digit its shift and mask.

Memory: 32 bytes a node.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.bits import member, ones
from topologies.routing.bitset import coordinate, differing
from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    first = np.int64(here["first_port"])
    if here["level"] == 1:
        return pack(first + coordinate(r, there["a"], here["a"]), vc, 1)
    digits = np.int64(word_at(r, 0)["value"])
    wrong = differing(r, here["a"], there["a"], digits, 1, 2)
    size = ones(wrong)
    return pack(first + member(wrong, pick(choice, size)), digits - size, size) if size else -1
