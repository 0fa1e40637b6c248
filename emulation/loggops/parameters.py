"""The LogGOPS parameters."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from uet.base.errors import BadInput, nearest
from uet.base.units import PS_PER_NS


@dataclass(frozen=True)
class LogGOPS:
    """Parameters of the model (Hoefler, Schneider, Lumsdaine 2010, LogGOPSim, section 2.1).

    Latency, processor overhead and gap per message, gap and overhead per byte after the first; messages
    of more than `eager_bytes` (S) are sent by rendezvous. The defaults are those of LogGOPSim.
    """

    latency_ps: int = 2_500 * PS_PER_NS
    overhead_ps: int = 1_500 * PS_PER_NS
    gap_ps: int = 1_000 * PS_PER_NS
    gap_ps_per_byte: int = 6 * PS_PER_NS
    overhead_ps_per_byte: int = 0
    eager_bytes: int = 65_535

    def as_ns(self) -> dict[str, float]:
        """Return the parameters by their letters, times in nanoseconds, S in bytes."""
        return {letter: getattr(self, name) / (1 if letter == "S" else PS_PER_NS) for letter, name in _FIELDS.items()}


_FIELDS = {
    "L": "latency_ps", "o": "overhead_ps", "g": "gap_ps", "G": "gap_ps_per_byte", "O": "overhead_ps_per_byte",
    "S": "eager_bytes",
}  # fmt: skip


def parse_loggops(text: str) -> LogGOPS:
    """Return the parameters of 'L=2500,o=1500,g=1000,G=6,O=0,S=65535': nanoseconds, S in bytes.

    Those left out keep their defaults. Raises BadInput for unknown names and for numbers that are
    negative or not a whole number of picoseconds.
    """
    values: dict[str, int] = {}
    for pair in filter(None, text.split(",")):
        name, _, number = pair.partition("=")
        if name not in _FIELDS:
            raise BadInput(f"unknown LogGOPS parameter '{name}'; {nearest(name, _FIELDS)}")
        try:
            value = Decimal(number) * (1 if name == "S" else PS_PER_NS)
        except InvalidOperation:
            raise BadInput(f"LogGOPS parameter {name}='{number}' is not a number; write e.g. {name}=1000") from None
        if not 0 <= value < 2**62 or value != int(value):
            unit = "bytes" if name == "S" else "nanoseconds with at most three decimals"
            raise BadInput(f"LogGOPS parameter {name}={number} must be a non-negative number of {unit}")
        values[_FIELDS[name]] = int(value)
    return LogGOPS(**values)
