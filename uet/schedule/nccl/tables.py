"""Numbers of NCCL's tuning model.

Source: NVIDIA NCCL v2.19.4-1, src/graph/tuning.cc, src/include/device.h and collectives.h (BSD licence): facts
only. Versions 2.19.1 to 2.20.5 have the same. Latencies in us, bandwidths in GB/s; protocols stand in the
order LL, LL128, Simple; node counts in the order 1, 2, more than 2.
"""

from __future__ import annotations

from typing import NamedTuple

TREE, RING = "Tree", "Ring"
ALGORITHMS = (TREE, RING)
LL, LL128, SIMPLE = "LL", "LL128", "Simple"
PROTOCOLS = (LL, LL128, SIMPLE)


class PerProtocol(NamedTuple):
    """A number for each protocol."""

    ll: float
    ll128: float
    simple: float

    def of(self, protocol: str) -> float:
        """Return the number of a protocol."""
        return self[PROTOCOLS.index(protocol)]


class PerNodes(NamedTuple):
    """A number for runs on one node, on two, and on more."""

    one: float
    two: float
    more: float

    def of(self, nodes: int) -> float:
        """Return the number for so many nodes."""
        return self[min(nodes, 3) - 1]


BASE_US = {TREE: PerProtocol(6.8, 14.0, 0.0), RING: PerProtocol(6.6, 14.0, 8.4)}
"""What every call takes."""

HOP_US = {
    "nvlink": {TREE: PerProtocol(0.6, 1.25, 28.0), RING: PerProtocol(0.6, 1.9, 3.4)},
    "pci": {TREE: PerProtocol(1.0, 1.9, 28.0), RING: PerProtocol(1.0, 2.5, 5.7)},
    "net": {TREE: PerProtocol(5.0, 8.5, 28.0), RING: PerProtocol(2.7, 4.0, 14.0)},
}
"""What a step takes, by the link it crosses."""

NET_OVERHEAD_US = {"intel": 1.0, "amd": 2.0, "other": 1.0}
"""What a proxy thread needs per step of a ring between nodes; three times that with Simple."""

GENERATIONS = (("volta", 0), ("ampere", 80), ("hopper", 90))
"""Name and lowest compute capability."""

LL_MOST = {
    "volta": PerNodes(39.0, 39.0, 20.4), "ampere": PerNodes(87.7, 22.5, 19.0), "hopper": PerNodes(87.7, 22.5, 19.0),
}  # fmt: skip
"""Bus bandwidth that LL reaches at most: by GPU on one node; between nodes by the CPU instead."""

LL_ROW_OF_CPU = {"intel": "volta", "amd": "ampere", "other": "volta"}

RING_LL128_MOST = {
    "volta": PerNodes(20.0, 20.0, 20.0), "ampere": PerNodes(20.0, 20.0, 20.0), "hopper": PerNodes(36.7, 36.7, 36.7),
}  # fmt: skip
TREE_LL128_MOST = {
    "volta": PerNodes(20.0, 20.0, 20.0), "ampere": PerNodes(20.0, 20.0, 20.0), "hopper": PerNodes(36.7, 36.7, 29.0),
}  # fmt: skip
TREE_MOST = {
    "volta": PerNodes(26.5, 18.5, 10.0), "ampere": PerNodes(24.0, 23.6, 17.8), "hopper": PerNodes(38.7, 41.4, 36.0),
}  # fmt: skip
"""Bandwidth that a channel reaches at most."""

TREE_CORRECTION = {
    LL: (1, 1, 1, 1, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1, 1, 1),
    LL128: (1, 1, 1, 1, 1, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9, 1, 1),
    SIMPLE: (
        0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8, 0.9,
        0.9,
    ),
}  # fmt: skip
"""Share of the tree's bandwidth that is left by size: 64 B, 128 B, ... (below 64 B as at 64 B; then 1)."""

RING_PLATEAU, RING_PLATEAU_BEFORE_AMPERE, RING_PLATEAU_BYTES = 1.4, 1.9, 64
"""Factor on the latency of a Simple ring allreduce between nodes from so many bytes per channel and rank on."""

THREADS_MOST = {LL: 512, LL128: 640, SIMPLE: 512}
THREADS_SLOW_SIMPLE_RING, SLOW_GBPS = 256, 12.0
"""Threads of a Simple ring whose channels carry together no more than a PCI link (12 GB/s)."""

THREAD_BYTES = {LL: 8, LL128: 8, SIMPLE: 64}
"""Bytes per thread below which channels, then threads, are left out; for an LL ring times the ranks."""

WARP = 32
SYNC_WARPS = {TREE: 4, RING: 1}
"""Warps that Simple adds to a block."""
LEAST_WARPS = 3

PATHS = ("LOC", "NVL", "NVB", "PIX", "PXB", "PXN", "PHB", "SYS", "NET")
"""Kinds of paths between GPU and NIC, from near to far."""
LL128_FARTHEST, LL128_FARTHEST_HOPPER = PATHS.index("PXB"), PATHS.index("PXN")

TREE_PATTERN = 3
"""Graph pattern in which one GPU of a node carries both up and down traffic of a tree."""
