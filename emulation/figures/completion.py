"""How long the same work takes on several fabrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from emulation.figures.style import INK, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("fabric", "simulated_us", "bound_us")


@dataclass(frozen=True)
class Completion:
    """Time of a piece of work on one fabric, and the time below which it cannot get there."""

    fabric: str
    simulated_us: float
    bound_us: float | None


def draw_completion_times(axes: Axes, completions: Sequence[Completion]) -> Axes:
    """Draw one bar per fabric with the simulated time; a black line marks the lower bound where there is one."""
    names = [c.fabric for c in completions]
    colour = colours(names)
    axes.barh(names, [c.simulated_us for c in completions], height=0.5, color=[colour[n] for n in names])
    longest = max(c.simulated_us for c in completions)
    for k, c in enumerate(completions):
        label = f"{c.simulated_us:,.4g} µs"
        if c.bound_us is not None:
            axes.plot([c.bound_us] * 2, [k - 0.36, k + 0.36], color=INK, linewidth=2)
            label += f"\n{c.simulated_us / c.bound_us - 1:+.1%} over the bound"
        axes.text(c.simulated_us + longest * 0.012, k, label, va="center", weight="bold")
    axes.set_xlim(0, longest * 1.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("completion time [µs]   (black line: lower bound)")
    axes.grid(axis="y", visible=False)
    return axes


def completion_rows(completions: Sequence[Completion]) -> list[tuple[object, ...]]:
    """Return the rows of `COLUMNS`."""
    return [astuple(c) for c in completions]
