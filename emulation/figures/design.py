"""Candidates of a design in cost, bandwidth and flexibility, with their Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulation.figures.style import INK, QUIET, colours, short_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("spec", "family", "cost_usd_per_accelerator", "alltoall_gbps", "flexibility", "on_front", "chosen")
PLAIN = 0.6
"""Flexibility whose dot is drawn where none is known."""


@dataclass(frozen=True)
class Point:
    """One candidate; `flexibility` is None where it was not measured."""

    spec: str
    family: str
    cost_usd_per_accelerator: float
    alltoall_gbps: float
    flexibility: float | None
    on_front: bool
    chosen: bool


def draw_front(axes: Axes, points: Sequence[Point]) -> Axes:
    """Draw cost against alltoall bandwidth per accelerator, both logarithmic.

    Colour is the family, size grows with flexibility; dots on the front are filled, the chosen one has a ring.
    """
    from matplotlib.ticker import LogLocator

    families = list(dict.fromkeys(p.family for p in points))
    colour = colours(families)
    for p in points:
        size = 40 + 380 * max((PLAIN if p.flexibility is None else p.flexibility) - 0.2, 0.0) ** 1.5
        face = colour[p.family] if p.on_front else "white"
        axes.scatter(
            p.cost_usd_per_accelerator, p.alltoall_gbps, s=size, facecolor=face, edgecolor=colour[p.family],
            linewidth=1.4, alpha=0.85, zorder=3,
        )  # fmt: skip
        if p.chosen:
            axes.scatter(
                p.cost_usd_per_accelerator, p.alltoall_gbps, s=size * 2.6 + 60, facecolor="none", edgecolor=INK,
                linewidth=1.6, zorder=4,
            )  # fmt: skip
            axes.annotate(
                "the design", (p.cost_usd_per_accelerator, p.alltoall_gbps), xytext=(0, 20),
                textcoords="offset points", ha="center", color=INK, weight="bold",
            )  # fmt: skip
    stairs = sorted((p.cost_usd_per_accelerator, p.alltoall_gbps) for p in points if p.on_front)
    highest: list[tuple[float, float]] = []
    for step in stairs:
        if not highest or step[1] > highest[-1][1]:
            highest.append(step)
    axes.step(*zip(*highest, strict=True), where="post", color=QUIET, linewidth=1.2, zorder=2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    usd = [p.cost_usd_per_accelerator for p in points]
    axes.set_xlim(min(usd) / 1.5, max(usd) * 1.5)
    gbps_ = [p.alltoall_gbps for p in points]
    axes.set_ylim(min(gbps_) / 1.6, max(gbps_) * 2)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(lambda value, _: "")
    axes.xaxis.set_major_formatter(lambda x, _: short_usd(x))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}")
    axes.set_xlabel("network cost per accelerator")
    axes.set_ylabel("alltoall [Gb/s per accelerator]")
    axes.text(
        0.99, 0.02, "larger: more flexible   filled: on the front", transform=axes.transAxes, ha="right",
        color=QUIET, fontsize=8.5,
    )  # fmt: skip
    handles = [axes.scatter([], [], s=70, color=colour[f], label=f) for f in families]
    axes.figure.legend(handles=handles, ncols=min(5, len(families)), loc="outside lower center")
    return axes
