"""Prints nanoseconds per next-hop look-up and bytes of routing tables for several fabrics.

Run: python benchmarks/routing.py [SPEC ...]. A look-up is timed as the simulator makes it: by address, on
the nodes of random paths, with random choices. `walk` visits the nodes of each path in order, `scatter`
asks at random (node, destination) pairs, so that the tables fall out of the caches.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np

from topologies.registry import build
from topologies.routing.next_hop import call_next_hop, port_of, vc_of
from uet.base.jit import kernel

SPECS = (
    "fat-tree:hosts=1024",
    "fat-tree:hosts=1024,radix=16,levels=3",
    "fat-tree:hosts=16384,levels=3",
    "hammingmesh:board=2x2,grid=16x16",
    "hammingmesh:board=4x4,grid=8x8",
    "hammingmesh:board=2x2,grid=64x64",
    "torus:dims=16x16x16",
    "torus:dims=16x32x32,twisted",
    "hyperx:dims=18x18x18,p=18",
    "full-mesh:dims=8x8x4x4",
    "bcube:n=18,k=2",
    "dragonfly:p=16,a=32,h=16,g=200",
    "dragonfly:p=17,a=32,h=16,g=30",
    "dragonfly-plus:p=16,leaves=16,spines=16,h=16",
    "rail-only:gpus=16384",
    "slimfly:q=13",
    "slimfly:q=41",
    "jellyfish:switches=1000,degree=24,hosts_per_switch=8",
    "jellyfish:switches=6250,degree=48,hosts_per_switch=16",
)


@kernel
def trace(r: Any, address: int, sources: Any, destinations: Any, end: Any, nodes: Any, vcs: Any, whom: Any) -> int:
    """Fill (node, vc, destination) along random paths; return how many look-ups there were."""
    n = 0
    x = np.uint64(88172645463325252)
    for k in range(len(sources)):
        node, vc = sources[k], 0
        while node != destinations[k] and n < len(nodes):
            nodes[n], vcs[n], whom[n] = node, vc, destinations[k]
            n += 1
            x = x * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            hop = call_next_hop(address, r, node, destinations[k], vc, np.int64(x >> np.uint64(32)))
            node, vc = end[port_of(hop)], vc_of(hop)
    return n


@kernel
def look_up(r: Any, address: int, nodes: Any, vcs: Any, whom: Any, choices: Any) -> int:
    total = 0
    for k in range(len(nodes)):
        total += call_next_hop(address, r, nodes[k], whom[k], vcs[k], choices[k])
    return total


def measure(spec: str, look_ups: int = 1_000_000) -> str:
    fabric = build(spec)
    started = time.perf_counter()
    routes = fabric.routes
    made = time.perf_counter() - started
    rng = np.random.default_rng(1)
    hosts = rng.integers(0, fabric.n_hosts, (2, look_ups))
    end = fabric.ports["node"][fabric.ports["peer"]].astype(np.int64)
    state = [np.zeros(look_ups, np.int64) for _ in range(3)]
    n = trace(routes.world.handle, routes.address, hosts[0], hosts[1], end, *state)
    choices = rng.integers(0, 2**32, look_ups)
    times = []
    for order in (np.arange(n), rng.permutation(n)):
        columns = [column[order] for column in state] + [choices[:n]]
        best = np.inf
        for _ in range(8):
            started = time.perf_counter()
            look_up(routes.world.handle, routes.address, *columns)
            best = min(best, time.perf_counter() - started)
        times.append(best / n * 1e9)
    return (
        f"{spec:48} {routes.rule:12} {fabric.n_hosts:7} hosts {routes.memory_bytes / 2**20:8.2f} MiB "
        f"{made:6.2f} s  walk {times[0]:5.1f} ns  scatter {times[1]:5.1f} ns"
    )


if __name__ == "__main__":
    for spec in sys.argv[1:] or SPECS:
        print(measure(spec), flush=True)
