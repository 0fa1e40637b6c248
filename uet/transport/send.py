"""The sending side: which packet an endpoint sends next."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import mix64
from uet.transport.answers import answer_one
from uet.transport.balancing.contract import SELECT, tell_balancer
from uet.transport.bits import add, discard, next_member, words_for
from uet.transport.credit import spend
from uet.transport.messages import finish_acknowledged
from uet.transport.pacing import pace
from uet.transport.pdc import can_send, has_credit, has_room, next_size, packet_payload, pop_active, push_active
from uet.transport.record import Net, PdsFlag, PdsType, SesFlag
from uet.transport.reply import SERVICE_MAX, SERVICE_UNIT_PS
from uet.transport.slots import pop_control, take_slot
from uet.transport.state import (
    ROD,
    UUD,
    core_at,
    endpoint_at,
    message_at,
    packet_at,
    pdc_at,
    sent_at,
    settings_at,
)
from uet.transport.timers import ensure_rto

CP, ACK_CC = int(PdsType.CP), int(PdsType.ACK_CC)
RETX, AR, SYN, ORDERED = int(PdsFlag.RETX), int(PdsFlag.AR), int(PdsFlag.SYN), int(PdsFlag.ROD)
SOM, EOM = int(SesFlag.SOM), int(SesFlag.EOM)
ECN_CAPABLE, CONTROL = int(Net.ECN_CAPABLE), int(Net.CONTROL)


@kernel
def next_packet(e: Any, endpoint: int, now: int) -> int:
    """Return the slot of the packet the endpoint sends next, -1 if it has none.

    Control packets go first, but at most `control_per_data` of them while data waits.
    """
    ep, limit = endpoint_at(e, endpoint), settings_at(e, 0)["control_per_data"]
    if ep["control_head"] >= 0 and (ep["active_head"] < 0 or ep["control_run"] < limit):
        ep["control_run"] += 1
        return _next_control(e, endpoint, now)
    ep["control_run"] = 0
    while ep["active_head"] >= 0:
        pdc = pop_active(e, endpoint)
        if can_send(e, pdc):
            slot = take_slot(e)
            if slot >= 0:
                _send_request(e, pdc, slot, now)
            if can_send(e, pdc):
                push_active(e, pdc)
            return slot
    return -1 if ep["control_head"] < 0 else _next_control(e, endpoint, now)


@kernel
def _next_control(e: Any, endpoint: int, now: int) -> int:
    """Take the next control packet; an ACK tells how long it waited, which is no time of the network."""
    slot = np.int64(pop_control(e, endpoint))
    packet = packet_at(e, slot)
    waited = (now - packet["time_ps"]) // SERVICE_UNIT_PS
    if waited > 0 and settings_at(e, 0)["service_time"] != 0 and packet["pds_type"] == ACK_CC and packet["code"] == 0:
        packet["cc_state"] = packet["cc_state"] | (np.uint64(min(waited, SERVICE_MAX)) << np.uint64(48))
    return slot


@kernel
def _choose_number(e: Any, pdc: int) -> int:
    """Take the lowest lost packet, or else the next new one, off the PDC's books and return its number."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    if p["tx_lost"] > 0:
        number = p["tx_lost_low"]
        lost_words = p["tx_words"] + words_for(window)
        discard(e, lost_words, window, number)
        p["tx_lost"] -= 1
        if p["tx_lost"] > 0:
            p["tx_lost_low"] = next_member(e, lost_words, window, number + 1, p["tx_next"])
        return number
    number = p["tx_next"]
    p["tx_next"] = number + 1
    row = sent_at(e, p["ring"] + (number & (window - 1)))
    row["message"], row["tries"], row["timeouts"] = p["segmenting"], 0, 0
    m = message_at(e, p["segmenting"])
    if number + 1 == m["first"] + m["packets"]:
        p["segmenting"] = m["next"]
    return number


@kernel
def _send_request(e: Any, pdc: int, slot: int, now: int) -> None:
    """Fill a slot with the PDC's next request and account for it."""
    p, settings, core = pdc_at(e, pdc), settings_at(e, 0), core_at(e, 0)
    window = settings["window_packets"]
    number = _choose_number(e, pdc)
    row = sent_at(e, p["ring"] + (number & (window - 1)))
    message = np.int64(row["message"])
    m = message_at(e, message)
    payload = packet_payload(e, message, number)
    row["time_ps"] = now
    if p["mode"] == ROD:
        row["entropy"] = _fixed_entropy(e, pdc)
    else:
        row["entropy"] = tell_balancer(e, pdc, SELECT, 0, now)
    row["tries"] = min(row["tries"] + 1, 255)
    p["in_flight"] += payload + m["nominal"]
    add(e, np.int64(p["tx_words"]), window, number)
    ep = endpoint_at(e, p["endpoint"])
    ep["outstanding"] += 1
    ep["most_outstanding"] = max(ep["most_outstanding"], ep["outstanding"])
    flags = 0
    if row["tries"] > 1:
        flags = RETX | AR
        core["retransmitted"] += 1
        m["retransmitted"] += 1
    else:
        core["sent"] += 1
    _fill_request(e, pdc, slot, number, message, payload, now)
    if settings["credit"] != 0:
        spend(e, pdc, slot, payload + m["nominal"], 1 if row["tries"] == 1 else 0)
    following = next_size(e, pdc)
    if following == 0 or not has_room(e, pdc, following) or (settings["credit"] != 0 and not has_credit(e, pdc)):
        flags |= AR  # nothing more to send for now: the answer must not wait for more bytes
    if p["cwnd"] < settings["ack_request_below_bytes"] and p["cwnd"] < settings["window_bytes"]:
        flags |= AR  # UE 1.0, NSCC: a window this small holds too few packets to wait for a coalesced ACK
    packet = packet_at(e, slot)
    if p["peer_pdcid"] == 0:
        flags |= SYN
        packet["dpdcid"] = number & 0xFFF
    packet["pds_flags"], packet["entropy"] = flags, row["entropy"]
    if p["mode"] > ROD or m["pds_type"] == CP:
        _adapt_rare(e, pdc, slot, now)
    ensure_rto(e, pdc, now + settings["rto_ps"])
    if settings["paces"] != 0:
        pace(e, pdc, payload + m["overhead"], now)


@kernel
def _fill_request(e: Any, pdc: int, slot: int, number: int, message: int, payload: int, now: int) -> None:
    """Write the record of a request; flags and entropy are the caller's."""
    p, m, packet, settings = pdc_at(e, pdc), message_at(e, message), packet_at(e, slot), settings_at(e, 0)
    index = number - m["first"]
    packet["time_ps"], packet["src"], packet["dst"] = now, p["endpoint"], p["peer"]
    packet["pds_type"], packet["next_hdr"] = m["pds_type"], m["next_hdr"]
    packet["psn"] = (p["tx_start"] + number) & 0xFFFFFFFF
    packet["psn_offset"] = max(p["tx_cack"] - 1 - number, -0x8000)
    packet["spdcid"] = p["pdcid"]
    packet["dpdcid"] = p["peer_pdcid"]
    packet["ses"], packet["argument"] = message, index * settings["payload_bytes"]
    packet["payload_bytes"], packet["wire_bytes"] = payload, payload + m["overhead"]
    packet["detail"] = m["ses_flags"] | (SOM if index == 0 else 0) | (EOM if index + 1 == m["packets"] else 0)
    packet["net"], packet["code"], packet["sack_offset"] = ECN_CAPABLE, 0, 0
    packet["sack_bitmap"], packet["cc_state"] = np.uint64(0), np.uint64(0)


@kernel
def _fixed_entropy(e: Any, pdc: int) -> int:
    """Return the one entropy value of an ordered PDC, so that all its packets take one path."""
    return np.int64(mix64(np.uint64(pdc_at(e, pdc)["tx_start"]) ^ np.uint64(pdc)) & np.uint64(0xFFFF))


@kernel
def _adapt_rare(e: Any, pdc: int, slot: int, now: int) -> None:
    """Correct the record of a control packet, which has no SES, or of a packet without a PDC."""
    p, packet = pdc_at(e, pdc), packet_at(e, slot)
    if packet["pds_type"] == CP:
        packet["ses"], packet["detail"], packet["psn_offset"], packet["argument"] = -1, 0, 0, 0
        packet["pds_flags"] |= AR
        packet["net"] = CONTROL
        if p["mode"] == ROD:
            packet["pds_flags"] |= ORDERED
        return
    packet["psn_offset"], packet["spdcid"], packet["dpdcid"] = 0, 0, 0
    packet["pds_flags"] &= RETX if p["mode"] != UUD else 0
    if p["mode"] == UUD:  # sent is done
        answer_one(e, pdc, p["tx_next"] - 1)
        packet["psn"] = 0
        finish_acknowledged(e, pdc, now)
