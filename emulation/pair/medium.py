"""The medium of a pair: every verb hands packets over, picks one by its place and decides its fate.

After each verb both endpoints have sent all they may, and completions are compared with what arrived.
Packets travel as frames (`wire` = 1), so that damage meets the checksums, or as records.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.pair.state import (
    CLOSE,
    CORRUPT,
    DELIVER,
    DROP,
    DUPLICATE,
    MARK,
    MAX_PACKETS,
    POST,
    TRIM,
    Violation,
    engine_of,
    flight_at,
    goods_at,
    pair_at,
    path_at,
    source_at,
    target_at,
)
from uet.base.bitops import ONE, ZERO, low_bits
from uet.base.jit import kernel
from uet.transport.closing import close_pdc
from uet.transport.completions import next_completion
from uet.transport.expiry import on_timer
from uet.transport.messages import post_mode
from uet.transport.pdc import is_open
from uet.transport.receive import receive
from uet.transport.record import Net, NextHeader, PdsType
from uet.transport.send import next_packet
from uet.transport.slots import copy_slot, free_slot, slot_ses
from uet.transport.state import (
    PDC_CLOSED,
    RECEIVED_DONE,
    ROD,
    SENT_DONE,
    completion_at,
    packet_at,
    pdc_at,
    ses_at,
    settings_at,
)
from uet.transport.timers import NEVER, next_timer
from uet.transport.wire.build import build_frame
from uet.transport.wire.memory import copy_bytes, load8, store8
from uet.transport.wire.parse import parse_frame
from uet.transport.wire.rewrite import mark_congestion, trim_frame

TRIM_KEEPS_BYTES = 16
CP, NO_SES = int(PdsType.CP), int(NextHeader.NONE)
CE, CAPABLE, TRIMMED = int(Net.ECN_CE), int(Net.ECN_CAPABLE), int(Net.TRIMMED)
LAST_HOP, CONTROL = int(Net.LAST_HOP), int(Net.CONTROL)
REFUSED, DAMAGED, TWICE, MISPLACED = (
    int(v) for v in (Violation.REFUSED, Violation.DAMAGED, Violation.TWICE, Violation.MISPLACED)
)
ALTERED, INCOMPLETE, DONE_TWICE = (int(v) for v in (Violation.ALTERED, Violation.INCOMPLETE, Violation.DONE_TWICE))
ORDER = int(Violation.ORDER)


@kernel
def violate(w: Any, violation: int, where: int) -> None:
    """Note a violation, unless there is one already."""
    pair = pair_at(w, 0)
    if pair["violation"] == 0:
        pair["violation"], pair["violated_at"] = violation, where


@kernel
def packets_of(w: Any, message: int) -> int:
    """Return how many packets a message takes."""
    full = settings_at(engine_of(w, 0), 0)["payload_bytes"]
    return max((goods_at(w, message)["bytes"] + full - 1) // full, 1)


@kernel
def post_message(w: Any, src: int, n_bytes: int) -> int:
    """Post a message of `n_bytes` at endpoint `src` for the other one; return its number, or -1 if refused."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    message = pair["n_posted"]
    if message >= w["n_goods"] or n_bytes > settings_at(e, 0)["payload_bytes"] * MAX_PACKETS:
        return -1
    if post_mode(e, pair["mode"], src, 1 - src, n_bytes, message, message, pair["now_ps"]) < 0:
        return -1
    goods = goods_at(w, message)
    goods["arrived"], goods["bytes"], goods["src"], goods["sent"], goods["received"] = ZERO, n_bytes, src, 0, 0
    pair["n_posted"] += 1
    pair["n_open"] += 1
    return message


@kernel
def pump(w: Any) -> None:
    """Let both endpoints send all they may, and settle what is complete."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    endpoint = 0
    while endpoint < 2:
        slot = next_packet(e, endpoint, pair["now_ps"])
        if slot < 0:
            endpoint += 1
        else:
            _hand_over(w, slot)
    _settle(w)


@kernel
def _hand_over(w: Any, slot: int) -> None:
    """Put a packet behind those under way, as a frame if packets travel as frames."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    packet, item = packet_at(e, slot), flight_at(w, pair["n_flight"])
    item["slot"], item["length"], item["damaged"] = slot, 0, 0
    pair["n_flight"] += 1
    pair["handed_over"] += 1
    if not pair["wire"]:
        return
    s = ses_at(e, max(packet["ses"], 0))
    payload = w["source"] + np.int64(s["match_bits"]) * pair["message_bytes"] + packet["argument"]
    frame = w["frame"] + slot * pair["room_bytes"]
    n = build_frame(path_at(w, packet["src"]), packet, s, payload, frame, pair["room_bytes"])
    if n < 0:
        violate(w, REFUSED, slot)
    item["length"] = n


@kernel
def _remove(w: Any, k: int) -> None:
    """Close the gap that packet `k` leaves among those under way."""
    pair = pair_at(w, 0)
    pair["n_flight"] -= 1
    for i in range(k, pair["n_flight"]):
        item, following = flight_at(w, i), flight_at(w, i + 1)
        item["slot"], item["length"] = following["slot"], following["length"]
        item["damaged"] = following["damaged"]


@kernel
def deliver(w: Any, k: int) -> None:
    """Deliver the packet under way at place `k`."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    item = flight_at(w, k)
    slot, length, damaged = np.int64(item["slot"]), np.int64(item["length"]), item["damaged"]
    _remove(w, k)
    pair["delivered"] += 1
    payload = 0
    if pair["wire"]:
        payload = _read_frame(w, slot, length, damaged)
    if payload < 0:
        free_slot(e, slot)
        return
    packet = packet_at(e, slot)
    n_bytes, offset, ses = np.int64(packet["payload_bytes"]), np.int64(packet["argument"]), np.int64(packet["ses"])
    if receive(e, slot, pair["now_ps"]):
        _place(w, np.int64(ses_at(e, ses)["match_bits"]), offset, n_bytes, payload)


@kernel
def _read_frame(w: Any, slot: int, length: int, damaged: int) -> int:
    """Parse the frame of a slot into its record; return the address of the payload, -1 if it is refused."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    packet, frame, row = packet_at(e, slot), w["frame"] + slot * pair["room_bytes"], slot_ses(e, slot)
    offset = parse_frame(path_at(w, 0), frame, length, packet, ses_at(e, row), path_at(w, 2))
    if damaged:
        pair["refused"] += 1
        if offset >= 0:
            violate(w, DAMAGED, slot)
        return -1
    if offset < 0:
        violate(w, REFUSED, slot)
        return -1
    packet["ses"] = -1 if packet["next_hdr"] == NO_SES or packet["pds_type"] == CP else row
    return frame + offset


@kernel
def _place(w: Any, message: int, offset: int, n_bytes: int, payload: int) -> None:
    """Take a payload that the engine calls new to its place, unless that is wrong."""
    pair, full = pair_at(w, 0), settings_at(engine_of(w, 0), 0)["payload_bytes"]
    if message < 0 or message >= pair["n_posted"]:
        violate(w, MISPLACED, message)
        return
    goods = goods_at(w, message)
    if offset % full or n_bytes != min(full, goods["bytes"] - offset) or offset > max(goods["bytes"] - 1, 0):
        violate(w, MISPLACED, message)
        return
    bit = ONE << np.uint64(offset // full)
    if goods["arrived"] & bit != ZERO:
        violate(w, TWICE, message)
    if pair["mode"] == ROD and not _in_order(w, message, offset // full):
        violate(w, ORDER, message)
    goods["arrived"] = goods["arrived"] | bit
    if pair["wire"]:
        copy_bytes(w["target"] + message * pair["message_bytes"] + offset, payload, n_bytes)


@kernel
def _in_order(w: Any, message: int, index: int) -> bool:
    """Tell whether all before packet `index` of a message arrived; PDCs that follow each other are not ordered."""
    if goods_at(w, message)["arrived"] != low_bits(index):
        return False
    if pair_at(w, 0)["n_closes"] > 0 or pair_at(w, 0)["failed"] > 0:
        return True
    earlier = message - 1
    while earlier >= 0 and goods_at(w, earlier)["src"] != goods_at(w, message)["src"]:
        earlier -= 1
    return earlier < 0 or _complete(w, earlier)


@kernel
def _settle(w: Any) -> None:
    """Take all completions and compare each with what arrived."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    row = next_completion(e)
    while row >= 0:
        c = completion_at(e, row)
        known = c["kind"] != PDC_CLOSED and 0 <= c["handle"] < pair["n_posted"]
        message, goods = c["handle"], goods_at(w, c["handle"] if known else 0)
        if c["kind"] == PDC_CLOSED:
            pair["n_closed"] += 1
        elif not known:
            violate(w, MISPLACED, message)
        elif c["kind"] == RECEIVED_DONE:
            if goods["received"]:
                violate(w, DONE_TWICE, message)
            goods["received"] = 1
            _check_received(w, message)
        else:
            if goods["sent"]:
                violate(w, DONE_TWICE, message)
            pair["n_open"] -= 1
            goods["sent"] = 1 if c["kind"] == SENT_DONE else 2
            if goods["sent"] == 2:
                pair["failed"] += 1
            elif not _complete(w, message):
                violate(w, INCOMPLETE, message)
        row = next_completion(e)


@kernel
def _complete(w: Any, message: int) -> bool:
    return goods_at(w, message)["arrived"] == low_bits(packets_of(w, message))


@kernel
def _check_received(w: Any, message: int) -> None:
    pair = pair_at(w, 0)
    if not _complete(w, message):
        violate(w, INCOMPLETE, message)
    if pair["wire"]:
        start = message * pair["message_bytes"]
        for i in range(start, start + goods_at(w, message)["bytes"]):
            if source_at(w, i)["byte"] != target_at(w, i)["byte"]:
                violate(w, ALTERED, message)


@kernel
def drop(w: Any, k: int) -> None:
    """Lose the packet under way at place `k`."""
    pair = pair_at(w, 0)
    free_slot(engine_of(w, 0), np.int64(flight_at(w, k)["slot"]))
    _remove(w, k)
    pair["dropped"] += 1


@kernel
def duplicate(w: Any, k: int) -> bool:
    """Put a twin of the packet at place `k` behind those under way; False if there is no room."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    item, copy = flight_at(w, k), flight_at(w, pair["n_flight"])
    twin = copy_slot(e, np.int64(item["slot"]))
    if twin < 0:
        return False
    copy["slot"], copy["length"], copy["damaged"] = twin, item["length"], item["damaged"]
    room = pair["room_bytes"]
    copy_bytes(w["frame"] + twin * room, w["frame"] + np.int64(item["slot"]) * room, np.int64(item["length"]))
    pair["n_flight"] += 1
    pair["duplicated"] += 1
    return True


@kernel
def can_trim(w: Any, k: int) -> bool:
    """Tell whether a switch may trim the packet at place `k`: it has a payload, is no control packet and undamaged.

    A trimmed packet has no checksum of its own, so a switch must have thrown away a damaged one by its FCS.
    """
    packet = packet_at(engine_of(w, 0), flight_at(w, k)["slot"])
    return packet["payload_bytes"] > 0 and packet["net"] & CONTROL == 0 and flight_at(w, k)["damaged"] == 0


@kernel
def trim(w: Any, k: int, last_hop: int) -> bool:
    """Cut the payload off the packet at place `k`, as a switch does; False if it cannot be trimmed."""
    if not can_trim(w, k):
        return False
    pair, e, item = pair_at(w, 0), engine_of(w, 0), flight_at(w, k)
    packet = packet_at(e, item["slot"])
    packet["net"] |= TRIMMED | CONTROL | (LAST_HOP if last_hop else 0)
    if pair["wire"]:
        path = path_at(w, 0)
        dscp = path["dscp_trimmed_lasthop"] if last_hop else path["dscp_trimmed"]
        frame = w["frame"] + np.int64(item["slot"]) * pair["room_bytes"]
        item["length"] = trim_frame(frame, np.int64(item["length"]), TRIM_KEEPS_BYTES, np.int64(dscp))
    pair["trimmed"] += 1
    return True


@kernel
def mark(w: Any, k: int) -> bool:
    """Set the congestion mark of the packet at place `k`; False if it does not take one."""
    pair, e, item = pair_at(w, 0), engine_of(w, 0), flight_at(w, k)
    packet = packet_at(e, item["slot"])
    if not packet["net"] & CAPABLE:
        return False
    packet["net"] |= CE
    if pair["wire"]:
        mark_congestion(w["frame"] + np.int64(item["slot"]) * pair["room_bytes"], np.int64(item["length"]))
    pair["marked"] += 1
    return True


@kernel
def corrupt(w: Any, k: int, bit: int) -> bool:
    """Flip a bit of the frame at place `k`, counted from its IP source address on; False if that cannot be seen.

    What is left of a trimmed packet has no checksum over its UET headers, and records have none at all.
    """
    pair, e, item = pair_at(w, 0), engine_of(w, 0), flight_at(w, k)
    if not pair["wire"] or item["damaged"] or packet_at(e, item["slot"])["net"] & TRIMMED:
        return False
    covered = np.int64(item["length"]) - COVERED_FROM
    at = w["frame"] + np.int64(item["slot"]) * pair["room_bytes"] + COVERED_FROM + (bit >> 3) % covered
    store8(at, load8(at) ^ (1 << (bit & 7)))
    item["damaged"] = 1
    pair["corrupted"] += 1
    return True


COVERED_FROM = 26
"""Where the IPv4 source address begins in an untagged frame; the CRC covers all from there on."""


@kernel
def expire(w: Any) -> bool:
    """Go to the time of the earliest timer and serve it; False if none is set."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    due = next_timer(e)
    if due == NEVER:
        return False
    pair["now_ps"] = max(pair["now_ps"], due)
    on_timer(e, pair["now_ps"])
    return True


@kernel
def close(w: Any, pdc: int) -> bool:
    """Let the side that row `pdc` of the PDC table belongs to close it; False if its state does not allow that."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    if not is_open(pdc_at(e, pdc)) or not close_pdc(e, pdc, pair["now_ps"]):
        return False
    pair["n_closes"] += 1
    return True


@kernel
def act(w: Any, verb: int, k: int, argument: int) -> int:
    """Do what `verb` says to the packet at place `k`, then let both endpoints send; return what the verb returns.

    Of posting, `k` is the endpoint, of closing the PDC.
    """
    done = 1
    if verb == POST:
        done = post_message(w, k, argument)
    elif verb == DELIVER:
        deliver(w, k)
    elif verb == DROP:
        drop(w, k)
    elif verb == DUPLICATE:
        done = 1 if duplicate(w, k) else 0
    elif verb == TRIM:
        done = 1 if trim(w, k, argument) else 0
    elif verb == MARK:
        done = 1 if mark(w, k) else 0
    elif verb == CORRUPT:
        done = 1 if corrupt(w, k, argument) else 0
    elif verb == CLOSE:
        done = 1 if close(w, k) else 0
    else:
        done = 1 if expire(w) else 0
    pump(w)
    return done
