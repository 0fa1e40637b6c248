"""RCCC, the receiver-based congestion control of UE 1.0: who receives grants credit, who sends spends it.

Every request carries a credit target, the credit its sender would like to have been granted in all. The
receiving endpoint paces grants at just below its link rate: senders with an unmet target are served round
robin, a few packets' worth each; when nobody asks, satisfied senders get credit in advance ("slow
credit"), up to a window. Grants travel in Credit control packets or in ACKs. A new sender may spend one
window that nobody granted; what is left of it is void when the first answer comes.

Credit on the wire is cumulative, in units of 256 bytes modulo 2**24; here it is counted without wrapping.
Source: UE specification 1.0, section 3.6.14, as far as public implementations tell (uet-htsim, field lists
of test tools). The repetition of unanswered requests after a retransmission timeout is this project's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.oversubscription import review
from uet.transport.pdc import activate, has_credit, next_size
from uet.transport.record import Net
from uet.transport.reply import COUNT_MASK, control_packet
from uet.transport.state import (
    INITIATOR,
    core_at,
    credit_at,
    endpoint_at,
    message_at,
    pacer_at,
    packet_at,
    pdc_at,
    settings_at,
)
from uet.transport.timers import CREDIT, arm, ensure_rto
from uet.transport.wire.codes import ControlType

UNIT_BITS, UNIT_BYTES = 8, 256
EMPTY_TICK_UNITS = 4
"""What a grant of nothing costs of the pacer's time (uet-htsim)."""

TRIMMED = int(Net.TRIMMED)
GRANT, REQUEST = int(ControlType.CREDIT), int(ControlType.CREDIT_REQUEST)


@kernel
def _newer(count: int, than: int) -> int:
    """Return how far a 24-bit count on the wire is ahead of an unwrapped one; below zero if it is older."""
    ahead = (count - than) & COUNT_MASK
    return ahead - (COUNT_MASK + 1) if ahead > COUNT_MASK >> 1 else ahead


# --- the sending side


@kernel
def credit_target(e: Any, pdc: int) -> int:
    """Return the credit target of a request [256 B, cumulative]: the lack of credit, shared among active PDCs."""
    p, c, settings = pdc_at(e, pdc), credit_at(e, pdc), settings_at(e, 0)
    full = settings["payload_bytes"] + settings["nominal_bytes"]
    wanted = min(c["unsent"] + p["tx_lost"] * full, p["cwnd"] + full)
    wanted = min(wanted, settings["credit_max_bytes"]) - c["balance"]
    if c["speculating"] != 0 and c["unsent"] > 0:
        wanted = max(wanted, full)
    rivals = np.int64(endpoint_at(e, p["endpoint"])["n_active"])
    if rivals > 0 and wanted > 0:
        wanted //= rivals + 1
    return c["received"] + ((wanted + UNIT_BYTES - 1) >> UNIT_BITS)


@kernel
def spend(e: Any, pdc: int, slot: int, size: int, is_new: int) -> None:
    """Take a request off its PDC's credit and write the credit target into the record."""
    c, packet = credit_at(e, pdc), packet_at(e, slot)
    c["balance"] -= size
    if is_new != 0:
        c["unsent"] -= size
    packet["cc_state"] = np.uint64(credit_target(e, pdc) & COUNT_MASK)


@kernel
def note_posted(e: Any, message: int, now: int) -> None:
    """Account a new message; ask for credit if nothing under way could."""
    m, settings = message_at(e, message), settings_at(e, 0)
    pdc = np.int64(m["pdc"])
    credit_at(e, pdc)["unsent"] += m["bytes"] + m["packets"] * settings["nominal_bytes"]
    if pdc_at(e, pdc)["in_flight"] <= 0:
        ask_if_starving(e, pdc, now)


@kernel
def note_dropped(e: Any, pdc: int, n_bytes: int, packets: int) -> None:
    """Account packets that were posted and will never be sent."""
    credit_at(e, pdc)["unsent"] -= n_bytes + packets * settings_at(e, 0)["nominal_bytes"]


@kernel
def end_speculation(e: Any, pdc: int) -> None:
    """Void what is left of credit that nobody granted, when the first answer comes."""
    c = credit_at(e, pdc)
    if c["speculating"] != 0:
        c["speculating"], c["balance"] = 0, min(c["balance"], 0)


@kernel
def take_credit(e: Any, pdc: int, count: int) -> None:
    """Add what a count of cumulative credit grants anew."""
    end_speculation(e, pdc)
    c = credit_at(e, pdc)
    fresh = max(_newer(count, c["received"]), 0)
    c["received"] += fresh
    c["balance"] = min(c["balance"] + (fresh << UNIT_BITS), settings_at(e, 0)["credit_max_bytes"])


@kernel
def ask_if_starving(e: Any, pdc: int, now: int) -> None:
    """Send a credit request, at most one per request time, if only credit is missing; a timer repeats it."""
    p, c, settings = pdc_at(e, pdc), credit_at(e, pdc), settings_at(e, 0)
    if p["peer_pdcid"] == 0 or next_size(e, pdc) == 0 or has_credit(e, pdc):
        return
    ensure_rto(e, pdc, now + settings["rto_ps"])
    if now - c["requested_ps"] >= settings["credit_request_ps"]:
        c["requested_ps"] = now
        if _send(e, pdc, REQUEST, credit_target(e, pdc) & COUNT_MASK, now):
            core_at(e, 0)["credit_requests"] += 1


@kernel
def _send(e: Any, pdc: int, control_type: int, payload: int, now: int) -> bool:
    """Queue a control packet from a PDC to its peer; False if no slot is free."""
    slot = control_packet(e, pdc, control_type, 0, 0, payload, now)
    if slot < 0:
        return False
    packet_at(e, slot)["entropy"] = credit_at(e, pdc)["granted"] & 0x7F  # uet-htsim: they rotate over 128 values
    return True


# --- the receiving side


@kernel
def on_credit_packet(e: Any, pdc: int, slot: int, now: int) -> bool:
    """Process a Credit or Credit Request packet; False if the PDC has no use for it."""
    packet = packet_at(e, slot)
    kind = packet["next_hdr"]
    if settings_at(e, 0)["credit"] == 0 or (pdc_at(e, pdc)["role"] == INITIATOR) != (kind == GRANT):
        return False
    if kind == GRANT:
        take_credit(e, pdc, np.int64(packet["argument"]) >> 8)
        activate(e, pdc)
    else:
        _raise_target(e, pdc, np.int64(packet["argument"]) & COUNT_MASK)
        _list(e, pdc, now)
    return True


@kernel
def on_demand(e: Any, pdc: int, slot: int, now: int) -> None:
    """Take note of the credit target of a request; a trimmed one will be sent again and needs credit too."""
    packet = packet_at(e, slot)
    raised = _raise_target(e, pdc, np.int64(packet["cc_state"]) & COUNT_MASK)
    if raised or packet["net"] & TRIMMED:
        _list(e, pdc, now)


@kernel
def _raise_target(e: Any, pdc: int, count: int) -> bool:
    c = credit_at(e, pdc)
    more = _newer(count, c["wanted"])
    if more <= 0:
        return False
    c["wanted"] += more
    return True


@kernel
def _list(e: Any, pdc: int, now: int) -> None:
    """Append a PDC to the round robin of its endpoint's pacer, and start the pacer if it rests."""
    c = credit_at(e, pdc)
    if c["listed"] != 0:
        return
    endpoint = np.int64(pdc_at(e, pdc)["endpoint"])
    pacer = pacer_at(e, endpoint)
    c["listed"], c["next_listed"] = 1, -1
    if pacer["listed_head"] < 0:
        pacer["listed_head"] = pdc
    else:
        credit_at(e, pacer["listed_tail"])["next_listed"] = pdc
    pacer["listed_tail"] = pdc
    if pacer["ticking"] == 0:
        pacer["ticking"] = 1
        arm(e, CREDIT, endpoint, now)


@kernel
def _pop_listed(e: Any, pacer: Any) -> int:
    pdc = np.int64(pacer["listed_head"])
    c = credit_at(e, pdc)
    pacer["listed_head"], c["listed"] = c["next_listed"], 0
    return pdc


@kernel
def _push_idle(e: Any, pacer: Any, pdc: int) -> None:
    c = credit_at(e, pdc)
    if c["idle"] != 0:
        return
    c["idle"], c["next_idle"] = 1, -1
    if pacer["idle_head"] < 0:
        pacer["idle_head"] = pdc
    else:
        credit_at(e, pacer["idle_tail"])["next_idle"] = pdc
    pacer["idle_tail"] = pdc


@kernel
def _pop_idle(e: Any, pacer: Any) -> int:
    pdc = np.int64(pacer["idle_head"])
    c = credit_at(e, pdc)
    pacer["idle_head"], c["idle"] = c["next_idle"], 0
    return pdc


@kernel
def _grant(e: Any, pacer: Any, most: int, now: int) -> int:
    """Serve one sender and return the units granted."""
    settings = settings_at(e, 0)
    if pacer["listed_head"] >= 0:
        pdc = _pop_listed(e, pacer)
        c = credit_at(e, pdc)
        units = max(min(most, c["wanted"] - c["granted"]), 0)
        c["granted"] += units
        if c["wanted"] > c["granted"]:
            _list(e, pdc, now)
        elif settings["credit_slow"] != 0:
            _push_idle(e, pacer, pdc)
    else:
        pdc = _pop_idle(e, pacer)
        c = credit_at(e, pdc)
        units = most
        c["granted"] += units
        if c["granted"] - c["wanted"] < settings["credit_max_bytes"] >> UNIT_BITS:
            _push_idle(e, pacer, pdc)
    if _send(e, pdc, GRANT, (c["granted"] & COUNT_MASK) << 8, now):
        core_at(e, 0)["credits"] += 1
    return units


@kernel
def on_credit_tick(e: Any, endpoint: int, now: int) -> None:
    """Grant once and set the pacer's timer for the time that the granted bytes take on the link."""
    pacer, settings = pacer_at(e, endpoint), settings_at(e, 0)
    if pacer["listed_head"] < 0 and pacer["idle_head"] < 0:
        pacer["ticking"] = 0
        return
    rate = settings["credit_rate"] / 1e6
    if settings["over_on"] != 0:
        rate *= review(e, endpoint, now)
    most = (settings["credit_packets"] * settings["payload_bytes"] + UNIT_BYTES - 1) >> UNIT_BITS
    units = _grant(e, pacer, most, now)
    bits = 8 * UNIT_BYTES * max(units, EMPTY_TICK_UNITS) if units == 0 else 8 * UNIT_BYTES * units
    arm(e, CREDIT, endpoint, now + np.int64(bits * 1e6 / (settings["line_mbps"] * rate)))
