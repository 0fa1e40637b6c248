"""Packet delivery contexts: rows, states, finding them, and the round robin of those that may send."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import draw
from uet.transport.balancing.contract import START as LB_START
from uet.transport.balancing.contract import tell_balancer
from uet.transport.congestion.contract import START as CC_START
from uet.transport.congestion.contract import tell_controller
from uet.transport.directory import insert, lookup, own_key, pdc_key, remove
from uet.transport.lifecycle import ACTION, IS_OPEN, N_INPUTS, NEXT, Action, Input, State
from uet.transport.pools import free_bitmap, free_ring, free_saved
from uet.transport.state import (
    BLOCKED_CLOSED,
    INITIATOR,
    OPAQUE_BYTES,
    ROD,
    RUDI,
    TARGET,
    UUD,
    credit_at,
    endpoint_at,
    inference_at,
    message_at,
    pace_at,
    pdc_at,
    sent_at,
    settings_at,
)
from uet.transport.timers import STATE, ensure_timer
from uet.transport.wire.memory import store64

CLOSED, SYN_SENT, ESTABLISHED = int(State.CLOSED), int(State.SYN_SENT), int(State.ESTABLISHED)
OPEN, SYN, CHALLENGE, CLOSE = int(Input.OPEN), int(Input.SYN), int(Input.CHALLENGE), int(Input.CLOSE)
REFUSED = -1
RELEASE = int(Action.RELEASE)

STREAM_PSN, STREAM_LB = 1 << 40, 2 << 40
"""Random streams: the PDC row is added, so that every PDC has its own."""
ALL = 2**62
PSN_GAP = 1 << 16
"""A PDC starts at least this far from the last PSN that its identifier was used with."""


@kernel
def transition(e: Any, pdc: int, what: int, now: int) -> int:
    """Move a PDC on by an input and return the `Action` to be done, or REFUSED if its state does not know it."""
    p = pdc_at(e, pdc)
    index = np.int64(p["state"]) * N_INPUTS + what
    if NEXT[index] < 0:
        return REFUSED
    if NEXT[index] != p["state"]:
        p["state"], p["since_ps"] = NEXT[index], now
    return ACTION[index]


@kernel
def is_open(p: Any) -> bool:
    """Tell whether packets may belong to a PDC."""
    return IS_OPEN[p["state"]]


@kernel
def _take_row(e: Any, endpoint: int, peer: int, role: int, now: int) -> int:
    """Return a row of an endpoint for a new PDC: a fresh one, else that closed longest; -1 if there is none."""
    ep = endpoint_at(e, endpoint)
    if ep["n_pdcs"] < ep["max_pdcs"]:
        row = np.int64(ep["first_pdc"] + ep["n_pdcs"])
        ep["n_pdcs"] += 1
        pdc_at(e, row)["pdcid"] = ep["n_pdcs"]
    else:
        row = np.int64(ep["free_head"])
        if row < 0 or now - pdc_at(e, row)["since_ps"] < settings_at(e, 0)["quiet_ps"]:
            return -1
        ep["free_head"] = pdc_at(e, row)["next_active"]
        _forget(e, row)
    _reset(e, row)
    p = pdc_at(e, row)
    p["endpoint"], p["peer"], p["role"], p["since_ps"] = endpoint, peer, role, now
    ep["open"] += 1
    ep["most_open"] = max(ep["most_open"], ep["open"])
    return row


@kernel
def _forget(e: Any, row: int) -> None:
    """Drop what the row of a closed PDC remembers of it, but for its last PSN."""
    p = pdc_at(e, row)
    if p["role"] == TARGET and p["peer_pdcid"] != 0:
        remove(e, pdc_key(np.int64(p["endpoint"]), np.int64(p["peer"]), np.int64(p["peer_pdcid"])))
    if settings_at(e, 0)["credit"] != 0:
        c = credit_at(e, row)
        c["balance"], c["unsent"], c["received"], c["speculating"] = 0, 0, 0, 0
        c["granted"], c["wanted"] = 0, 0
    if settings_at(e, 0)["paces"] != 0:
        pace = pace_at(e, row)
        pace["rate_mbps"], pace["next_ps"] = 0, 0
    if settings_at(e, 0)["infer"] != 0:
        r = inference_at(e, row)
        r["recovering"], r["end"], r["resent"], r["heard_ps"], r["probes"] = 0, 0, 0, 0, 0


@kernel
def _reset(e: Any, row: int) -> None:
    """Clear a row, all but its identifier and the last PSN it was used with."""
    p = pdc_at(e, row)
    p["tx_start"] = (p["tx_start"] + p["tx_next"]) & 0xFFFFFFFF
    p["peer_pdcid"], p["state"], p["active"] = 0, CLOSED, 0  # timers still set look at the books when they fire
    p["next_active"], p["ring"], p["tx_words"], p["rx_words"], p["inbox"] = -1, -1, -1, -1, -1
    p["message"], p["segmenting"], p["last_message"], p["next_message_id"] = -1, -1, -1, 0
    p["tx_next"], p["tx_end"], p["tx_cack"], p["tx_lost"], p["tx_lost_low"] = 0, 0, 0, 0, 0
    p["cwnd"], p["in_flight"], p["peer_bytes"] = 0, 0, 0
    p["tx_range"] = settings_at(e, 0)["window_packets"]
    p["rx_start"], p["rx_expected"], p["rx_max"], p["rx_bytes"] = 0, 0, -1, 0
    p["rx_unacked"], p["rx_out_of_order"], p["rx_closing"] = 0, 0, 0
    p["mode"], p["blocked"], p["closing"], p["nack_retries"], p["answer_tries"] = 0, 0, 0, 0, 0
    p["saved"], p["awaiting"], p["patient"], p["answered"], p["boxes"] = -1, -1, -1, 0, 0
    p["rx_clear"], p["hold_ps"], p["answer_ps"], p["probe_ps"], p["probe_opaque"] = -1, 0, 0, 0, 0
    zero = np.uint64(0)
    for k in range(0, OPAQUE_BYTES, 8):
        store64(e["cc_state"] + row * OPAQUE_BYTES + k, zero)
        store64(e["lb_state"] + row * OPAQUE_BYTES + k, zero)


@kernel
def release(e: Any, pdc: int) -> None:
    """Give the row of a PDC that is closed back: it is used again last, and remembers its peer until then."""
    p = pdc_at(e, pdc)
    ep = endpoint_at(e, p["endpoint"])
    p["blocked"] = BLOCKED_CLOSED
    free_ring(e, pdc)
    free_bitmap(e, pdc)
    free_saved(e, pdc, ALL)
    ep["open"] -= 1
    p["next_active"] = -1
    if ep["free_head"] < 0:
        ep["free_head"] = pdc
    else:
        pdc_at(e, ep["free_tail"])["next_active"] = pdc
    ep["free_tail"] = pdc


@kernel
def choose_start(e: Any, row: int) -> int:
    """Return a start PSN: random, and at least PSN_GAP from the last one used with this identifier."""
    p = pdc_at(e, row)
    bits = draw(settings_at(e, 0)["seed"], STREAM_PSN + row, p["tx_start"])
    if p["tx_start"] == 0:
        return np.int64(bits & np.uint64(0xFFFFFFFF))
    step = PSN_GAP + np.int64(bits % np.uint64((1 << 32) - 2 * PSN_GAP))
    return (p["tx_start"] + step) & 0xFFFFFFFF


@kernel
def open_initiator(e: Any, endpoint: int, peer: int, mode: int, now: int) -> int:
    """Return the PDC of a delivery mode from endpoint to peer, opening it if needed; -1 if none is left."""
    found = lookup(e, own_key(endpoint, peer, mode))
    if found >= 0 and pdc_at(e, found)["tx_end"] < settings_at(e, 0)["psn_range"]:
        return found
    return _open_new(e, endpoint, peer, mode, now)


@kernel
def _open_new(e: Any, endpoint: int, peer: int, mode: int, now: int) -> int:
    """Open a PDC; RUDI and UUD have none on the wire, but their senders keep the same books."""
    row = _take_row(e, endpoint, peer, INITIATOR, now)
    if row < 0:
        return -1
    used_up = lookup(e, own_key(endpoint, peer, mode))
    if used_up >= 0:
        hide(e, used_up, now)
        ensure_timer(e, used_up, STATE, now)
    p = pdc_at(e, row)
    transition(e, row, OPEN, now)
    p["mode"] = mode
    p["tx_start"] = choose_start(e, row)
    insert(e, own_key(endpoint, peer, mode), row)
    p["rx_start"] = p["tx_start"]
    start_sender(e, row, now)
    if mode in (RUDI, UUD):
        p["state"] = ESTABLISHED
    return row


@kernel
def hide(e: Any, pdc: int, now: int) -> bool:
    """Begin to close an initiator's PDC: new messages open another one; False if its state does not allow that."""
    p = pdc_at(e, pdc)
    if transition(e, pdc, CLOSE, now) == REFUSED:
        return False
    p["closing"] = 1
    forget_own(e, pdc)
    return True


@kernel
def forget_own(e: Any, pdc: int) -> None:
    """Let new messages to the peer of an initiator's PDC open another one."""
    p = pdc_at(e, pdc)
    key = own_key(np.int64(p["endpoint"]), np.int64(p["peer"]), np.int64(p["mode"]))
    if lookup(e, key) == pdc:
        remove(e, key)


@kernel
def start_sender(e: Any, pdc: int, now: int) -> None:
    """Give a PDC that has not sent yet its window, controller and balancer."""
    p = pdc_at(e, pdc)
    if p["cwnd"] != 0:
        return
    settings = settings_at(e, 0)
    p["cwnd"] = settings["window_bytes"]
    if settings["credit"] != 0:
        c = credit_at(e, pdc)
        c["balance"], c["speculating"], c["requested_ps"] = settings["credit_max_bytes"], 1, now
    if p["mode"] <= ROD:
        tell_controller(e, pdc, CC_START, now, 0, 0, -1, 0, 0)
    tell_balancer(e, pdc, LB_START, STREAM_LB + pdc, now)


@kernel
def open_target(e: Any, endpoint: int, peer: int, peer_pdcid: int, start_psn: int, mode: int, now: int) -> int:
    """Open the PDC that a SYN packet asks for; -1 if none is left.

    A SYN from an identifier that was closed and not forgotten yet may be an old duplicate: its PDC stays
    pending, with a start PSN of its own choice, until a packet comes that uses it.
    """
    key = pdc_key(endpoint, peer, peer_pdcid)
    remembered = lookup(e, key)
    row = _take_row(e, endpoint, peer, TARGET, now)
    if row < 0:
        return -1
    if remembered >= 0 and remembered != row:
        remove(e, key)
        pdc_at(e, remembered)["peer_pdcid"] = 0
    p = pdc_at(e, row)
    p["peer_pdcid"], p["rx_start"], p["mode"] = peer_pdcid, start_psn, mode
    p["tx_start"] = start_psn
    if remembered >= 0 or settings_at(e, 0)["start_psn_challenge"] != 0:
        transition(e, row, CHALLENGE, now)
        p["tx_start"] = p["rx_start"] = choose_start(e, row)
        ensure_timer(e, row, STATE, now + settings_at(e, 0)["new_pdc_ps"])
    else:
        transition(e, row, SYN, now)
    insert(e, key, row)
    return row


@kernel
def find_pdc(e: Any, endpoint: int, pdcid: int, peer: int, peer_pdcid: int) -> int:
    """Return the row of an endpoint's PDC by identifier; -1 if it is not open to that peer's PDC.

    A `peer_pdcid` of 0 (NACKs of a side that has no PDC), and any before the peer's is known, fit every PDC.
    """
    ep = endpoint_at(e, endpoint)
    if pdcid < 1 or pdcid > ep["n_pdcs"]:
        return -1
    row = np.int64(ep["first_pdc"]) + pdcid - 1
    p = pdc_at(e, row)
    if p["peer"] != peer or not is_open(p):
        return -1
    known = np.int64(p["peer_pdcid"])
    return row if known == peer_pdcid or known == 0 or peer_pdcid == 0 else -1


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
def packet_size(e: Any, message: int, number: int) -> int:
    """Return the nominal bytes of packet `number`, which belongs to `message`."""
    return packet_payload(e, message, number) + message_at(e, message)["nominal"]


@kernel
def sent_size(e: Any, pdc: int, number: int) -> int:
    """Return the nominal bytes of a packet that was sent and not overwritten in the send ring yet."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    row = sent_at(e, p["ring"] + (number & (settings["window_packets"] - 1)))
    return packet_size(e, np.int64(row["message"]), number)


@kernel
def next_size(e: Any, pdc: int) -> int:
    """Return the nominal bytes of the packet the PDC would send next, 0 if it has none within its window."""
    p = pdc_at(e, pdc)
    if p["blocked"] != 0:
        return 0
    if p["tx_lost"] > 0:
        return sent_size(e, pdc, p["tx_lost_low"])
    if p["tx_next"] >= p["tx_end"] or p["tx_next"] - p["tx_cack"] >= p["tx_range"]:
        return 0
    return packet_size(e, np.int64(p["segmenting"]), p["tx_next"])


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
    return credit_at(e, pdc)["balance"] > 0 or (p["peer_pdcid"] == 0 and p["in_flight"] <= 0)


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
