"""State of the memory carrier: the medium, the payloads under way and the buffers of all ranks."""

from __future__ import annotations

from emulation.events import EVENTS
from emulation.operations import OPERATIONS
from uet.base.jit import Hook, WorldLayout
from uet.base.tables import table
from uet.schedule.model import OPERATION
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
    apply i8 - address of the kernel that reduces and copies
    payload_bytes i8 bytes room for the payload of a slot
    data_bytes i8 bytes DATA of one rank
    scratch_bytes i8 bytes SCRATCH of one rank
    """,
)
PAYLOAD = table("payload", "byte u1 bytes payloads of all packet slots")
EARLY = table("early", "byte u1 bytes messages that came before their receive started")
EARLY_PLACE = table("early_place", "first i8 - where in `early` the message of this operation goes")


def views(code: str) -> WorldLayout:
    """Return the layout that shows all ranks' buffers as elements of a numpy type code."""
    element = f"value {code} - element"
    return WorldLayout("views", table("data", element), table("scratch", element))


VIEWS = views("u1")
APPLY = Hook("apply", 2, 3)

MEMORY = WorldLayout(
    "memory_carrier", MEDIUM, PAYLOAD, EARLY, EARLY_PLACE, OPERATION, ENGINE, EVENTS, OPERATIONS, VIEWS
)
medium_at = MEMORY.rows("medium")
early_place_at = MEMORY.rows("early_place")
operation_at = MEMORY.rows("operation")
engine_of = MEMORY.rows("engine")
events_of = MEMORY.rows("events")
operations_of = MEMORY.rows("operations")
views_of = MEMORY.rows("views")
