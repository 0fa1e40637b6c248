"""State of the memory carrier: the medium and the payloads under way."""

from __future__ import annotations

from emulation.data import DATA
from emulation.events import EVENTS
from emulation.operations import OPERATIONS
from uet.base.jit import WorldLayout
from uet.base.tables import table
from uet.transport.state import ENGINE

MEDIUM = table(
    "medium",
    """
    latency_ps i8 ps from one endpoint to another
    jitter_ps i8 ps a reordered packet takes up to this much longer
    drop i8 - a packet is lost if 32 random bits are below this
    duplicate i8 - likewise: it arrives twice
    reorder i8 - likewise: it is delayed
    seed i8 - seed of the faults
    packets i8 - packets handed to the medium
    dropped i8 - of these lost
    duplicated i8 - of these delivered twice
    reordered i8 - of these delayed
    delivered i8 bytes payload accepted as new
    payload_bytes i8 bytes room for the payload of a slot
    """,
)
PAYLOAD = table("payload", "byte u1 bytes payloads of all packet slots")

MEMORY = WorldLayout("memory_carrier", MEDIUM, PAYLOAD, ENGINE, EVENTS, OPERATIONS, DATA)
medium_at = MEMORY.rows("medium")
engine_of = MEMORY.rows("engine")
events_of = MEMORY.rows("events")
operations_of = MEMORY.rows("operations")
data_of = MEMORY.rows("data")
