"""State of a pair: the medium, the packets under way and what became of every message."""

from __future__ import annotations

from enum import IntEnum

from uet.base.jit import Hook, WorldLayout
from uet.base.tables import table
from uet.transport.state import ENGINE
from uet.transport.wire.path import PATH

PAIR = table(
    "pair",
    """
    now_ps i8 ps the time
    n_flight i8 - packets under way
    n_posted i8 - messages posted
    n_open i8 - of these neither completed nor failed at the sender
    mode i8 - delivery mode of the messages
    n_closes i8 - PDCs asked to close
    n_closed i8 - PDCs closed at their initiator
    wire i8 - 1: packets travel as frames, 0: as records
    room_bytes i8 bytes room for the frame of a slot
    message_bytes i8 bytes room for the bytes of a message
    act i8 - address of `medium.act`
    violation i8 - the first Violation found, 0 none
    violated_at i8 - message or PDC it was found at
    handed_over i8 - packets the medium was given
    delivered i8 - packets it delivered
    dropped i8 - packets it lost
    duplicated i8 - packets it doubled
    trimmed i8 - packets it trimmed
    marked i8 - packets it marked as having met congestion
    corrupted i8 - packets it damaged
    refused i8 - frames that the receiver refused as damaged
    failed i8 - messages that failed
    """,
)
FLIGHT = table(
    "flight",
    """
    slot i4 - packet slot, oldest first
    length i4 bytes length of its frame
    damaged i4 - 1 if the medium changed a bit of it
    """,
)
GOODS = table(
    "goods",
    """
    arrived u8 - bit i: payload of packet i was given to the receiver
    bytes i8 bytes length
    src i4 - endpoint that posted it
    sent u1 - 1 once complete at the sender, 2 once failed there
    received u1 - 1 once complete at the receiver
    """,
)
FRAME = table("frame", "byte u1 bytes frames of all packet slots")
SOURCE = table("source", "byte u1 bytes what the messages contain")
TARGET = table("target", "byte u1 bytes what arrived of them")

PAIR_WORLD = WorldLayout("pair_world", PAIR, FLIGHT, GOODS, FRAME, SOURCE, TARGET, PATH, ENGINE)
pair_at = PAIR_WORLD.rows("pair")
flight_at = PAIR_WORLD.rows("flight")
goods_at = PAIR_WORLD.rows("goods")
source_at = PAIR_WORLD.rows("source")
target_at = PAIR_WORLD.rows("target")
path_at = PAIR_WORLD.rows("path")
engine_of = PAIR_WORLD.rows("engine")

POST, DELIVER, DROP, DUPLICATE, TRIM, MARK, CORRUPT, EXPIRE, CLOSE = range(9)
"""What can happen, see the functions of these names in `medium`."""

ACT = Hook("act", 1, 3)
"""All of it behind one address, so that it is compiled once for all who drive a pair."""

MAX_PACKETS = 64
"""Packets of a message, so that those that arrived fit one word."""


class Violation(IntEnum):
    """What must never happen, and the name under which it is reported."""

    NONE = 0
    REFUSED = 1  # a packet of the engine's does not fit a frame, or an undamaged frame is refused
    DAMAGED = 2  # a damaged frame passed the checks
    TWICE = 3  # the same payload was given to the receiver twice
    MISPLACED = 4  # a payload's offset or length is not that of a packet of its message
    ALTERED = 5  # a message is complete with other bytes than were sent
    INCOMPLETE = 6  # a message is complete but some of its packets never arrived
    DONE_TWICE = 7  # a message is complete or failed more than once at one side
    STUCK = 8  # messages are open but there are neither packets under way nor timers
    ENDLESS = 9  # messages stay open however long packets are delivered
    WINDOW = 10  # more packets outstanding than the window allows
    IN_FLIGHT = 11  # bytes in flight are not those of the packets in flight
    LOST = 12  # the count or the lowest of the lost packets is wrong, or a packet is lost and in flight
    FORGOTTEN = 13  # a packet is neither in flight nor lost nor received
    ACKNOWLEDGED = 14  # the sender believes received what the receiver has not
    OUT_OF_ORDER = 15  # the receiver's count of packets above a gap is wrong
    NO_TIMER = 16  # packets are in flight but no timer is set
    SLOTS = 17  # packet slots have leaked or are used twice
    IDLE = 18  # a PDC may send but nobody will ask it
    ORDER = 19  # an ordered payload was given to the receiver before an earlier one
