"""Packet delivery contexts: opening, finding, and the round robin of those that may send."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import draw
from uet.transport.balancing.contract import START as LB_START
from uet.transport.balancing.contract import tell_balancer
from uet.transport.bits import words_for
from uet.transport.congestion.contract import START as CC_START
from uet.transport.congestion.contract import tell_controller
from uet.transport.directory import insert, lookup, pdc_key
from uet.transport.state import (
    ESTABLISHED,
    FAILED,
    INITIATOR,
    SYN_SENT,
    TARGET,
    core_at,
    credit_at,
    endpoint_at,
    message_at,
    pdc_at,
    sent_at,
    settings_at,
)

STREAM_PSN, STREAM_LB = 1 << 40, 2 << 40
"""Random streams: the PDC row is added, so that every PDC has its own."""


@kernel
def _take_row(e: Any, endpoint: int, peer: int, role: int) -> int:
    """Reserve and clear the next PDC row of an endpoint; -1 if it has no more."""
    ep = endpoint_at(e, endpoint)
    if ep["n_pdcs"] >= ep["max_pdcs"]:
        return -1
    row = np.int64(ep["first_pdc"] + ep["n_pdcs"])
    ep["n_pdcs"] += 1
    p = pdc_at(e, row)
    p["endpoint"], p["peer"], p["role"] = endpoint, peer, role
    p["pdcid"] = ep["n_pdcs"]
    p["next_active"], p["ring"], p["inbox"] = -1, -1, -1
    p["message"], p["segmenting"], p["last_message"] = -1, -1, -1
    p["rx_max"] = -1
    words = words_for(settings_at(e, 0)["window_packets"])
    p["tx_words"], p["rx_words"] = row * 3 * words, row * 3 * words + 2 * words
    return row


@kernel
def open_initiator(e: Any, endpoint: int, peer: int, now: int) -> int:
    """Return the PDC from endpoint to peer, opening it if needed; -1 if none is left."""
    key = pdc_key(endpoint, peer, 0)
    found = lookup(e, key)
    if found >= 0:
        return found
    row = _take_row(e, endpoint, peer, INITIATOR)
    if row < 0:
        return -1
    core, settings, p = core_at(e, 0), settings_at(e, 0), pdc_at(e, row)
    p["state"] = SYN_SENT
    p["ring"] = core["n_rings"] * settings["window_packets"]
    core["n_rings"] += 1
    p["tx_start"] = np.int64(draw(settings["seed"], STREAM_PSN + row, 0) & np.uint64(0xFFFFFFFF))
    p["cwnd"] = settings["window_bytes"]
    insert(e, key, row)
    if settings["credit"] != 0:
        c = credit_at(e, row)
        c["balance"], c["speculating"], c["requested_ps"] = settings["credit_max_bytes"], 1, now
    tell_controller(e, row, CC_START, now, 0, 0, -1, 0, 0)
    tell_balancer(e, row, LB_START, STREAM_LB + row, now)
    return row


@kernel
def open_target(e: Any, endpoint: int, peer: int, peer_pdcid: int, start_psn: int) -> int:
    """Open the PDC that a SYN packet asks for; -1 if none is left."""
    row = _take_row(e, endpoint, peer, TARGET)
    if row < 0:
        return -1
    p = pdc_at(e, row)
    p["state"], p["peer_pdcid"], p["rx_start"] = ESTABLISHED, peer_pdcid, start_psn
    insert(e, pdc_key(endpoint, peer, peer_pdcid), row)
    return row


@kernel
def find_pdc(e: Any, endpoint: int, pdcid: int, peer: int) -> int:
    """Return the row of an endpoint's PDC by identifier; -1 if it is not open to that peer."""
    ep = endpoint_at(e, endpoint)
    if pdcid < 1 or pdcid > ep["n_pdcs"]:
        return -1
    row = np.int64(ep["first_pdc"]) + pdcid - 1
    return row if pdc_at(e, row)["peer"] == peer else -1


@kernel
def number_of(psn: int, start: int, near: int) -> int:
    """Return the packet number closest to `near` whose PSN is `psn` (PSN = start + number mod 2**32)."""
    difference = (psn - start - near) & 0xFFFFFFFF
    if difference >= 0x80000000:
        difference -= 0x100000000
    return near + difference


@kernel
def packet_payload(e: Any, message: int, number: int) -> int:
    """Return the payload bytes of packet `number`, which belongs to `message`."""
    m, full = message_at(e, message), settings_at(e, 0)["payload_bytes"]
    return min(full, m["bytes"] - (number - m["first"]) * full)


@kernel
def sent_size(e: Any, pdc: int, number: int) -> int:
    """Return the nominal bytes of a packet that was sent and not overwritten in the send ring yet."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    row = sent_at(e, p["ring"] + (number & (settings["window_packets"] - 1)))
    return packet_payload(e, np.int64(row["message"]), number) + settings["nominal_bytes"]


@kernel
def next_size(e: Any, pdc: int) -> int:
    """Return the nominal bytes of the packet the PDC would send next, 0 if it has none within its window."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    if p["state"] == FAILED:
        return 0
    if p["tx_lost"] > 0:
        return sent_size(e, pdc, p["tx_lost_low"])
    if p["tx_next"] >= p["tx_end"] or p["tx_next"] - p["tx_cack"] >= settings["window_packets"]:
        return 0
    return packet_payload(e, np.int64(p["segmenting"]), p["tx_next"]) + settings["nominal_bytes"]


@kernel
def can_send(e: Any, pdc: int) -> bool:
    """Tell whether the PDC has a packet that its window, its congestion window and its credit allow."""
    size = next_size(e, pdc)
    return size > 0 and has_room(e, pdc, size) and (settings_at(e, 0)["credit"] == 0 or has_credit(e, pdc))


@kernel
def has_room(e: Any, pdc: int, size: int) -> bool:
    """Tell whether the congestion window allows a packet of `size` bytes, or a full one if that is the rule."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    if settings["room_for_mtu"] != 0:
        size = settings["payload_bytes"] + settings["nominal_bytes"]
    return p["in_flight"] + size <= p["cwnd"]


@kernel
def has_credit(e: Any, pdc: int) -> bool:
    """Tell whether a PDC has credit left. Until the target exists, which grants it, one packet may go without."""
    p = pdc_at(e, pdc)
    return credit_at(e, pdc)["balance"] > 0 or (p["state"] == SYN_SENT and p["in_flight"] <= 0)


@kernel
def push_active(e: Any, pdc: int) -> None:
    """Append a PDC to its endpoint's round robin."""
    p = pdc_at(e, pdc)
    ep = endpoint_at(e, p["endpoint"])
    p["active"], p["next_active"] = 1, -1
    if ep["active_head"] < 0:
        ep["active_head"] = pdc
    else:
        pdc_at(e, ep["active_tail"])["next_active"] = pdc
    ep["active_tail"] = pdc
    ep["n_active"] += 1


@kernel
def pop_active(e: Any, endpoint: int) -> int:
    """Remove and return the first PDC of an endpoint's round robin, which is not empty."""
    ep = endpoint_at(e, endpoint)
    pdc = np.int64(ep["active_head"])
    p = pdc_at(e, pdc)
    ep["active_head"], p["active"] = p["next_active"], 0
    ep["n_active"] -= 1
    return pdc


@kernel
def activate(e: Any, pdc: int) -> None:
    """Let the PDC take part in the round robin if it may send and does not already."""
    if pdc_at(e, pdc)["active"] == 0 and can_send(e, pdc):
        push_active(e, pdc)
