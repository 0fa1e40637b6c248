"""`Engine`: the transport state of any number of endpoints, and the verbs that carriers use.

    post            application call: send a message
    close           application call: close a PDC
    abandon         application call: give up a message
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
from uet.transport import (
    abandoning,
    closing,
    completions,
    expiry,
    matching,
    messages,
    orders,
    receive,
    regions,
    send,
    timers,
)
from uet.transport.directory import lookup, own_key
from uet.transport.reasons import Reason
from uet.transport.record import SesOpcode
from uet.transport.state import ENGINE, ORDER, RUD
from uet.transport.timers import TIMERS_PER_PDC

_LAYOUTS = {name: t for name, t in ENGINE.tables.items() if isinstance(t, Table)}

MAX_ENDPOINTS = 1 << 20
COMPLETIONS = 8192
"""Completions that may wait; one verb produces at most one per packet of a window."""


@dataclass(frozen=True)
class Order:
    """An operation to be posted; fields as in the table `order` (uet.transport.state)."""

    endpoint: int
    peer: int
    opcode: SesOpcode
    bytes: int
    mode: int = RUD
    handle: int = 0
    match_bits: int = 0
    buffer_offset: int = 0
    header_data: int = 0
    flags: int = 0
    job_id: int = 0
    pid_on_fep: int = 0
    resource_index: int = 0
    ri_generation: int = 0
    atomic_op: int = 0
    atomic_type: int = 0
    read_key: int = 0
    read_offset: int = 0
    eager_bytes: int = 0

    def row(self) -> Any:
        """Return the ORDER row."""
        rows = ORDER.zeros(1)
        for name in rows.dtype.names or ():
            rows[name] = getattr(self, name)
        return rows[0]


REFUSALS = {
    messages.NO_PDC: "no PDC is left for this peer; reserve more",
    messages.NO_MESSAGE: "no message row is left; reserve more",
    messages.TOO_LONG: "it is too long; a message has at most 2^32 - 1 bytes, a datagram or atomic one packet",
    messages.NO_RING: "no send ring is left; reserve more",
    orders.NOT_OFFERED: "the profile has no such operation in this delivery mode; see ses.profile",
    orders.NOT_IDEMPOTENT: "RUDI carries writes, and reads of one packet; use RUD or ROD",
}
"""Why posting fails, by result."""


@dataclass(frozen=True)
class Capacity:
    """How much state to reserve. Memory is only touched as it is used."""

    initiators: NDArray[np.int64]  # PDCs each endpoint may open, shape [n_endpoints]
    targets: NDArray[np.int64]  # PDCs others may open to it, shape [n_endpoints]
    messages: int  # of the application at once
    packets: int  # slots, of packets waiting and under way
    rings: int | None = None  # PDCs that have packets outstanding at once; default: all
    bitmaps: int | None = None  # PDCs that receive out of order at once; default: all
    saved: int | None = None  # responses kept for guaranteed delivery; default: four per PDC
    trace: int = 0  # events kept in the trace
    reads: int = 0  # long reads that are being answered at once
    contexts: int = 0  # jobs, processes and resources that may be addressed
    regions: int = 0  # memory regions open to others
    receives: int = 0  # receives posted at once


class Engine:
    """Tables of one engine and its verbs."""

    def __init__(self, settings: Records, capacity: Capacity) -> None:
        """Reserve the state. Raises BadInput if an endpoint would need more than 65,535 PDCs."""
        per_endpoint = capacity.initiators + capacity.targets
        if per_endpoint.max(initial=0) > 65535:
            raise BadInput(
                f"an endpoint would need {per_endpoint.max()} PDCs but identifiers end at 65535; use fewer peers"
            )
        if len(per_endpoint) > MAX_ENDPOINTS:
            raise BadInput(
                f"{len(per_endpoint):,} endpoints are too many for one engine; use at most {MAX_ENDPOINTS:,}"
            )
        n_pdcs = int(per_endpoint.sum())
        window = int(settings["window_packets"][0])
        n_pacers = len(per_endpoint) if settings["credit"][0] else 0
        words = -(-window // 64)
        rings = n_pdcs if capacity.rings is None else capacity.rings
        bitmap_words = (n_pdcs if capacity.bitmaps is None else capacity.bitmaps) * words
        saved = 4 * n_pdcs if capacity.saved is None else capacity.saved
        n_messages = capacity.messages + n_pdcs + capacity.reads  # the engine's own: a command per PDC, and reads
        rows = {
            "core": 1,
            "packet": capacity.packets,
            "slot": capacity.packets,
            "ses": n_messages + saved + capacity.packets,
            "endpoint": len(per_endpoint),
            "pdc": n_pdcs,
            "sent": rings * window,
            "word": bitmap_words + rings * 3 * words,
            "message": n_messages,
            "inbox": capacity.messages,
            "completion": COMPLETIONS,
            "heap": 2 * TIMERS_PER_PDC * n_pdcs + n_pacers,
            "directory": 1 << max(2 * (2 * n_pdcs + capacity.messages), 2).bit_length(),
            "cc_event": 1,
            "cc_state": n_pdcs,
            "lb_state": n_pdcs,
            "credit": n_pdcs if n_pacers else 0,
            "pacer": n_pacers,
            "pace": n_pdcs if settings["paces"][0] else 0,
            "inference": n_pdcs if settings["infer"][0] else 0,
            "saved": saved,
            "reason_count": len(Reason),
            "trace": capacity.trace,
            "order": 1,
            "context": capacity.contexts,
            "region": capacity.regions,
            "receive": capacity.receives,
            "move": 1,
        }
        tables = {name: _LAYOUTS[name].zeros(n) for name, n in rows.items()}
        tables["settings"] = settings
        core, endpoints = tables["core"], tables["endpoint"]
        core["max_messages"], core["bitmap_words"] = capacity.messages, bitmap_words
        for field in ("packet", "inbox", "message", "own", "ring", "bitmap", "saved", "receive"):
            core[f"free_{field}"] = -1
        for field in ("control_head", "control_tail", "active_head", "active_tail", "free_head", "free_tail"):
            endpoints[field] = -1
        for field in ("receives", "unexpected", "contexts", "regions", "rendezvous"):
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

    def press(self, endpoint: int, pressure: int, restore: bool = False) -> None:
        """Let an endpoint's ACKs ask its senders for less (destination flow control).

        `pressure` 64 halves a window in a round trip, 127 leaves about a packet per round trip, 0 ends
        it; with `restore` senders then take up the window they had before. Raises BadInput outside 0 to 127.
        """
        if not 0 <= pressure <= 127:
            raise BadInput(f"a pressure of {pressure} does not fit its 7 bits; choose 0 to 127")
        row = self.table("endpoint")
        row["pressure"][endpoint], row["restore"][endpoint] = pressure, restore

    def counters(self) -> dict[str, int]:
        """Return the engine's counters."""
        names = (
            "sent", "retransmitted", "acks", "nacks", "timeouts", "duplicates", "refused", "used_packets",
            "credits", "credit_requests",
        )  # fmt: skip
        return {name: int(self.table("core")[name][0]) for name in names}

    def reasons(self) -> dict[str, int]:
        """Return how often each `Reason` occurred, of those that did."""
        counts = self.table("reason_count")["count"]
        return {reason.name: int(counts[reason]) for reason in Reason if counts[reason]}

    def trace(self) -> Records:
        """Return the last events (TRACE rows), oldest first; empty unless `Capacity.trace` reserved rows."""
        rows, written = self.table("trace"), int(self.table("core")["traced"][0])
        return rows[:written].copy() if written <= len(rows) else np.roll(rows, -written % len(rows))

    def high_water(self) -> dict[str, int]:
        """Return the most that any endpoint ever held at once: what its NIC would have to provide for."""
        endpoints, window = self.table("endpoint"), int(self.table("settings")["window_packets"][0])
        return {
            "pdcs": int(endpoints["most_open"].max(initial=0)),
            "outstanding_packets": int(endpoints["most_outstanding"].max(initial=0)),
            "bitmap_bits": int(endpoints["most_bitmaps"].max(initial=0)) * window,
            "guaranteed_delivery_bytes": int(endpoints["most_saved_bytes"].max(initial=0)),
        }

    def post(
        self,
        endpoint: int,
        peer: int,
        n_bytes: int,
        match_bits: int = 0,
        handle: int = 0,
        now_ps: int = 0,
        mode: int = RUD,
    ) -> int:
        """Post a message in a delivery mode and return its row. Raises BadInput if it is refused."""
        h = self.world.handle
        row = int(messages.post_mode(h, mode, endpoint, peer, n_bytes, match_bits, handle, now_ps))
        if row < 0:
            raise BadInput(f"message of {n_bytes} bytes from {endpoint} to {peer}: {REFUSALS[row]}")
        return row

    def close(self, endpoint: int, peer: int, now_ps: int = 0, mode: int = RUD) -> bool:
        """Close the PDC from `endpoint` to `peer` once its messages are through; False if none is open."""
        pdc = int(lookup(self.world.handle, own_key(endpoint, peer, mode)))
        return pdc >= 0 and self.close_pdc(pdc, now_ps)

    def close_pdc(self, pdc: int, now_ps: int = 0) -> bool:
        """Close a PDC by row, be it initiator's (closes) or target's (asks for it); False if it cannot be."""
        return bool(closing.close_pdc(self.world.handle, pdc, now_ps))

    def submit(self, order: Order, now_ps: int = 0) -> int:
        """Post any operation and return its message row. Raises BadInput if it is refused."""
        self.table("order")[0] = order.row()
        row = int(orders.submit(self.world.handle, 0, now_ps))
        if row < 0:
            raise BadInput(f"{order.opcode.name} from {order.endpoint} to {order.peer}: {REFUSALS[row]}")
        return row

    def abandon(self, message: int, now_ps: int = 0) -> bool:
        """Give up a message by row; False if it is too late, as all of it was sent (see `abandoning`)."""
        return bool(abandoning.abandon(self.world.handle, message, now_ps))

    def post_receive(
        self,
        endpoint: int,
        n_bytes: int,
        match_bits: int = 0,
        ignore: int = 0,
        tagged: bool = True,
        peer: int = -1,
        handle: int = 0,
        now_ps: int = 0,
    ) -> int:
        """Post a receive; returns the inbox row of the unexpected message it takes, or matching.POSTED.

        With a row, `move.bytes` bytes of the table `move` are to be copied from the message's buffer. Raises
        BadInput if no row is left, or if the profile takes no tags with open bits.
        """
        bits, open_ = np.uint64(match_bits), np.uint64(ignore)
        h = self.world.handle
        row = int(matching.post_receive(h, endpoint, bits, open_, int(tagged), peer, n_bytes, handle, now_ps))
        if row == matching.NO_ROW:
            raise BadInput(f"endpoint {endpoint}: no receive row is left; reserve more")
        if row == matching.NO_WILDCARDS:
            raise BadInput(
                f"endpoint {endpoint}: this profile matches tags exactly; drop `ignore` or set ses.profile=3"
            )
        return row

    def add_region(self, endpoint: int, key: int, n_bytes: int, access: int, handle: int = 0, job: int = 0) -> int:
        """Open memory to a job under a key and return its row. Raises BadInput if no row is left."""
        row = int(regions.add_region(self.world.handle, endpoint, np.uint64(key), job, handle, n_bytes, access))
        if row < 0:
            raise BadInput(f"endpoint {endpoint}: no region row is left; reserve more")
        return row

    def add_context(
        self, endpoint: int, job: int, pid: int, index: int = 0, relative_pid: int = 0, generation: int = 0
    ) -> int:
        """Let a job's messages go to a process and resource; returns the row. Raises BadInput if none is left."""
        row = int(regions.add_context(self.world.handle, endpoint, job, pid, relative_pid, index, generation))
        if row < 0:
            raise BadInput(f"endpoint {endpoint}: no context row is left; reserve more")
        return row

    def receive(self, slot: int, now_ps: int) -> int:
        """Process the packet in a slot, which belongs to the engine again; returns what to do with its payload."""
        return int(receive.receive(self.world.handle, slot, now_ps))

    def payload_source(self, slot: int) -> int:
        """Return where the payload of a packet to be sent is (state.FROM_BUFFER ...); MOVE says the rest."""
        return int(orders.payload_source(self.world.handle, slot))

    def performed(self, return_code: int) -> None:
        """Tell how the atomic operation or fetch went that `receive` asked for last; its response says so."""
        orders.performed(self.world.handle, return_code)

    def next_packet(self, endpoint: int, now_ps: int) -> int | None:
        """Return the slot of the packet to send next, None if there is none."""
        slot = int(send.next_packet(self.world.handle, endpoint, now_ps))
        return None if slot < 0 else slot

    def next_timer(self) -> int:
        """Return when `on_timer` must be called [ps], `timers.NEVER` if not at all."""
        return int(timers.next_timer(self.world.handle))

    def on_timer(self, now_ps: int) -> int:
        """Serve the earliest timer and return the endpoint that may now have packets to send."""
        return int(expiry.on_timer(self.world.handle, now_ps))

    def completions(self) -> list[Any]:
        """Take all completions, oldest first, as copies of COMPLETION rows."""
        taken: list[Any] = []
        while (row := int(completions.next_completion(self.world.handle))) >= 0:
            taken.append(self.table("completion")[row].copy())
        return taken


def pairwise(n_endpoints: int, pairs: Sequence[tuple[int, int]], messages: int, packets: int) -> Capacity:
    """Return the capacity for one PDC per (sender, receiver) pair."""
    ends = np.array(sorted(set(pairs)), np.int64).reshape(-1, 2)
    initiators = np.bincount(ends[:, 0], minlength=n_endpoints)
    targets = np.bincount(ends[:, 1], minlength=n_endpoints)
    return Capacity(initiators, targets, messages, packets)
