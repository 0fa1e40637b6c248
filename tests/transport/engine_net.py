"""Endpoints of one engine in virtual time: a test decides the fate of every packet by a function of its record."""

from collections.abc import Callable
from typing import Any

from uet.transport.engine import Capacity, Engine, pairwise
from uet.transport.plugins import balancer_address, controller_address
from uet.transport.record import Net, PdsType
from uet.transport.settings import chosen, delay_targets, fill
from uet.transport.slots import free_slot
from uet.transport.timers import NEVER

LATENCY_PS = 1_000_000
RTO_US = 20.0


def settings_for(profile: str = "uet-1.0", **overrides: float) -> Any:
    """Return a settings row; keys are written with `__` for the dot."""
    settled = chosen(profile, {key.replace("__", ".", 1): value for key, value in overrides.items()})
    base = {
        "cc.base_rtt_us": 2.0,
        "cc.line_gbps": 400.0,
        "cc.window_bytes": 64 * 4222.0,
        "rto.init_us": RTO_US,
        "rccc.max_bytes": 64 * 4222.0,
    }
    values = {**base, **delay_targets(settled, 2.0, True), **settled}
    return fill(values, 1, controller_address("constant"), balancer_address("oblivious"))


class Net2:
    """Two endpoints (or more) and the packets between them, each `LATENCY_PS` under way."""

    def __init__(self, pairs=((0, 1),), messages: int = 64, capacity: Capacity | None = None, **overrides: float):
        n = 1 + max(max(p) for p in pairs)
        self.n = n
        self.engine = Engine(settings_for(**overrides), capacity or pairwise(n, list(pairs), messages, 2048))
        self.now = 0
        self.flight: list[tuple[int, int]] = []
        self.done: list[tuple[int, int, int]] = []
        self.seen: list[str] = []

    def record(self, slot: int) -> Any:
        """Return the packet record in a slot."""
        return self.engine.table("packet")[slot]

    def pump(self, fate: Callable[[Any], Any] | None = None) -> None:
        """Let all endpoints send; `fate(record)` returns a true value for a packet that is lost, 'twice' or 'trim'."""
        for endpoint in range(self.n):
            while (slot := self.engine.next_packet(endpoint, self.now)) is not None:
                packet = self.record(slot)
                self.seen.append(name(packet))
                what = fate(packet) if fate else None
                if not isinstance(what, str) and what:
                    free_slot(self.engine.world.handle, slot)
                    continue
                if what == "trim":
                    packet["net"] |= Net.TRIMMED | Net.CONTROL
                self.flight.append((self.now + LATENCY_PS, slot))
                if what == "twice":
                    self.flight.append((self.now + LATENCY_PS, self.copy(slot)))

    def copy(self, slot: int) -> int:
        """Return the slot of a copy of a packet."""
        from uet.transport.slots import take_slot

        twin = int(take_slot(self.engine.world.handle))
        self.engine.table("packet")[twin] = self.record(slot)
        return twin

    def inject(self, like: Any, **fields: int) -> None:
        """Put a copy of a record under way, with some fields changed."""
        from uet.transport.slots import take_slot

        slot = int(take_slot(self.engine.world.handle))
        self.engine.table("packet")[slot] = like
        for field, value in fields.items():
            self.engine.table("packet")[field][slot] = value
        self.flight.append((self.now + LATENCY_PS, slot))

    def step(self, fate: Callable[[Any], Any] | None = None) -> bool:
        """Send, then deliver the next packet or serve the next timer; False if there is neither."""
        self.pump(fate)
        due, timer = (self.flight[0][0] if self.flight else NEVER), self.engine.next_timer()
        if min(due, timer) >= NEVER:
            return False
        self.now = max(self.now, min(due, timer))
        if timer < due:
            self.engine.on_timer(self.now)
        else:
            self.engine.receive(self.flight.pop(0)[1], self.now)
        self.done += [(int(c["kind"]), int(c["endpoint"]), int(c["handle"])) for c in self.engine.completions()]
        return True

    def run(self, fate: Callable[[Any], Any] | None = None, steps: int = 5000) -> "Net2":
        """Go on until nothing is left to happen. Raises AssertionError if that takes too many steps."""
        for _ in range(steps):
            if not self.step(fate):
                return self
        raise AssertionError(f"still busy after {steps} steps")

    def pdc(self, row: int) -> Any:
        """Return a PDC row."""
        return self.engine.table("pdc")[row]


def name(packet: Any) -> str:
    """Return a packet's type, with the control type or NACK code."""
    kind = PdsType(int(packet["pds_type"]))
    if kind == PdsType.CP:
        return f"CP {int(packet['next_hdr'])}"
    if kind == PdsType.NACK:
        return f"NACK {int(packet['code']):#x}"
    return kind.name


def nth(kind: str, which: int, what: Any = True) -> Callable[[Any], Any]:
    """Return a fate that befalls the packet number `which` (from 0) of a kind only."""
    count = -1

    def fate(packet: Any) -> Any:
        nonlocal count
        if name(packet) == kind:
            count += 1
            if count == which:
                return what
        return None

    return fate
