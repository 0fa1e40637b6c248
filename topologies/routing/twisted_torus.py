"""Minimal routing on a twisted torus from a table over coordinate differences.

A twisted torus looks the same from every node, so the set of minimal steps depends only on the
difference of coordinates, reduced by the wraps and their twists. The set is every minimal next hop.
The channel number grows with every link of a path, hence no cycle of waits.

Fields of ROUTE_NODE: a the host's three coordinates, packed.
Words 0..3: the lengths of the three dimensions and the longest distance D; words 4..6: how far a wrap of
the first dimension shifts the second and the third, and one of the second the third; words 7..12: shift
and mask of each coordinate; words 13..: per difference (first dimension fastest) its distance times 64
plus the set of ports: two bits per dimension, down and up. A link with d links to go from its start uses
channel D - d.

Memory: 32 bytes a host and 4 bytes per difference.
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
    x = coordinate(r, there["a"], 7) - coordinate(r, here["a"], 7)
    y = coordinate(r, there["a"], 9) - coordinate(r, here["a"], 9)
    z = coordinate(r, there["a"], 11) - coordinate(r, here["a"], 11)
    n_x, n_y = np.int64(word_at(r, 0)["value"]), np.int64(word_at(r, 1)["value"])
    n_z, twist_x_y = np.int64(word_at(r, 2)["value"]), np.int64(word_at(r, 4)["value"])
    twist_x_z, twist_y_z = np.int64(word_at(r, 5)["value"]), np.int64(word_at(r, 6)["value"])
    y -= twist_x_y if x < 0 else 0
    z -= twist_x_z if x < 0 else 0
    x += n_x if x < 0 else 0
    for _ in range(2):  # twists are at most half a length, so two turns bring any difference back
        z -= twist_y_z if y < 0 else 0
        y += n_y if y < 0 else 0
    z += n_z if z < 0 else 0
    z += n_z if z < 0 else 0
    entry = np.int64(word_at(r, 13 + x + n_x * (y + n_y * z))["value"])
    ports = np.uint64(entry & 63)
    size = ones(ports)
    port = here["first_port"] + member_of_few(ports, pick(choice, size))
    return pack(port, word_at(r, 3)["value"] - (entry >> 6), size) if size else -1
