"""Minimal adaptive routing on a HammingMesh, north last, the channel growing on every way into a tree.

A host offers every minimal step along its row and, beside it, the minimal step south; steps north only
once the row is right. A line's switch offers the near port of the destination's board on either side,
whichever is shorter, here or over its up-links. A minimal path enters at most one row tree and one
column tree, so channels 0 to 2 suffice.

Fields of ROUTE_NODE (a dimension is 0 for rows, 1 for columns; "low" is west or north):
    host   a column, b row, c column * columns, d row * rows, e ports into a line as bits W 1, E 2, N 4, S 8
    leaf   a dimension, b its number in the line, c up-links, d ports facing boards, e first line port
    spine  a dimension, b word of its link offsets by leaf
Words 0..5: first word of the direction bits of each dimension, first word of its places (4 words each:
low line port, leaf of the low port, leaf of the high port, place on the board), board side minus 1.
Words 6..21: for every set of a host's four ports, its members in two bits each and from bit 8 its size.

Memory: 32 bytes a node, (columns^2 + rows^2) / 4 bytes of direction bits, 16 bytes a place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.routing.next_hop import node_at, pack, pick, word_at
from uet.base.jit import kernel


@kernel
def next_hop(r: Any, node: int, destination: int, vc: int, choice: int) -> int:
    """Return the packed next hop from `node` towards host `destination`; -1 if there is none."""
    here, there = node_at(r, node), node_at(r, destination)
    level, first = here["level"], np.int64(here["first_port"])
    if level == 0:
        along = _direction(r, 0, here["c"] + there["a"])
        across = _direction(r, 1, here["d"] + there["b"])
        ports = along | (across & (2 if along else 3)) << 2
        return _one_of_four(r, first, ports, np.int64(here["e"]), vc, choice)
    place = word_at(r, 2 + here["a"])["value"] + 4 * (there["b"] if here["a"] else there["a"])
    low = np.int64(word_at(r, place + 3)["value"])
    high = word_at(r, 4 + here["a"])["value"] - low
    low_leaf, high_leaf = word_at(r, place + 1)["value"], word_at(r, place + 2)["value"]
    if level == 2:
        return _from_spine(r, first, here["b"], low - high, low_leaf, high_leaf, vc, choice)
    mine = here["b"]
    low += 0 if low_leaf == mine else 2
    high += 0 if high_leaf == mine else 2
    local_low = low <= high and low_leaf == mine
    local_high = high <= low and high_leaf == mine
    upwards = (low <= high and low_leaf != mine) or (high <= low and high_leaf != mine)
    local = (1 if local_low else 0) + (1 if local_high else 0)
    size = local + (np.int64(here["c"]) if upwards else 0)
    k = pick(choice, size)
    down = word_at(r, place)["value"] - here["e"] + (k if local_low else 1)
    up = here["d"] + k - local
    return pack(first + (down if k < local else up), vc, size)


@kernel
def _direction(r: Any, dimension: int, entry: int) -> int:
    """Return the direction bits of an entry: 1 going low is minimal, 2 going high is."""
    word = word_at(r, word_at(r, dimension)["value"] + (entry >> 4))["value"]
    return (int(word) >> ((entry & 15) << 1)) & 3


@kernel
def _one_of_four(r: Any, first: int, ports: int, into_line: int, vc: int, choice: int) -> int:
    """Return one of the ports in the bit set, -1 of an empty one; entering a line raises the channel."""
    members = np.int64(word_at(r, 6 + ports)["value"])
    size = members >> 8
    port = (members >> (pick(choice, size) << 1)) & 3
    return pack(first + port, vc + (into_line >> port & 1), size) if size else -1


@kernel
def _from_spine(r: Any, first: int, word: int, detour: int, low: int, high: int, vc: int, choice: int) -> int:
    """Return a link to the leaf on the shorter side, or to either if `detour` is 0."""
    low_start = np.int64(word_at(r, word + low)["value"])
    high_start = np.int64(word_at(r, word + high)["value"])
    n_low = word_at(r, word + low + 1)["value"] - low_start if detour <= 0 else 0
    n_high = word_at(r, word + high + 1)["value"] - high_start if detour > 0 or (detour == 0 and low != high) else 0
    size = n_low + n_high
    k = pick(choice, size)
    return pack(first + (low_start + k if k < n_low else high_start + k - n_low), vc, size)
