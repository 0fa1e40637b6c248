"""Control packets (CP): those that take a PSN like requests, and those that ask or tell at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.bits import has
from uet.transport.clearing import clear_up_to, send_clear
from uet.transport.closing import close_pdc
from uet.transport.credit import on_credit_packet
from uet.transport.pdc import number_of
from uet.transport.pools import find_saved
from uet.transport.reasons import Reason, note
from uet.transport.record import NackCode, PdsFlag, PdsType
from uet.transport.reply import answer_nack, control_packet, repeat_ack
from uet.transport.state import INITIATOR, TARGET, core_at, message_at, packet_at, pdc_at, saved_at, settings_at
from uet.transport.wire.codes import ControlType

NOOP, PROBE, ACK_REQUEST = int(ControlType.NOOP), int(ControlType.PROBE), int(ControlType.ACK_REQUEST)
CLEAR_COMMAND, CLEAR_REQUEST = int(ControlType.CLEAR_COMMAND), int(ControlType.CLEAR_REQUEST)
NEGOTIATION = int(ControlType.NEGOTIATION)
CREDIT, CREDIT_REQUEST = int(ControlType.CREDIT), int(ControlType.CREDIT_REQUEST)
CLOSE_COMMAND, CLOSE_REQUEST = int(ControlType.CLOSE_COMMAND), int(ControlType.CLOSE_REQUEST)
CP, PROBED = int(PdsType.CP), int(PdsFlag.PROBE)
PKT_NOT_RCVD, ACK_WITH_DATA = int(NackCode.PKT_NOT_RCVD), int(NackCode.ACK_WITH_DATA)
CLOSING_IN_ERR, UNEXP_EVENT = int(NackCode.CLOSING_IN_ERR), int(NackCode.UNEXP_EVENT)
IGNORED_TYPE = int(Reason.IGNORED_TYPE)

TAKEN, CLOSED_BY_PEER = -1, -2
"""What `on_command` returns for a command that is accepted: an ACK follows, and after it perhaps the end."""


@kernel
def takes_psn(packet: Any) -> bool:
    """Tell whether a control packet has a PSN of its own."""
    ctl = packet["next_hdr"]
    return ctl in (NOOP, NEGOTIATION, CLOSE_COMMAND, CLOSE_REQUEST)


@kernel
def on_command(e: Any, pdc: int, slot: int, now: int) -> int:
    """Act on a control packet that takes a PSN; returns TAKEN, CLOSED_BY_PEER or the NACK code of a refusal.

    A negotiation is acknowledged like a NOOP: none of the features it might offer is there to be switched on.
    """
    p, ctl = pdc_at(e, pdc), packet_at(e, slot)["next_hdr"]
    if ctl == CLOSE_REQUEST and p["role"] == INITIATOR:
        close_pdc(e, pdc, now)
    elif ctl == CLOSE_COMMAND:
        if p["role"] != TARGET:
            return UNEXP_EVENT
        if p["message"] >= 0 and message_at(e, p["message"])["pds_type"] != CP:
            return CLOSING_IN_ERR
        return CLOSED_BY_PEER
    elif ctl != NOOP and ctl != NEGOTIATION:
        return UNEXP_EVENT
    return TAKEN


@kernel
def on_control(e: Any, pdc: int, slot: int, now: int) -> bool:
    """Act on a control packet without a PSN of its own; True if its slot has become the answer."""
    packet, p = packet_at(e, slot), pdc_at(e, pdc)
    ctl, argument = packet["next_hdr"], np.int64(packet["argument"])
    if ctl == ACK_REQUEST:
        _on_ack_request(e, pdc, slot, now)
        return True
    if ctl == PROBE:
        opaque = packet["psn_offset"]
        repeat_ack(e, pdc, slot, number_of(argument, p["rx_start"], p["rx_expected"]), 1, now)
        packet["pds_flags"] |= PROBED
        packet["psn_offset"] = opaque
        return True
    if ctl == CLEAR_COMMAND:
        if clear_up_to(e, pdc, number_of(argument, p["rx_start"], p["rx_expected"])):
            repeat_ack(e, pdc, slot, p["rx_expected"] - 1, 1, now)
            return True
    elif ctl == CLEAR_REQUEST:
        send_clear(e, pdc, now)
    elif not (ctl in (CREDIT, CREDIT_REQUEST) and on_credit_packet(e, pdc, slot, now)):
        core_at(e, 0)["refused"] += 1
        note(e, IGNORED_TYPE, now, np.int64(packet["dst"]), pdc, np.int64(packet["psn"]))
    return False


@kernel
def _on_ack_request(e: Any, pdc: int, slot: int, now: int) -> None:
    """Answer a question about a packet: never received, answered with data, or acknowledged."""
    p, window = pdc_at(e, pdc), settings_at(e, 0)["window_packets"]
    number = number_of(np.int64(packet_at(e, slot)["psn"]), p["rx_start"], p["rx_expected"])
    ahead = p["rx_words"] >= 0 and number < p["rx_expected"] + window
    if number >= p["rx_expected"] and not (ahead and has(e, np.int64(p["rx_words"]), window, number)):
        answer_nack(e, pdc, slot, PKT_NOT_RCVD, 0, now)
        return
    saved = find_saved(e, pdc, number)
    if saved >= 0 and saved_at(e, saved)["payload_bytes"] > 0:
        answer_nack(e, pdc, slot, ACK_WITH_DATA, 0, now)
    else:
        repeat_ack(e, pdc, slot, number, 1, now)


@kernel
def send_probe(e: Any, pdc: int, now: int) -> bool:
    """Send a Probe on the control class, to measure the path and learn what arrived; False if that is not possible.

    It cannot open a PDC, hence it needs the peer's identifier.
    """
    p = pdc_at(e, pdc)
    if p["peer_pdcid"] == 0:
        return False
    opaque = (p["probe_opaque"] + 1) & 0x7FFF
    if control_packet(e, pdc, PROBE, 0, opaque, p["tx_start"] + p["tx_cack"], now) < 0:
        return False
    p["probe_opaque"], p["probe_ps"] = opaque, now
    return True


@kernel
def request_ack(e: Any, pdc: int, number: int, now: int) -> None:
    """Ask what became of a packet that was received but not answered."""
    p = pdc_at(e, pdc)
    control_packet(e, pdc, ACK_REQUEST, p["tx_start"] + number, 0, 0, now)
