"""What the sending side does with NACKs: one action per code.

Sources: the classes normal, PDC_ERR and PDC_FATAL as Soft-UE and uet-ref-prov report them from UE 1.0. A
NACK about a packet that is not outstanding changes nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.answers import learn_peer, round_trip
from uet.transport.balancing.contract import ECN as LB_ECN
from uet.transport.balancing.contract import GOOD as LB_GOOD
from uet.transport.balancing.contract import NACK as LB_NACK
from uet.transport.balancing.contract import tell_balancer
from uet.transport.closing import end_initiator, fail_pdc
from uet.transport.congestion.contract import NACK as CC_NACK
from uet.transport.congestion.contract import tell_controller
from uet.transport.credit import end_speculation
from uet.transport.lifecycle import Action, Input
from uet.transport.losses import go_back, in_flight, mark_lost, send_again
from uet.transport.pdc import activate, number_of, transition
from uet.transport.reasons import Reason, note
from uet.transport.record import NackCode, PdsFlag
from uet.transport.state import BLOCKED_HELD, ROD, core_at, packet_at, pdc_at, sent_at, settings_at
from uet.transport.timers import HOLD, ensure_timer


class NackAction(IntEnum):
    """What a NACK makes its receiver do."""

    IGNORE = 0
    RETRANSMIT = 1  # at once, and tell controller and balancer
    LATER = 2  # after NACK_Retx_Time, Max_NACK_Retx_Cnt times in a row
    GO_BACK = 3  # send everything again from the PSN in the payload on
    ASK_TIMER = 4  # leave it to the retransmission timer
    SEND_AGAIN = 5  # although it was received: its answer is missing
    RENUMBER = 6  # adopt the start PSN in the payload and send everything again
    FATAL = 7  # close the PDC in error; its messages fail


ACTIONS = {
    NackCode.TRIMMED: NackAction.RETRANSMIT,
    NackCode.TRIMMED_LASTHOP: NackAction.RETRANSMIT,
    NackCode.TRIMMED_ACK: NackAction.SEND_AGAIN,
    NackCode.NO_PDC_AVAIL: NackAction.LATER,
    NackCode.NO_CCC_AVAIL: NackAction.LATER,
    NackCode.NO_BITMAP: NackAction.LATER,
    NackCode.NO_PKT_BUFFER: NackAction.LATER,
    NackCode.NO_GTD_DEL_AVAIL: NackAction.LATER,
    NackCode.NO_SES_MSG_AVAIL: NackAction.LATER,
    NackCode.NO_RESOURCE: NackAction.LATER,
    NackCode.PSN_OOR_WINDOW: NackAction.LATER,
    NackCode.ROD_OOO: NackAction.GO_BACK,
    NackCode.INV_DPDCID: NackAction.FATAL,
    NackCode.PDC_HDR_MISMATCH: NackAction.FATAL,
    NackCode.CLOSING: NackAction.FATAL,
    NackCode.CLOSING_IN_ERR: NackAction.FATAL,
    NackCode.PKT_NOT_RCVD: NackAction.SEND_AGAIN,
    NackCode.GTD_RESP_UNAVAIL: NackAction.FATAL,
    NackCode.ACK_WITH_DATA: NackAction.SEND_AGAIN,
    NackCode.INVALID_SYN: NackAction.FATAL,
    NackCode.PDC_MODE_MISMATCH: NackAction.FATAL,
    NackCode.NEW_START_PSN: NackAction.RENUMBER,
    NackCode.RCVD_SES_PROCG: NackAction.ASK_TIMER,
    NackCode.UNEXP_EVENT: NackAction.FATAL,
    NackCode.RCVR_INFER_LOSS: NackAction.RETRANSMIT,
}
"""Action by code; codes that are not here are ignored."""

ACTION_OF = np.zeros(256, dtype=np.int64)
for _code, _action in ACTIONS.items():
    ACTION_OF[_code] = _action

IGNORE, RETRANSMIT, LATER, GO_BACK, ASK_TIMER, SEND_AGAIN, RENUMBER, FATAL = (int(a) for a in NackAction)
MARKED, RETX = int(PdsFlag.MARKED), int(PdsFlag.RETX)
TRIMMED_LASTHOP, TRIMMED_ACK = int(NackCode.TRIMMED_LASTHOP), int(NackCode.TRIMMED_ACK)
PKT_NOT_RCVD = int(NackCode.PKT_NOT_RCVD)
INV_DPDCID, HDR_MISMATCH = int(NackCode.INV_DPDCID), int(NackCode.PDC_HDR_MISMATCH)
RENUMBER_INPUT, RESTART = int(Input.RENUMBER), int(Action.RESTART)
IGNORED_ANSWER, PDC_NACKED = int(Reason.IGNORED_ANSWER), int(Reason.PDC_NACKED)
PDC_REFUSED, HELD = int(Reason.PDC_REFUSED), int(Reason.HELD)
PDC_TRIMMED = int(Reason.PDC_TRIMMED)
RETX_TRIMMED, RETX_REFUSED = int(Reason.RETX_TRIMMED), int(Reason.RETX_REFUSED)
RETX_GO_BACK, RETX_RENUMBERED = int(Reason.RETX_GO_BACK), int(Reason.RETX_RENUMBERED)
RETX_NOT_RECEIVED, RETX_ANSWER_LOST = int(Reason.RETX_NOT_RECEIVED), int(Reason.RETX_ANSWER_LOST)


@kernel
def on_nack(e: Any, pdc: int, slot: int, now: int) -> None:
    """Process a NACK for a PDC of ours."""
    p, packet = pdc_at(e, pdc), packet_at(e, slot)
    number = number_of(np.int64(packet["psn"]), p["tx_start"], p["tx_cack"])
    code, argument = np.int64(packet["code"]), np.int64(packet["argument"])
    action = ACTION_OF[code]
    outstanding = in_flight(e, pdc, number)
    known = p["ring"] >= 0 and p["tx_cack"] <= number < p["tx_next"]
    if action == IGNORE or not (known if action == SEND_AGAIN else outstanding):
        core_at(e, 0)["refused"] += 1
        note(e, IGNORED_ANSWER, now, np.int64(p["endpoint"]), pdc, np.int64(packet["psn"]))
        return
    if p["peer_pdcid"] == 0 and action != RENUMBER:
        learn_peer(e, pdc, np.int64(packet["spdcid"]), now)
    if action == RETRANSMIT:
        _retransmit(e, pdc, slot, number, now)
    elif action == LATER:
        hold(e, pdc, number, now)
    elif action == GO_BACK:
        _go_back(e, pdc, number, argument, now)
    elif action == SEND_AGAIN:
        send_again(e, pdc, number, RETX_NOT_RECEIVED if code == PKT_NOT_RCVD else RETX_ANSWER_LOST, now)
    elif action == RENUMBER:
        _renumber(e, pdc, argument, now)
    elif action == FATAL:
        gone = code in (INV_DPDCID, HDR_MISMATCH)
        if not (gone and end_initiator(e, pdc, now)):
            fail_pdc(e, pdc, PDC_NACKED, np.int64(packet["psn"]), now)
    activate(e, pdc)


@kernel
def trimmed_too_often(e: Any, pdc: int, number: int, now: int) -> bool:
    """Fail a PDC that sent a packet more often than `nack.max_trims` allows, only to see it trimmed again."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    tries = np.int64(sent_at(e, p["ring"] + (number & (settings["window_packets"] - 1)))["tries"])
    if settings["max_trims"] < 0 or tries <= settings["max_trims"]:
        return False
    fail_pdc(e, pdc, PDC_TRIMMED, (p["tx_start"] + number) & 0xFFFFFFFF, now)
    return True


@kernel
def _retransmit(e: Any, pdc: int, slot: int, number: int, now: int) -> None:
    """Send a trimmed packet again, and tell controller and balancer about it."""
    packet = packet_at(e, slot)
    flags, code = np.int64(packet["pds_flags"]), np.int64(packet["code"])
    if trimmed_too_often(e, pdc, number, now):
        return
    if settings_at(e, 0)["credit"] != 0:
        end_speculation(e, pdc)
    rtt = round_trip(e, pdc, number, flags & RETX, now)
    size = mark_lost(e, pdc, number, RETX_TRIMMED, now)
    ecn = 1 if flags & MARKED else 0
    last_hop = 1 if code == TRIMMED_LASTHOP else 0
    if pdc_at(e, pdc)["mode"] != ROD:
        feedback = LB_NACK if last_hop == 0 else LB_ECN if ecn else LB_GOOD  # at the last hop no other path helps
        tell_balancer(e, pdc, feedback, np.int64(packet["entropy"]), now)
    tell_controller(e, pdc, CC_NACK, now, 0, size, rtt, ecn, last_hop)


@kernel
def hold(e: Any, pdc: int, number: int, now: int) -> None:
    """Send a packet again that the peer had no room for, after a pause of the whole PDC."""
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    if p["blocked"] & BLOCKED_HELD == 0:
        p["nack_retries"] = min(p["nack_retries"] + 1, 255)
        if settings["max_nack_retries"] >= 0 and p["nack_retries"] > settings["max_nack_retries"]:
            fail_pdc(e, pdc, PDC_REFUSED, (p["tx_start"] + number) & 0xFFFFFFFF, now)
            return
        p["hold_ps"] = now + settings["nack_retx_ps"]
        p["blocked"] |= BLOCKED_HELD
        note(e, HELD, now, np.int64(p["endpoint"]), pdc, (p["tx_start"] + number) & 0xFFFFFFFF)
        ensure_timer(e, pdc, HOLD, p["hold_ps"])
    mark_lost(e, pdc, number, RETX_REFUSED, now)


@kernel
def _go_back(e: Any, pdc: int, number: int, expected_psn: int, now: int) -> None:
    """Send everything again from the PSN that an ordered PDC's target expects.

    A NACK that comes within a round trip of sending the expected packet again is about the gap that this closes.
    """
    p, settings = pdc_at(e, pdc), settings_at(e, 0)
    expected = number_of(expected_psn, p["tx_start"], p["tx_cack"])
    if not p["tx_cack"] <= expected <= number:
        return
    sent = sent_at(e, p["ring"] + (expected & (settings["window_packets"] - 1)))
    if sent["tries"] > 1 and now - sent["time_ps"] < settings["base_rtt_ps"]:
        return
    size = go_back(e, pdc, expected, RETX_GO_BACK, now)
    tell_controller(e, pdc, CC_NACK, now, 0, size, -1, 0, 0)


@kernel
def _renumber(e: Any, pdc: int, start_psn: int, now: int) -> None:
    """Adopt the start PSN that the target chose and send everything again."""
    p = pdc_at(e, pdc)
    if p["tx_cack"] != 0 or p["tx_start"] == start_psn or transition(e, pdc, RENUMBER_INPUT, now) != RESTART:
        return
    p["tx_start"] = p["rx_start"] = start_psn
    go_back(e, pdc, 0, RETX_RENUMBERED, now)
