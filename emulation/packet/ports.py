"""Output ports: two strict priorities, ECN on departure, trimming, dropping or pausing on arrival.

A port that is idle sends at once and leaves no event behind; only while packets wait does it have
one PORT_FREE event, at the end of the packet being sent. Departure and arrival times are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.events import schedule
from emulation.operations import ARRIVAL, PORT_FREE
from emulation.packet.pfc import hold, let_go
from emulation.packet.state import engine_of, events_of, hop_at, host_at, network_at, port_at, port_count_at
from uet.base.jit import kernel
from uet.base.rng import below, draw, mix64, strikes
from uet.transport.record import Net
from uet.transport.slots import free_slot
from uet.transport.state import packet_at

CE, TRIMMED, LAST_HOP, CONTROL = int(Net.ECN_CE), int(Net.TRIMMED), int(Net.LAST_HOP), int(Net.CONTROL)
STREAM_ECN, STREAM_TRIM, STREAM_LOSS = 3 << 40, 4 << 40, 10 << 40


@kernel
def enqueue(s: Any, port: int, slot: int, now: int) -> None:
    """Hand a packet to a port: it leaves at once if the port is idle, else it waits, is trimmed or dropped."""
    p, hop = port_at(s, port), hop_at(s, slot)
    if p["waking"] == 0 and p["busy_until_ps"] <= now and (p["paused"] == 0 or hop["control"] == 1):
        _transmit(s, port, slot, now)
        return
    size, network = np.int64(hop["bytes"]), network_at(s, 0)
    if hop["control"] == 1:
        if p["control_bytes"] + size > network["control_bytes"] * p["speed"]:
            _drop(s, port, slot)
            return
        _append_control(s, port, slot)
    elif network["pfc"] != 0:
        hold(s, slot, now)
        _append_data(s, port, slot)
    elif hop["own"] == 0 and p["data_bytes"] + size > network["queue_bytes"] * p["speed"]:
        _overflow(s, port, slot, now)
    else:
        _append_data(s, port, slot)
    if hop["own"] == 1:
        host_at(s, np.int64(packet_at(engine_of(s, 0), slot)["src"]))["waiting"] += 1
    if p["busy_until_ps"] > now:
        wake(s, port)


@kernel
def wake(s: Any, port: int) -> None:
    """Schedule the PORT_FREE event of a busy port unless it has one."""
    p = port_at(s, port)
    if p["waking"] == 0:
        p["waking"] = 1
        schedule(events_of(s, 0), p["busy_until_ps"], PORT_FREE | port)


@kernel
def _append_data(s: Any, port: int, slot: int) -> None:
    p, hop = port_at(s, port), hop_at(s, slot)
    hop["next"] = -1
    if p["data_head"] < 0:
        p["data_head"] = slot
    else:
        if network_at(s, 0)["pfc"] == 0:
            hop["before"] = p["data_tail"]
        hop_at(s, np.int64(p["data_tail"]))["next"] = slot
    p["data_tail"] = slot
    p["data_bytes"] += hop["bytes"]


@kernel
def _append_control(s: Any, port: int, slot: int) -> None:
    p, hop = port_at(s, port), hop_at(s, slot)
    hop["next"] = -1
    if p["control_head"] < 0:
        p["control_head"] = slot
    else:
        hop_at(s, np.int64(p["control_tail"]))["next"] = slot
    p["control_tail"] = slot
    p["control_bytes"] += hop["bytes"]


@kernel
def _drop(s: Any, port: int, slot: int) -> None:
    port_count_at(s, port)["drops"] += 1
    network = network_at(s, 0)
    network["drops"] += 1
    network["control_drops"] += hop_at(s, slot)["control"]
    free_slot(engine_of(s, 0), slot)


@kernel
def _remove_tail(s: Any, port: int) -> int:
    """Remove and return the last packet of the data queue, which is not empty."""
    p = port_at(s, port)
    slot = np.int64(p["data_tail"])
    hop = hop_at(s, slot)
    p["data_bytes"] -= hop["bytes"]
    if p["data_head"] == slot:
        p["data_head"] = -1
    else:
        p["data_tail"] = hop["before"]
        hop_at(s, np.int64(p["data_tail"]))["next"] = -1
    return slot


@kernel
def _overflow(s: Any, port: int, slot: int, now: int) -> None:
    """The data queue is full: a fair coin says whether the arriving or the last queued packet suffers."""
    p, hop, network = port_at(s, port), hop_at(s, slot), network_at(s, 0)
    tail = hop_at(s, np.int64(p["data_tail"]))
    salt = np.int64(mix64(np.uint64(now) ^ hop["hash"]) >> np.uint64(1))
    heads = draw(network["seed"], STREAM_TRIM + port, salt) & np.uint64(1)
    victim = slot
    fits = p["data_bytes"] - tail["bytes"] + hop["bytes"] <= network["queue_bytes"] * p["speed"]
    if heads == np.uint64(1) and fits and tail["own"] == 0:
        victim = _remove_tail(s, port)
        _append_data(s, port, slot)
    if network["trimming"] == 0:
        _drop(s, port, victim)
        return
    _trim(s, port, victim)
    if p["control_bytes"] + network["trim_bytes"] > network["control_bytes"] * p["speed"]:
        _drop(s, port, victim)
    else:
        _append_control(s, port, victim)


@kernel
def _trim(s: Any, port: int, slot: int) -> None:
    """Cut a packet to its headers: it travels on in the control class."""
    network, hop, p = network_at(s, 0), hop_at(s, slot), port_at(s, port)
    hop["bytes"], hop["control"] = network["trim_bytes"], 1
    packet = packet_at(engine_of(s, 0), slot)
    last = LAST_HOP if p["peer"] == hop["dst"] else 0
    packet["net"] = packet["net"] | TRIMMED | CONTROL | last
    network["trims"] += 1
    port_count_at(s, port)["trims"] += 1


@kernel
def serve(s: Any, port: int, now: int) -> None:
    """Send the next packet of an idle port, control first; data only if the port is not paused."""
    p = port_at(s, port)
    p["waking"] = 0
    if p["control_head"] >= 0:
        slot = np.int64(p["control_head"])
        hop = hop_at(s, slot)
        p["control_head"] = hop["next"]
        p["control_bytes"] -= hop["bytes"]
    elif p["data_head"] >= 0 and p["paused"] == 0:
        slot = np.int64(p["data_head"])
        hop = hop_at(s, slot)
        p["data_head"] = hop["next"]
        p["data_bytes"] -= hop["bytes"]
        if network_at(s, 0)["pfc"] != 0:
            let_go(s, slot, now)
    else:
        return
    if hop["own"] == 1:
        host_at(s, np.int64(packet_at(engine_of(s, 0), slot)["src"]))["waiting"] -= 1
    _transmit(s, port, slot, now)
    if p["control_head"] >= 0 or (p["data_head"] >= 0 and p["paused"] == 0):
        wake(s, port)


@kernel
def _transmit(s: Any, port: int, slot: int, now: int) -> None:
    """Put a packet on the link; it arrives after its serialisation and the link's latency."""
    p, hop, network = port_at(s, port), hop_at(s, slot), network_at(s, 0)
    size = np.int64(hop["bytes"])
    leaves = now + ((size * p["ps_per_4k"] + 0xFFF) >> 12)
    p["busy_until_ps"] = leaves
    p["sent_bytes"] += size
    network["hops"] += 1
    hop["own"] = 0
    hop["node"] = p["peer"]
    if hop["control"] == 0 and p["data_bytes"] >= network["ecn_low_bytes"] * p["speed"]:
        _mark(s, port, slot, now)
    if network["loss"] != 0 and _is_lost(s, port, slot, now):
        return
    if network["pfc"] != 0:
        hop["before"] = port
    schedule(events_of(s, 0), leaves + p["latency_ps"], ARRIVAL | slot)


@kernel
def _is_lost(s: Any, port: int, slot: int, now: int) -> bool:
    """Lose a packet on its link by chance; it took its time there all the same."""
    network = network_at(s, 0)
    if not strikes(network["seed"], STREAM_LOSS + port, now, network["loss"]):
        return False
    network["losses"] += 1
    free_slot(engine_of(s, 0), slot)
    return True


@kernel
def _mark(s: Any, port: int, slot: int, now: int) -> None:
    """Mark with a probability that grows linearly between the thresholds."""
    network, p = network_at(s, 0), port_at(s, port)
    if network["ecn_last_hop"] == 0 and p["peer"] < network["n_hosts"]:
        return
    low, high = network["ecn_low_bytes"] * p["speed"], network["ecn_high_bytes"] * p["speed"]
    bits = draw(network["seed"], STREAM_ECN + port, now)
    if low + below(bits, max(high - low, 1)) < p["data_bytes"]:
        packet = packet_at(engine_of(s, 0), slot)
        packet["net"] = packet["net"] | CE
        network["marks"] += 1
        port_count_at(s, port)["marks"] += 1
