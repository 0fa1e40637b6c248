"""`Bound`: a certified interval for a quantity, and how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from numpy import float64
from numpy.typing import NDArray

EXACT_GAP = 1e-6
"""Relative distance of lower and upper below which a value counts as exact."""


@dataclass(frozen=True, eq=False)
class Proof:
    """What certifies a concurrent flow's bounds to somebody who does not solve for it.

    `lengths` [classes] of the arcs give the upper bound. Routing r is shortest-path trees under `routings` [r,
    classes]; mixed for source s with `weights` [r, s] they are the flow of the lower bound. None: not kept.
    """

    lengths: NDArray[float64]
    routings: NDArray[float64] | None = None
    weights: NDArray[float64] | None = None


@dataclass(frozen=True)
class Bound:
    """The quantity lies in [lower, upper]; `method` says why, in words for the user, `proof` to a machine."""

    lower: float
    upper: float
    method: str
    proof: Proof | None = field(default=None, compare=False, repr=False)

    @property
    def gap(self) -> float:
        """(upper - lower) / lower; 0 if both are zero or infinite."""
        if self.upper == self.lower:
            return 0.0
        return (self.upper - self.lower) / self.lower if self.lower > 0 else float("inf")

    @property
    def exact(self) -> bool:
        """Whether the interval is a point up to rounding."""
        return self.gap <= EXACT_GAP

    def capped(self, most: float) -> Bound:
        """Return the bound of min(quantity, most)."""
        return replace(self, lower=min(self.lower, most), upper=min(self.upper, most))
