"""`Outcome`: how an optimization ended, the same for every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["optimal", "feasible", "infeasible", "unknown"]
"""optimal: proven within the tolerance; feasible: the best found before time was up or the user stopped it;
infeasible: proven to have no solution; unknown: stopped before anything was found or proven."""


@dataclass(frozen=True)
class Outcome:
    """`objective` is the value of the solution returned, `bound` proves that none is better; None if there is none.

    Whether better is less or more is the model's matter. `interrupted`: the user stopped it (Ctrl-C).
    """

    status: Status
    objective: float | None
    bound: float | None
    runtime_s: float
    interrupted: bool = False

    @property
    def gap(self) -> float | None:
        """|objective - bound| / |objective|; 0 if both are equal, None if one is unknown or the objective is 0."""
        if self.objective is None or self.bound is None:
            return None
        if self.objective == self.bound:
            return 0.0
        return abs(self.objective - self.bound) / abs(self.objective) if self.objective else None

    @property
    def solved(self) -> bool:
        """Whether there is a solution."""
        return self.objective is not None

    def as_dict(self) -> dict[str, Any]:
        """Return status, objective, bound, gap, runtime_s and interrupted as plain data."""
        return {
            "status": self.status, "objective": self.objective, "bound": self.bound, "gap": self.gap,
            "runtime_s": self.runtime_s, "interrupted": self.interrupted,
        }  # fmt: skip
