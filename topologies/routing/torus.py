"""Minimal adaptive routing on a torus, downward first, the channel growing on every wrap-around link.

Steps towards lower coordinates come before steps towards higher ones (negative-first turn model, Glass
and Ni, ISCA 1992), each set free in the order of dimensions; a minimal path wraps at most once per
dimension, so `dimensions` + 1 channels suffice, each with the turns of a mesh. Half-way round an even
ring both ways are minimal; the destination's parity decides, so that pairs balance over both.

Fields of ROUTE_NODE: a the host's coordinates, packed, b its parity (sum of coordinates modulo 2).
Word 0: dimensions; then per dimension shift and mask of its coordinate, its length and its first port on
a host. A ring of three or more has a port down and a port up, one of two has a single port.

Memory: 32 bytes a host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.bits import member_of_few, ones
from topologies.routing.bitset import coordinate
from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    first, parity = np.int64(here["first_port"]), np.int64(there["b"])
    down = up = np.uint64(0)
    for k in range(word_at(r, 0)["value"]):
        ahead = coordinate(r, there["a"], 1 + 4 * k) - coordinate(r, here["a"], 1 + 4 * k)
        way = _way(ahead, np.int64(word_at(r, 3 + 4 * k)["value"]), parity)
        down |= np.uint64(1 if way < 0 else 0) << np.uint64(k)
        up |= np.uint64(1 if way > 0 else 0) << np.uint64(k)
    ways = down if down else up
    size = ones(ways)
    word = 1 + 4 * member_of_few(ways, pick(choice, size))
    length = np.int64(word_at(r, word + 2)["value"])
    edge = 0 if down else length - 1
    wraps = 1 if length > 2 and coordinate(r, here["a"], word) == edge else 0
    port = word_at(r, word + 3)["value"] + (0 if down or length <= 2 else 1)
    return pack(first + port, vc + wraps, size) if size else -1


@kernel
def _way(ahead: int, length: int, parity: int) -> int:
    """Return -1, 0 or 1: the minimal direction along a ring for a distance ahead in -length < ahead < length."""
    twice = 2 * (ahead if ahead > 0 else ahead + length)
    half_way = 1 if parity else -1
    way = (1 if twice < length else -1) if twice != length else half_way
    way = ahead if length == 2 else way
    return way if ahead != 0 else 0
