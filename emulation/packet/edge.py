"""The edge of the simulated network: what may happen to packets between a host's engine and its port.

An edge is one function with a fixed signature and a World of its own:

    edge(simulation, own, event, subject, other, now) -> 0; for DEPART and ARRIVE 1 if the packet is lost

It passes packets through their bytes, or through real wires, and moves the payload of schedules. Without
one, packets cross as records and payload has a length but no content.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulation.packet.state import edge_of, network_at
from uet.base.jit import Hook, World, kernel

if TYPE_CHECKING:
    from emulation.packet.guard import Guard

EDGE = Hook("edge", 2, 4)
_call = EDGE.call
GUARD = Hook("guard", 0, 4)
call_guard = GUARD.call
"""Seal or open a frame, by an address of `emulation.packet.guard.Guard`: endpoint, frame, length, room -> new length or
-1."""

DEPART, ARRIVE, PLACE, LOCAL, TWIN, CLOCK = range(6)
"""Events and their subjects: a packet slot that leaves its host; one that has reached its destination; the
same slot, once the engine has found its payload new; an operation to be carried out within a rank; a slot
that is to be a second copy of the slot `other`; none: the next event is due at `now`, what time is it?"""


@dataclass(frozen=True)
class Edge:
    """An edge's compiled function and its World."""

    address: int
    world: World
    paced: bool = False  # it is asked for the time before every event
    guard: Guard | None = None  # what secures its frames


@kernel
def tell_edge(s: Any, event: int, subject: int, other: int, now: int) -> int:
    """Call the edge and return its answer; there must be one."""
    return _call(network_at(s, 0)["edge"], s, edge_of(s, 0), event, subject, other, now)
