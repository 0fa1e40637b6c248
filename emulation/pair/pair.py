"""`Pair`: two endpoints whose packets the caller delivers, loses, doubles, trims, marks or damages one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emulation.pair import drive
from emulation.pair.invariants import check
from emulation.pair.state import (
    CLOSE,
    CORRUPT,
    DELIVER,
    DROP,
    DUPLICATE,
    EXPIRE,
    FLIGHT,
    FRAME,
    GOODS,
    MARK,
    MAX_PACKETS,
    PAIR,
    PAIR_WORLD,
    POST,
    SOURCE,
    TARGET,
    TRIM,
    Violation,
)
from uet.base.jit import World
from uet.base.tables import Records
from uet.transport.engine import Engine, pairwise
from uet.transport.plugins import balancer_address, controller_address, split_credit
from uet.transport.record import PdsType
from uet.transport.settings import chosen, delay_targets, fill
from uet.transport.state import RUD
from uet.transport.wire.path import PATH, make_path

FRAME_HEADER_BYTES = 192
"""Room for everything in a frame but the payload."""
RTT_US, RTO_US = 10.0, 100.0


@dataclass(frozen=True)
class PairSettings:
    """What the pair is made of; packets travel as frames unless `wire` is False."""

    messages: int = 64
    packets: int = 512
    payload_bytes: int = 16
    message_packets: int = MAX_PACKETS
    wire: bool = True
    mode: int = RUD
    seed: int = 1
    controller: str = "constant"
    balancer: str = "oblivious"
    profile: str = "uet-1.0"
    overrides: Mapping[str, float] = field(default_factory=dict)


class Pair:
    """Endpoints 0 and 1, a medium between them and the time; nothing happens that the caller does not ask for."""

    def __init__(self, settings: PairSettings | None = None) -> None:
        """Reserve everything. Raises BadInput for settings the engine does not take."""
        s = self.settings = settings or PairSettings()
        self.engine = Engine(engine_settings(s), pairwise(2, [(0, 1), (1, 0)], s.messages, s.packets))
        message_bytes, room = s.message_packets * s.payload_bytes, FRAME_HEADER_BYTES + s.payload_bytes
        rng = np.random.default_rng(s.seed)
        self.world = World(
            PAIR_WORLD,
            {
                "pair": PAIR.zeros(1),
                "flight": FLIGHT.zeros(s.packets),
                "goods": GOODS.zeros(s.messages),
                "frame": FRAME.zeros(s.packets * room),
                "source": SOURCE.zeros(s.messages * message_bytes),
                "target": TARGET.zeros(s.messages * message_bytes),
                "path": _paths(),
                "engine": self.engine.world,
            },
        )
        self.state = self.world.tables["pair"]
        self.state["mode"], self.state["act"] = s.mode, drive.act_address()
        self.state["wire"], self.state["room_bytes"], self.state["message_bytes"] = s.wire, room, message_bytes
        self.world.tables["source"]["byte"] = rng.integers(0, 256, s.messages * message_bytes)

    @property
    def now_ps(self) -> int:
        """The time [ps]."""
        return int(self.state["now_ps"][0])

    @property
    def open_messages(self) -> int:
        """Messages neither completed nor failed at their sender."""
        return int(self.state["n_open"][0])

    @property
    def n_flight(self) -> int:
        """Packets under way."""
        return int(self.state["n_flight"][0])

    def flight(self) -> Records:
        """Return copies of the records of the packets under way, in the order in which they were handed over."""
        slots = self.world.tables["flight"]["slot"][: self.n_flight]
        return self.engine.table("packet")[slots].copy()

    def goods(self) -> Records:
        """Return what became of the messages posted so far, by number."""
        rows: Records = self.world.tables["goods"]
        return rows[: int(self.state["n_posted"][0])]

    def post(self, src: int, n_bytes: int) -> int:
        """Post a message from endpoint `src` to the other; return its number, -1 if the engine refuses it."""
        return self._do(POST, src, n_bytes)

    def close(self, pdc: int) -> bool:
        """Let the side that row `pdc` of the PDC table belongs to close it; False if its state does not allow that."""
        return bool(self._do(CLOSE, pdc))

    def deliver(self, k: int = 0) -> None:
        """Deliver the packet at place `k`."""
        self._do(DELIVER, self._place(k))

    def drop(self, k: int = 0) -> None:
        """Lose the packet at place `k`."""
        self._do(DROP, self._place(k))

    def duplicate(self, k: int = 0) -> bool:
        """Double the packet at place `k`; the twin comes last. False if there is no room."""
        return bool(self._do(DUPLICATE, self._place(k)))

    def trim(self, k: int = 0, last_hop: bool = False) -> bool:
        """Trim the packet at place `k`, which stays there; False if it cannot be trimmed."""
        return bool(self._do(TRIM, self._place(k), int(last_hop)))

    def mark(self, k: int = 0) -> bool:
        """Mark the packet at place `k` as having met congestion; False if it takes no mark."""
        return bool(self._do(MARK, self._place(k)))

    def corrupt(self, k: int, bit: int) -> bool:
        """Flip one bit of the frame at place `k`; False where no checksum could tell."""
        return bool(self._do(CORRUPT, self._place(k), bit))

    def expire(self) -> bool:
        """Go to the earliest timer and serve it; False if none is set."""
        return bool(self._do(EXPIRE))

    def advance(self, by_ps: int) -> None:
        """Let time pass and serve the timers that fire meanwhile."""
        drive.advance(self.world.handle, self.now_ps + by_ps)

    def finish(self, max_steps: int = 100_000) -> int:
        """Deliver in order, without faults, until all messages are done; see `drive.finish`."""
        return int(drive.finish(self.world.handle, max_steps))

    def violation(self) -> Violation:
        """Look at all tables and return the first violation found since the start."""
        return Violation(int(check(self.world.handle)))

    def describe(self) -> list[str]:
        """Return one line per packet under way: type, PSN and flags."""
        return [f"{PdsType(int(p['pds_type'])).name} psn={int(p['psn'])} {int(p['src'])}->{int(p['dst'])} "
                f"flags={int(p['pds_flags']):#x} code={int(p['code'])}" for p in self.flight()]  # fmt: skip

    def _do(self, verb: int, k: int = 0, argument: int = 0) -> int:
        return int(drive.do(self.world.handle, verb, k, argument))

    def _place(self, k: int) -> int:
        if not 0 <= k < self.n_flight:
            raise IndexError(f"place {k} of {self.n_flight} packets under way")
        return k


def engine_settings(s: PairSettings) -> Records:
    """Return the settings row of the engine, as the pair would make it."""
    settled: dict[str, Any] = chosen(s.profile, s.overrides) | {
        "mtu.payload_bytes": s.payload_bytes,
        "mtu.legal_only": 0,
    }
    size = s.payload_bytes + settled["mtu.overhead_bytes"]
    derived = {
        "cc.base_rtt_us": RTT_US,
        "cc.line_gbps": 400.0,
        "cc.window_bytes": 64 * size,
        "rto.init_us": RTO_US,
        "rccc.max_bytes": 64 * size,
        **delay_targets(settled, RTT_US, True),
    }
    values = derived | settled
    addresses = controller_address(s.controller), balancer_address(s.balancer, int(values["lb.entropies"]))
    return fill(values, s.seed, *addresses, split_credit(s.controller)[1])


def _paths() -> Records:
    """Return the paths of frames from endpoint 0 and from 1, and a row for what a parsed frame says."""
    rows = PATH.zeros(3)
    rows[0], rows[1] = make_path("10.0.0.1", "10.0.0.2")[0], make_path("10.0.0.2", "10.0.0.1")[0]
    return rows
