"""State of the testbed's edge: a frame for every packet slot, the ends of the wires, and what was captured."""

from __future__ import annotations

from emulation.data import DATA
from emulation.testbed.syscalls import TIMESPEC
from uet.base.jit import WorldLayout
from uet.base.tables import table
from uet.transport.wire.path import PATH

BED = table(
    "bed",
    """
    seed i8 - seed of corruption
    corrupt i8 - a frame's bit is flipped if 32 random bits are below this
    seal i8 - address of what seals frames, 0: they go as they are
    open i8 - address of what opens them
    frame_room i8 bytes room for the frame of a slot
    trim_uet_bytes i8 bytes UET that a trimmed frame keeps
    clock_ps i8 ps testbed time at the last look at the clock
    clock_ns i8 ns the machine's clock then, 0: not started
    dilation f8 - seconds of the machine in a second of the testbed
    step_ns i8 ns longest the clock moves at a time: a process that was kept waiting stands still
    stalled_ns i8 ns by which it stood still
    late_ps i8 ps an event served later than this is late
    events i8 - events served by the clock
    late i8 - of these, late ones
    capture_room i8 bytes captured frames held before they are written out; 0 captures nothing
    capture_bytes i8 bytes held now
    captured i8 - frames held now
    capture_lost i8 - frames that found no room
    frames i8 - frames that crossed a wire
    frame_bytes i8 bytes of these
    lost i8 - frames that did not come out at the other end
    refused i8 - frames that a host or switch could not read
    corrupted i8 - frames with a flipped bit
    delivered i8 bytes payload accepted as new
    arrived_slot i4 - slot of the packet given to the engine last
    arrived_step i4 - receive it belongs to
    arrived_offset i8 bytes where in the message its payload goes
    arrived_payload i8 - address of its payload
    arrived_bytes i8 bytes its payload
    """,
)
WIRE_END = table(
    "wire_end",
    """
    host i4 - socket at the host, -1 without namespaces
    fabric i4 - socket at the other end
    """,
)
FRAME = table("frame", "byte u1 bytes frames of all packet slots")
FRAME_BYTES = table("frame_bytes", "length i4 bytes length of the slot's frame")
CAPTURE = table("capture", "byte u1 bytes captured frames, one behind the other")
CAPTURED = table(
    "captured",
    """
    time_ps i8 ps when the frame left its host or reached it
    first i8 bytes where it begins in `capture`
    length i4 bytes length
    host i4 - whose port
    """,
)
EDGE_WORLD = WorldLayout("testbed", BED, WIRE_END, FRAME, FRAME_BYTES, CAPTURE, CAPTURED, PATH, TIMESPEC, DATA)

bed_at = EDGE_WORLD.rows("bed")
wire_end_at = EDGE_WORLD.rows("wire_end")
frame_bytes_at = EDGE_WORLD.rows("frame_bytes")
captured_at = EDGE_WORLD.rows("captured")
path_at = EDGE_WORLD.rows("path")
timespec_at = EDGE_WORLD.rows("timespec")
data_of = EDGE_WORLD.rows("data")

SENDING, READING, SWITCHING, FOUND = range(4)
"""Rows of PATH: how frames are built, how a host reads them, how a switch does (without CRC), what was found."""
