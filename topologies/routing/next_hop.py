"""The kernel side of routing: the ROUTE world, the NEXT_HOP hook and helpers for families."""

from __future__ import annotations

import numpy as np

from topologies.routes import ROUTE_NODE, WORD, Routes
from uet.base.jit import Hook, WorldLayout, kernel

ROUTE = WorldLayout("route", ROUTE_NODE, WORD)
NEXT_HOP = Hook("next_hop", 1, 4)

node_at = ROUTE.rows("route_node")
word_at = ROUTE.rows("word")
call_next_hop = NEXT_HOP.call


@kernel
def pick(choice: int, size: int) -> int:
    """Return the member number that 32 hashed bits choose out of `size`."""
    return (choice * size) >> 32


@kernel
def choice_of(k: int, size: int) -> int:
    """Return the smallest 32-bit choice for which `pick` returns member k out of `size`."""
    return ((k << 32) + size - 1) // size


@kernel
def pack(port: int, vc: int, size: int) -> int:
    """Pack a chosen port, the virtual channel of the next link and the size of the set."""
    return port | (vc << 32) | (size << 40)


@kernel
def port_of(packed: int) -> int:
    """Return the port of a packed next hop."""
    return packed & 0xFFFFFFFF


@kernel
def vc_of(packed: int) -> int:
    """Return the virtual channel of a packed next hop."""
    return (packed >> 32) & 0xFF


@kernel
def size_of(packed: int) -> int:
    """Return the size of the next-hop set of a packed next hop."""
    return (packed >> 40) & 0xFFFF


@kernel
def _enumerate(r: int, address: int, node: int, destination: int, vc: int, out: np.ndarray) -> int:
    first = call_next_hop(address, r, node, destination, vc, 0)
    if first < 0:
        return 0
    size = size_of(first)
    for k in range(min(size, len(out))):
        hop = call_next_hop(address, r, node, destination, vc, choice_of(k, size))
        out[k, 0], out[k, 1] = port_of(hop), vc_of(hop)
    return size


def candidates(routes: Routes, node: int, destination: int, vc: int = 0) -> list[tuple[int, int]]:
    """Return the minimal next-hop set as (port, virtual channel) pairs; empty if unreachable."""
    out = np.empty((64, 2), np.int64)
    size = _enumerate(routes.world.handle, routes.address, node, destination, vc, out)
    if size > len(out):
        out = np.empty((size, 2), np.int64)
        _enumerate(routes.world.handle, routes.address, node, destination, vc, out)
    return [(int(p), int(v)) for p, v in out[:size]]
