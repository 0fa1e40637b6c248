"""Latency and bandwidth of every algorithm and protocol, as NCCL 2.19 computes them.

With n ranks on N nodes, a ring takes 2 (n - 1) steps for an allreduce, n - 1 for allgather and
reducescatter, n for broadcast and reduce; of these 2 N, N - 1 and N cross the network (none on one
node). Bus bandwidth is channels x bandwidth of a channel, less what a protocol costs; the algorithm's
is that times n / steps for a ring, and half of it for a tree.
"""

from __future__ import annotations

from dataclasses import dataclass

from uet.base.errors import BadInput
from uet.schedule.nccl import tables as t

COLLECTIVES = ("allreduce", "allgather", "reducescatter", "broadcast", "reduce")


@dataclass(frozen=True)
class Channels:
    """One of the graphs that NCCL found: channels and the bandwidth of each, in GB/s.

    `bw_intra` counts on up to two nodes, `bw_inter` on more. `pattern` is NCCL's number: 1 balanced tree,
    2 split tree, 3 tree, 4 ring.
    """

    channels: int
    bw_intra: float
    bw_inter: float
    pattern: int = 4


@dataclass(frozen=True)
class System:
    """A communicator: its GPUs, nodes and graphs.

    `path_inter` is the index in `tables.PATHS` of the path between GPU and NIC, `net_latency_us` what the
    NIC adds. GPUs of a node are taken to be joined by NVLink, all of one compute capability `compcap`.
    """

    compcap: int
    nodes: int
    ranks: int
    ring: Channels
    tree: Channels
    net_latency_us: float
    path_inter: int
    cpu: str

    def __post_init__(self) -> None:
        if self.ranks < 2 or self.nodes < 1 or self.ranks % self.nodes:
            raise BadInput(f"{self.ranks} ranks on {self.nodes} nodes: give at least 2, as many on every node")

    @property
    def generation(self) -> str:
        """Return the generation of the GPUs, as a key of the tables."""
        return [name for name, lowest in t.GENERATIONS if self.compcap >= lowest][-1]

    def graph(self, algorithm: str) -> Channels:
        """Return the channels of an algorithm."""
        return self.tree if algorithm == t.TREE else self.ring


def choices(collective: str) -> list[tuple[str, str]]:
    """Return the algorithms and protocols that a collective has: trees are for allreduce alone."""
    algorithms = t.ALGORITHMS if collective == "allreduce" else (t.RING,)
    return [(algorithm, protocol) for algorithm in algorithms for protocol in t.PROTOCOLS]


def bandwidth(system: System, collective: str, algorithm: str, protocol: str) -> float:
    """Return the algorithm bandwidth [GB/s]: bytes of the collective over the time without latency; 0 if not usable.

    LL128 needs stores of 128 bytes to arrive whole, which is known of Volta, Ampere and Hopper with NVLink
    and a NIC that is near.
    """
    if protocol == t.LL128 and not _ll128_is_safe(system):
        return 0.0
    if algorithm == t.TREE:
        return 0.5 * _tree_bus_bandwidth(system, protocol)
    return _ring_bus_bandwidth(system, collective, protocol) * system.ranks / _steps(system, collective)


def latency_us(system: System, collective: str, algorithm: str, protocol: str) -> float:
    """Return the time [us] of the collective for no bytes."""
    base = t.BASE_US[algorithm].of(protocol)
    within = "nvlink" if system.ranks > system.nodes else "pci"  # a GPU alone on its node counts as on PCI
    intra = t.HOP_US[within][algorithm].of(protocol)
    inter = t.HOP_US["net"][algorithm].of(protocol) + system.net_latency_us * (2 if protocol == t.SIMPLE else 1)
    if algorithm == t.TREE:
        depth = system.nodes.bit_length() - 1
        return base + 2 * ((system.ranks // system.nodes - 1) * intra + depth * inter)
    if collective in ("broadcast", "reduce"):
        return base + t.HOP_US[within if system.nodes == 1 else "net"][algorithm].of(protocol)
    if system.nodes > 1:
        intra = max(intra, t.NET_OVERHEAD_US[system.cpu] * (3 if protocol == t.SIMPLE else 1))
    crossing = _crossing_steps(system, collective)
    return base + (_steps(system, collective) - crossing) * intra + crossing * inter


def _ll128_is_safe(system: System) -> bool:
    hopper = system.generation == "hopper"
    farthest = t.LL128_FARTHEST_HOPPER if hopper else t.LL128_FARTHEST
    return system.path_inter <= farthest and system.compcap in (70, 80, 90)


def _steps(system: System, collective: str) -> int:
    if collective == "allreduce":
        return 2 * (system.ranks - 1)
    return system.ranks - 1 if collective in ("allgather", "reducescatter") else system.ranks


def _crossing_steps(system: System, collective: str) -> int:
    if collective == "allreduce":
        return 2 * system.nodes if system.nodes > 1 else 0
    return system.nodes - 1


def _bus(system: System, graph: Channels) -> float:
    return graph.channels * (graph.bw_intra if system.nodes <= 2 else graph.bw_inter)


def _ll_most(system: System) -> float:
    row = system.generation if system.nodes == 1 else t.LL_ROW_OF_CPU[system.cpu]
    return t.LL_MOST[row].of(system.nodes)


def _ring_bus_bandwidth(system: System, collective: str, protocol: str) -> float:
    bus = _bus(system, system.ring)
    if protocol == t.LL:
        quarter = system.nodes > 1 or collective in ("allreduce", "reduce")
        return min(_ll_most(system), bus / (4 if quarter else 3))
    if protocol == t.LL128:
        through_nic_both_ways = system.ranks / system.nodes < 2
        most = system.ring.channels * t.RING_LL128_MOST[system.generation].of(system.nodes)
        return min(bus * (0.7 if through_nic_both_ways else 0.92), most)
    return bus


def _tree_bus_bandwidth(system: System, protocol: str) -> float:
    tree, generation = system.tree, system.generation
    bus = min(_bus(system, tree) * 0.92, tree.channels * t.TREE_MOST[generation].of(system.nodes))
    if protocol == t.LL:
        bus = min(bus / 3.8, _ll_most(system))
    if protocol == t.LL128:
        most = tree.channels * t.TREE_LL128_MOST[generation].of(system.nodes)
        bus = min(bus * (7 / 9 if system.nodes == 1 else 120 / 128), most)
    return bus * 0.85 if tree.pattern == t.TREE_PATTERN else bus
