"""`Bound`: a certified interval for a quantity, and how it was obtained."""

from __future__ import annotations

from dataclasses import dataclass

EXACT_GAP = 1e-6
"""Relative distance of lower and upper below which a value counts as exact."""


@dataclass(frozen=True)
class Bound:
    """The quantity lies in [lower, upper]; `method` says why, in words for the user."""

    lower: float
    upper: float
    method: str

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

    def scaled(self, factor: float) -> Bound:
        """Return the bound of the quantity times a positive factor."""
        return Bound(self.lower * factor, self.upper * factor, self.method)

    def capped(self, most: float) -> Bound:
        """Return the bound of min(quantity, most)."""
        return Bound(min(self.lower, most), min(self.upper, most), self.method)
