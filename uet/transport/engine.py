"""`Engine`: the transport state of any number of endpoints, and the verbs that carriers use.

    post            application call: send a message
    receive         a packet has arrived
    next_packet     which packet does this endpoint send next?
    next_timer      when must on_timer be called?
    on_timer        a timer is due
    next_completion what has finished?

All time is an argument (int64 picoseconds) and all randomness comes from the seed. Jitted carriers
call the kernels of the same names on `engine.world.handle`; the methods here serve Python callers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.base.jit import World
from uet.base.tables import Records, Table
from uet.transport import answers, messages, receive, send, timers
from uet.transport.state import ENGINE

_LAYOUTS = {name: t for name, t in ENGINE.tables.items() if isinstance(t, Table)}

COMPLETIONS = 8192
"""Completions that may wait; one verb produces at most one per packet of a window."""


@dataclass(frozen=True)
class Capacity:
    """How much state to reserve. Memory is only touched as it is used."""

    initiators: NDArray[np.int64]  # PDCs each endpoint may open, shape [n_endpoints]
    targets: NDArray[np.int64]  # PDCs others may open to it, shape [n_endpoints]
    messages: int
    packets: int
    extra_ses: int = 0  # rows for SES fields decoded from bytes, after those of the messages


class Engine:
    """Tables of one engine and its verbs."""

    def __init__(self, settings: Records, capacity: Capacity) -> None:
        """Reserve the state. Raises BadInput if an endpoint would need more than 65,535 PDCs."""
        per_endpoint = capacity.initiators + capacity.targets
        if per_endpoint.max(initial=0) > 65535:
            raise BadInput(
                f"an endpoint would need {per_endpoint.max()} PDCs but identifiers end at 65535; use fewer peers"
            )
        n_pdcs, n_rings = int(per_endpoint.sum()), int(capacity.initiators.sum())
        window = int(settings["window_packets"][0])
        n_pacers = len(per_endpoint) if settings["credit"][0] else 0
        inbox = capacity.messages
        rows = {
            "core": 1,
            "packet": capacity.packets,
            "slot": capacity.packets,
            "ses": capacity.messages + capacity.extra_ses,
            "endpoint": len(per_endpoint),
            "pdc": n_pdcs,
            "sent": n_rings * window,
            "word": n_pdcs * 3 * -(-window // 64),
            "message": capacity.messages,
            "inbox": inbox,
            "completion": COMPLETIONS,
            "heap": n_pdcs + n_pacers,
            "directory": 1 << max(2 * (n_pdcs + inbox), 2).bit_length(),
            "cc_event": 1,
            "cc_state": n_pdcs,
            "lb_state": n_pdcs,
            "credit": n_pdcs if n_pacers else 0,
            "pacer": n_pacers,
        }
        tables = {name: _LAYOUTS[name].zeros(n) for name, n in rows.items()}
        tables["settings"] = settings
        core, endpoints = tables["core"], tables["endpoint"]
        core["free_packet"], core["free_inbox"] = -1, -1
        for field in ("control_head", "control_tail", "active_head", "active_tail"):
            endpoints[field] = -1
        for field in ("listed_head", "listed_tail", "idle_head", "idle_tail"):
            tables["pacer"][field] = -1
        tables["pacer"]["rate"] = 1.0
        endpoints["max_pdcs"] = per_endpoint
        endpoints["first_pdc"] = np.cumsum(per_endpoint) - per_endpoint
        self.world = World(ENGINE, tables)

    def table(self, name: str) -> Records:
        """Return one of the state tables (uet.transport.state)."""
        rows: Records = self.world.tables[name]
        return rows

    def counters(self) -> dict[str, int]:
        """Return the engine's counters."""
        names = (
            "sent",
            "retransmitted",
            "acks",
            "nacks",
            "timeouts",
            "duplicates",
            "refused",
            "used_packets",
            "credits",
            "credit_requests",
        )
        return {name: int(self.table("core")[name][0]) for name in names}

    def post(
        self, endpoint: int, peer: int, n_bytes: int, match_bits: int = 0, handle: int = 0, now_ps: int = 0
    ) -> int:
        """Post a tagged send and return its message row. Raises BadInput if it is refused."""
        row = int(messages.post(self.world.handle, endpoint, peer, n_bytes, match_bits, handle, now_ps))
        if row < 0:
            reasons = {
                messages.NO_PDC: "no PDC is left for this peer; reserve more",
                messages.NO_MESSAGE: "no message row is left; reserve more",
                messages.TOO_LONG: "a message has at most 2^32 - 1 bytes; split it",
                messages.PEER_FAILED: "the PDC to this peer has failed",
            }
            raise BadInput(f"message of {n_bytes} bytes from {endpoint} to {peer}: {reasons[row]}")
        return row

    def receive(self, slot: int, now_ps: int) -> bool:
        """Process the packet in a slot, which belongs to the engine again; True if its payload is new."""
        return bool(receive.receive(self.world.handle, slot, now_ps))

    def next_packet(self, endpoint: int, now_ps: int) -> int | None:
        """Return the slot of the packet to send next, None if there is none."""
        slot = int(send.next_packet(self.world.handle, endpoint, now_ps))
        return None if slot < 0 else slot

    def next_timer(self) -> int:
        """Return when `on_timer` must be called [ps], `timers.NEVER` if not at all."""
        return int(timers.next_timer(self.world.handle))

    def on_timer(self, now_ps: int) -> int:
        """Serve the earliest timer and return the endpoint that may now have packets to send."""
        return int(answers.on_timer(self.world.handle, now_ps))

    def completions(self) -> list[Any]:
        """Take all completions, oldest first, as copies of COMPLETION rows."""
        taken: list[Any] = []
        while (row := int(messages.next_completion(self.world.handle))) >= 0:
            taken.append(self.table("completion")[row].copy())
        return taken


def pairwise(
    n_endpoints: int, pairs: Sequence[tuple[int, int]], messages: int, packets: int, extra_ses: int = 0
) -> Capacity:
    """Return the capacity for one PDC per (sender, receiver) pair."""
    ends = np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)
    initiators = np.bincount(ends[:, 0], minlength=n_endpoints)
    targets = np.bincount(ends[:, 1], minlength=n_endpoints)
    return Capacity(initiators, targets, messages, packets, extra_ses)
