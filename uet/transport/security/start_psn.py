"""Which start PSN a target of a secure domain accepts, so that packets of an old PDC never open a new one.

Two methods, by uet-ref-prov: `0-rtt` takes what is not below the PSN it expects, and moves that up when a
PDC closes; `1-rtt` lets nobody choose but itself. What is not accepted is answered NEW_START_PSN.
"""

from __future__ import annotations

from dataclasses import dataclass

from uet.base.errors import BadInput, nearest
from uet.base.rng import draw

METHODS = ("0-rtt", "1-rtt")

_HALF, _MASK = 1 << 31, 0xFFFFFFFF


@dataclass
class StartPsn:
    """The rule of one secure domain at a target; `challenges` counts the PSNs it chose itself."""

    method: str = "0-rtt"
    expected: int = 0
    seed: int = 1
    challenges: int = 0

    def __post_init__(self) -> None:
        """Raise BadInput for an unknown method."""
        if self.method not in METHODS:
            raise BadInput(f"no method is called '{self.method}'; {nearest(self.method, METHODS)}")

    def demand(self, start: int, challenged: int | None = None) -> int | None:
        """Return None if a new PDC may start at PSN `start`, else the start PSN to demand (NEW_START_PSN).

        `challenged` is what was demanded of this PDC before. PSNs compare modulo 2**32.
        """
        if challenged is not None:
            return None if start == challenged else challenged
        if self.method == "0-rtt":
            return None if (start - self.expected) & _MASK < _HALF else self.expected
        self.challenges += 1
        return int(draw(self.seed, 0, self.challenges)) & _MASK

    def closed(self, start: int) -> int:
        """Note that the PDC that started at `start` was closed; return the PSN expected now, for the closing ACK."""
        if (start + 1 - self.expected) & _MASK < _HALF:
            self.expected = (start + 1) & _MASK
        return self.expected
