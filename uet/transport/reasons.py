"""Why packets are dropped, sent again or refused and windows are cut: every such event has a code.

Each is counted, and the last ones are kept in a trace if `Capacity.trace` reserves rows for it, so that
tests and tools can tell what happened and not only that something did.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.state import core_at, packet_at, reason_count_at, trace_at


class Reason(IntEnum):
    """What happened."""

    # Packets to be sent again
    RETX_TRIMMED = 0  # a NACK says that a switch trimmed the packet
    RETX_TIMEOUT = 1  # no answer in time
    RETX_GO_BACK = 2  # ROD: an earlier packet is missing
    RETX_RENUMBERED = 3  # the target wants another start PSN
    RETX_REFUSED = 4  # the target lacked a resource; held back first
    RETX_NOT_RECEIVED = 5  # an ACK request found that the packet never came
    RETX_ANSWER_LOST = 6  # the answer carries data, which only a retransmission brings again
    RETX_INFERRED = 7  # loss inferred from what came later
    # Packets received and not taken
    DUPLICATE_DROPPED = 8
    DUPLICATE_ANSWERED = 9
    REFUSED_NO_PDC = 10  # no row is left for a new PDC
    REFUSED_UNKNOWN_PDC = 11
    REFUSED_OTHER_PDC = 12  # the identifiers belong to another PDC
    REFUSED_WINDOW = 13  # PSN outside the window
    REFUSED_SYN = 14  # SYN outside the window of the open PDC
    REFUSED_MODE = 15  # the PDC has another delivery mode
    REFUSED_OLD_SYN = 16  # duplicate of a PDC that is closed
    REFUSED_ORDER = 17  # ROD: an earlier packet is missing
    REFUSED_NO_BITMAP = 18
    REFUSED_NO_MESSAGE = 19
    REFUSED_NO_SAVED = 20  # no room for a response that must be kept
    REFUSED_CLOSING = 21
    REFUSED_TRIMMED = 22
    IGNORED_ANSWER = 23  # an ACK or NACK that fits nothing outstanding
    IGNORED_TYPE = 24  # a packet the engine has no use for
    CHALLENGED = 25  # a SYN that may be an old duplicate
    # Windows
    CUT_ACK = 26  # the controller lowered the window: marks or delay
    CUT_NACK = 27  # trimmed packet
    CUT_TIMEOUT = 28
    HELD = 29  # the PDC pauses for NACK_Retx_Time
    # PDCs and messages
    PDC_NACKED = 30  # fatal NACK
    PDC_TIMEOUT = 31  # Max_RTO_Retx_Cnt exceeded
    PDC_REFUSED = 32  # Max_NACK_Retx_Cnt exceeded
    PDC_UNANSWERED = 33  # no response in spite of ACK requests
    PDC_CLOSE_TIMEOUT = 34  # the initiator does not close
    MESSAGE_FAILED = 35  # with its PDC, by a response that says so, or given up by the application
    PDC_TRIMMED = 36  # a packet was trimmed too often
    # Other
    CUT_INFERRED = 37  # a window: loss inferred
    NO_SLOT = 38  # no packet slot for a control packet; sent later


@kernel
def note(e: Any, reason: int, now: int, endpoint: int, pdc: int, psn: int) -> None:
    """Count an event and write it to the trace, if there is one."""
    reason_count_at(e, reason)["count"] += 1
    rows = e["n_trace"]
    if rows == 0:
        return
    core = core_at(e, 0)
    t = trace_at(e, core["traced"] % rows)
    core["traced"] += 1
    t["time_ps"], t["reason"], t["endpoint"], t["pdc"], t["psn"] = now, reason, endpoint, pdc, psn


@kernel
def ignore(e: Any, slot: int, reason: int, now: int) -> None:
    """Count a packet that nothing can be done with."""
    packet = packet_at(e, slot)
    core_at(e, 0)["refused"] += 1
    note(e, reason, now, np.int64(packet["dst"]), -1, np.int64(packet["psn"]))
