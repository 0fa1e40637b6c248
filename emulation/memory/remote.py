"""`RemoteMemory`: endpoints with buffers that reach into each other's memory over a medium with faults.

The plain-Python carrier of everything that is no schedule: tagged messages with receives, writes, reads, atomics
and datagrams. The engine says where each payload comes from and goes to; the bytes are moved here.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulation.memory.atomics import perform
from emulation.memory.move import Faults
from emulation.packet.wire import ROOM_BYTES, codec_round_trip
from uet.base.errors import NoAnswer
from uet.base.units import PS_PER_US
from uet.transport import state
from uet.transport.engine import Engine
from uet.transport.slots import copy_slot, free_slot
from uet.transport.timers import NEVER

_Bytes = NDArray[np.uint8]


class RemoteMemory:
    """An engine's endpoints, their buffers by handle, and the packets between them.

    Handles are chosen by the caller and given to the engine's verbs; `buffers[handle]` is what they name. With
    `wire`, headers pass through their bytes on the way.
    """

    def __init__(self, engine: Engine, faults: Faults | None = None, seed: int = 1, wire: bool = True) -> None:
        """Take over an engine that nobody else drives."""
        self.engine, self.faults, self.wire = engine, faults or Faults(), wire
        self.buffers: dict[int, _Bytes] = {}
        self.now_ps, self.latency_ps = 0, PS_PER_US
        self.completions: list[Any] = []
        self._rng = np.random.default_rng(seed)
        self._flight: list[tuple[int, int, int]] = []
        self._sent = 0
        self._payloads: dict[int, bytes] = {}  # by slot
        self._saved: dict[int, bytes] = {}  # by row of the saved response
        self._unexpected: dict[int, bytearray] = {}  # by inbox row
        self._room = np.zeros(ROOM_BYTES, np.uint8)

    def post_receive(self, endpoint: int, n_bytes: int, handle: int, match_bits: int = 0, **options: Any) -> None:
        """Post a receive into `buffers[handle]`; an unexpected message that fits is copied at once."""
        engine = self.engine
        row = engine.post_receive(endpoint, n_bytes, match_bits, handle=handle, now_ps=self.now_ps, **options)
        if row >= 0:
            n = int(engine.table("move")["bytes"][0])
            kept = self._unexpected.pop(row, bytearray())[:n]
            self.buffers[handle][: len(kept)] = np.frombuffer(bytes(kept), np.uint8)
        self._collect()

    def run(self, max_events: int = 200_000) -> list[Any]:
        """Go on until nothing is left to happen; return the completions. Raises NoAnswer if it never ends."""
        for _ in range(max_events):
            if not self.step():
                return self.completions
        raise NoAnswer(f"still busy after {max_events} events; look for a message that nobody receives")

    def step(self) -> bool:
        """Send what can be sent and let the next thing happen; False if there is none."""
        self._send_all()
        self._collect()
        due = self._flight[0][0] if self._flight else NEVER
        timer = self.engine.next_timer()
        if min(due, timer) >= NEVER:
            return False
        self.now_ps = max(self.now_ps, min(due, timer))
        if timer < due:
            self.engine.on_timer(self.now_ps)
        else:
            self._arrive(heapq.heappop(self._flight)[2])
        self._collect()
        return True

    def _collect(self) -> None:
        self.completions += self.engine.completions()

    def _send_all(self) -> None:
        for endpoint in range(len(self.engine.table("endpoint"))):
            while (slot := self.engine.next_packet(endpoint, self.now_ps)) is not None:
                self._load(slot)
                self._transmit(slot)

    def _load(self, slot: int) -> None:
        """Put a packet's payload with its slot."""
        source, move = self.engine.payload_source(slot), self.engine.table("move")[0]
        n = int(move["bytes"])
        if source == state.FROM_BUFFER:
            start = int(move["offset"])
            self._payloads[slot] = self.buffers[int(move["handle"])][start : start + n].tobytes()
        elif source == state.FROM_SAVED:
            self._payloads[slot] = self._saved[int(move["row"])][:n]
        elif n == 0:
            self._payloads[slot] = b""

    def _transmit(self, slot: int) -> None:
        """Put a packet on the medium, or lose, double or delay it."""
        engine, faults = self.engine, self.faults
        if self.wire and codec_round_trip(engine.world.handle, slot, self._room.ctypes.data) != 0:
            raise NoAnswer(f"the codec refuses the packet in slot {slot}, which is a bug")
        chances = self._rng.random(3)
        if chances[0] < faults.drop:
            free_slot(engine.world.handle, slot)
            return
        if chances[1] < faults.duplicate and (twin := int(copy_slot(engine.world.handle, slot))) >= 0:
            self._payloads[twin] = self._payloads[slot]
            self._fly(twin, self.latency_ps)
        late = self._rng.random() if chances[2] < faults.reorder else 0.0
        self._fly(slot, int(self.latency_ps * (1 + late)))

    def _fly(self, slot: int, delay_ps: int) -> None:
        self._sent += 1
        heapq.heappush(self._flight, (self.now_ps + delay_ps, self._sent, slot))

    def _arrive(self, slot: int) -> None:
        """Give a packet to the engine and do with its payload what it says."""
        payload = self._payloads.pop(slot, b"")
        what = self.engine.receive(slot, self.now_ps)
        move = self.engine.table("move")[0]
        handle, offset, n, row = (int(move[f]) for f in ("handle", "offset", "bytes", "row"))
        if what == state.STORE:
            self.buffers[handle][offset : offset + n] = np.frombuffer(payload[:n], np.uint8)
        elif what == state.STORE_UNEXPECTED:
            kept = self._unexpected.setdefault(row, bytearray())
            kept.extend(bytes(max(offset + n - len(kept), 0)))
            kept[offset : offset + n] = payload
        elif what == state.FETCH:
            data = self.buffers[handle][offset : offset + n].tobytes()
            if row <= state.IN_SLOT:
                self._payloads[state.IN_SLOT - row] = data
            else:
                self._saved[row] = data
        elif what == state.ATOMIC:
            memory = self.buffers[handle][offset : offset + n]
            code, old = perform(int(move["op"]), int(move["type"]), memory, payload)
            if row >= 0:
                self._saved[row] = old
            self.engine.performed(code)
