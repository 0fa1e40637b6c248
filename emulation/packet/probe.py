"""Unloaded paths: walk the fabric's own routes and find the longest one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from topologies.fabric import Fabric
from topologies.routing.next_hop import ROUTE, call_next_hop, port_of, vc_of
from uet.base.errors import NoAnswer
from uet.base.jit import World, WorldLayout, kernel
from uet.base.tables import Records, table

PROBE_PORT = table(
    "probe_port",
    """
    peer i4 - node at the other end
    latency_ps i8 ps propagation and switch latency
    ps_per_byte f8 ps/byte serialisation
    """,
)
PROBE_SOURCE = table(
    "probe_source",
    """
    host i4 - where to start
    hops i4 - links of the longest path by latency, -1 if some host is unreachable
    latency_ps i8 ps its propagation and switch latencies
    ps_per_byte f8 ps/byte sum of its links' serialisation
    """,
)
PROBE = WorldLayout("probe", PROBE_PORT, PROBE_SOURCE, ROUTE)
port_at, source_at, route_of = PROBE.rows("probe_port"), PROBE.rows("probe_source"), PROBE.rows("route")

PS_PER_BYTE_GBPS = 8_000  # one byte at 1 Gb/s takes 8,000 ps
MAX_HOPS = 4096
SOURCES = 64
"""All hosts are sources in small fabrics, this many evenly spaced ones in large fabrics."""


@dataclass(frozen=True)
class Paths:
    """The longest unloaded path and the rate of a host's port."""

    hops: int
    latency_ps: int
    ps_per_byte: float
    host_gbps: float

    def round_trip_ps(self, packet_bytes: int, ack_bytes: int) -> int:
        """Return the time of a full packet there and an ACK back, stored and forwarded at every hop."""
        return round(2 * self.latency_ps + self.ps_per_byte * (packet_bytes + ack_bytes))


@kernel
def follow(w: Any, next_hop: int, source: int, target: int) -> Any:
    """Walk one path and return its links (MAX_HOPS or more: there is none), its latency [ps], the serialisation of
    all its links and that of its first one [ps/byte].
    """
    r = route_of(w, 0)
    node: Any = source
    vc, hops, latency, serialisation, first = 0, 0, 0, 0.0, 0.0
    while node != target and hops < MAX_HOPS:
        packed = call_next_hop(next_hop, r, node, target, vc, 0)
        if packed < 0:
            return MAX_HOPS, latency, serialisation, first
        port = port_at(w, port_of(packed))
        node, vc, hops = np.int64(port["peer"]), vc_of(packed), hops + 1
        latency += port["latency_ps"]
        serialisation += port["ps_per_byte"]
        if hops == 1:
            first = serialisation
    return hops, latency, serialisation, first


@kernel
def _walk(w: Any, next_hop: int, n_hosts: int, packet_bytes: int) -> None:
    for i in range(w["n_probe_source"]):
        source, worst = source_at(w, i), -1.0
        for target in range(n_hosts):
            hops, latency, serialisation, _ = follow(w, next_hop, np.int64(source["host"]), target)
            if hops >= MAX_HOPS:
                source["hops"] = -1
                return
            if latency + packet_bytes * serialisation > worst:
                worst = latency + packet_bytes * serialisation
                source["hops"], source["latency_ps"], source["ps_per_byte"] = hops, latency, serialisation


def port_latencies(fabric: Fabric) -> np.ndarray:
    """Return what a packet waits between leaving each port and reaching the next egress queue [ps]."""
    ports, peer_node = fabric.ports, fabric.ports["node"][fabric.ports["peer"]]
    latency = fabric.links["latency_ps"][ports["link"]].astype(np.int64)
    return latency + np.where(peer_node >= fabric.n_hosts, fabric.switch_latency_ps, 0)


def probe_world(fabric: Fabric, sources: Records) -> World:
    """Return what kernels that walk a fabric's routes need; `sources` are PROBE_SOURCE rows, as many as they use."""
    ports = fabric.ports
    rows = PROBE_PORT.zeros(len(ports))
    rows["peer"] = ports["node"][ports["peer"]]
    rows["latency_ps"] = port_latencies(fabric)
    rows["ps_per_byte"] = PS_PER_BYTE_GBPS / fabric.links["gbps"][ports["link"]]
    return World(PROBE, {"probe_port": rows, "probe_source": sources, "route": fabric.routes.world})


def longest_path(fabric: Fabric, packet_bytes: int) -> Paths:
    """Return the longest unloaded path of one plane. Raises NoAnswer if a host cannot be reached."""
    n = fabric.n_hosts
    chosen = np.unique(np.linspace(0, n - 1, min(n, SOURCES)).astype(np.int64)) if n > 256 else np.arange(n)
    sources = PROBE_SOURCE.zeros(len(chosen))
    sources["host"] = chosen
    world = probe_world(fabric, sources)
    _walk(world.handle, fabric.routes.address, n, packet_bytes)
    if (sources["hops"] < 0).any():
        raise NoAnswer(f"{fabric.spec}: some hosts cannot reach each other; repair links or choose another fabric")
    longest = sources[np.argmax(sources["latency_ps"] + packet_bytes * sources["ps_per_byte"])]
    host_gbps = float(fabric.links["gbps"][fabric.ports["link"][fabric.nodes["first_port"][0]]])
    return Paths(int(longest["hops"]), int(longest["latency_ps"]), float(longest["ps_per_byte"]), host_gbps)
