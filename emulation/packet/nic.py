"""The NIC: pulls packets out of the engine as its ports fall idle, and takes arrivals in.

A host's packets wait in the engine, not in port queues. An endpoint with several ports (boards, tori) looks
ahead by at most one waiting packet per port, so that one busy port does not stop the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.operations import absorb
from emulation.packet.edge import ARRIVE, DEPART, PLACE, tell_edge
from emulation.packet.impair import hold_back, is_lost, twin_of
from emulation.packet.ports import enqueue, wake
from emulation.packet.state import (
    engine_of,
    hop_at,
    host_at,
    impair_at,
    network_at,
    operations_of,
    port_at,
    route_of,
)
from topologies.routing.next_hop import call_next_hop, port_of, vc_of
from uet.base.jit import kernel
from uet.base.rng import mix64
from uet.transport.receive import receive
from uet.transport.record import Net
from uet.transport.send import next_packet
from uet.transport.slots import free_slot, pop_control
from uet.transport.state import endpoint_at, packet_at

CONTROL = int(Net.CONTROL)


@kernel
def has_packets(e: Any, endpoint: int) -> bool:
    """Tell whether an endpoint may have something to send."""
    ep = endpoint_at(e, endpoint)
    return ep["control_head"] >= 0 or ep["active_head"] >= 0


@kernel
def _idle(s: Any, endpoint: int, now: int) -> bool:
    """Tell whether one of the endpoint's ports is idle."""
    h = host_at(s, endpoint)
    for port in range(h["first_port"], h["first_port"] + h["n_ports"]):
        p = port_at(s, port)
        if p["waking"] == 0 and p["busy_until_ps"] <= now and p["paused"] == 0:
            return True
    return False


@kernel
def kick(s: Any, endpoint: int, now: int) -> None:
    """Let an endpoint send as long as it has packets and an idle port."""
    e, h = engine_of(s, 0), host_at(s, endpoint)
    while has_packets(e, endpoint):
        if not _idle(s, endpoint, now) or h["waiting"] >= h["n_ports"]:
            if network_at(s, 0)["pfc"] != 0:
                _kick_control(s, endpoint, now)
            for port in range(h["first_port"], h["first_port"] + h["n_ports"]):
                if port_at(s, port)["busy_until_ps"] > now:
                    wake(s, port)
            return
        slot = next_packet(e, endpoint, now)
        if slot < 0:
            return
        _inject(s, np.int64(h["node"]), slot, now)


@kernel
def _kick_control(s: Any, endpoint: int, now: int) -> None:
    """Let control packets past the pause of an endpoint's idle ports."""
    e, h = engine_of(s, 0), host_at(s, endpoint)
    for port in range(h["first_port"], h["first_port"] + h["n_ports"]):
        p = port_at(s, port)
        idle = p["waking"] == 0 and p["busy_until_ps"] <= now
        if p["paused"] != 0 and idle and endpoint_at(e, endpoint)["control_head"] >= 0:
            _inject(s, np.int64(h["node"]), np.int64(pop_control(e, endpoint)), now)


@kernel
def _inject(s: Any, host: int, slot: int, now: int) -> None:
    """Start a packet's journey, and that of its double if it gets one."""
    if network_at(s, 0)["edge"] != 0 and tell_edge(s, DEPART, slot, 0, now) != 0:
        _lose(s, slot)
        return
    impaired = impair_at(s, 0)["active"] != 0
    twin = twin_of(s, slot, now) if impaired else -1
    while slot >= 0:
        _prepare(s, slot)
        if not (impaired and hold_back(s, host, slot, now)):
            forward(s, host, slot, now)
        slot, twin = twin, -1


@kernel
def _prepare(s: Any, slot: int) -> None:
    """Fill what the network keeps of a packet under way."""
    packet, hop = packet_at(engine_of(s, 0), slot), hop_at(s, slot)
    flow = (np.uint64(packet["src"]) << np.uint64(40)) | (np.uint64(packet["dst"]) << np.uint64(16))
    hop["hash"] = mix64(mix64(flow ^ np.uint64(packet["spdcid"])) ^ np.uint64(packet["entropy"]))
    hop["dst"], hop["bytes"], hop["vc"] = host_at(s, np.int64(packet["dst"]))["node"], packet["wire_bytes"], 0
    hop["control"], hop["own"], hop["before"] = (1 if packet["net"] & CONTROL else 0), 1, -1


@kernel
def _lose(s: Any, slot: int) -> None:
    """Give up a packet that the edge lost."""
    network_at(s, 0)["edge_losses"] += 1
    free_slot(engine_of(s, 0), slot)


@kernel
def forward(s: Any, node: int, slot: int, now: int) -> None:
    """Send a packet on from a node: one of the minimal next hops, chosen by flow, entropy and node."""
    hop, network = hop_at(s, slot), network_at(s, 0)
    choice = np.int64(mix64(hop["hash"] + np.uint64(node)) >> np.uint64(32))
    packed = call_next_hop(network["next_hop"], route_of(s, 0), node, np.int64(hop["dst"]), np.int64(hop["vc"]), choice)
    hop["vc"] = vc_of(packed)
    enqueue(s, port_of(packed), slot, now)


@kernel
def arrive(s: Any, slot: int, now: int) -> None:
    """A packet has reached the other end of the link it left on: deliver it or send it on."""
    hop = hop_at(s, slot)
    node = np.int64(hop["node"])
    if node != hop["dst"]:
        forward(s, node, slot, now)
        return
    e, edge = engine_of(s, 0), network_at(s, 0)["edge"]
    if impair_at(s, 0)["active"] != 0 and is_lost(s):
        free_slot(e, slot)
        return
    if edge != 0 and tell_edge(s, ARRIVE, slot, 0, now) != 0:
        _lose(s, slot)
        return
    endpoint = np.int64(packet_at(e, slot)["dst"])
    if receive(e, slot, now) and edge != 0:
        tell_edge(s, PLACE, slot, 0, now)
    absorb(operations_of(s, 0), e, now)
    kick(s, endpoint, now)
