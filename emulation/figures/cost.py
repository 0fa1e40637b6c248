"""What fabrics cost and what the money buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from emulation.figures.style import INK, PARTS, QUIET, colours, short_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BREAKDOWN_COLUMNS = ("fabric", "part", "cost_usd")
SCATTER_COLUMNS = ("fabric", "cost_usd_per_accelerator", "gbps_per_accelerator")


def draw_cost_breakdown(axes: Axes, cost_usd: Mapping[str, Mapping[str, float]]) -> Axes:
    """Draw one bar per fabric, stacked by part in the order of first mention; totals stand at the end."""
    fabrics = list(cost_usd)
    parts = list(dict.fromkeys(part for bill in cost_usd.values() for part in bill))
    colour = colours(parts, PARTS)
    left = dict.fromkeys(fabrics, 0.0)
    for part in parts:
        widths = [cost_usd[f].get(part, 0.0) for f in fabrics]
        axes.barh(fabrics, widths, left=list(left.values()), height=0.55, color=colour[part], label=part)
        left = {f: left[f] + w for f, w in zip(fabrics, widths, strict=True)}
    top = max(left.values(), default=1.0)
    for k, fabric in enumerate(fabrics):
        axes.text(left[fabric] + top * 0.012, k, short_usd(left[fabric]), va="center", color=INK, weight="bold")
    axes.set_xlim(0, top * 1.16)
    axes.set_ylim(len(fabrics) - 0.4, -0.6)  # the first fabric on top
    axes.xaxis.set_major_formatter(lambda x, _: short_usd(x) if x else "0")
    axes.grid(axis="y", visible=False)
    axes.figure.legend(ncols=len(parts), loc="outside lower center", handlelength=0.9, handleheight=0.9)
    return axes


def breakdown_rows(cost_usd: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str, float]]:
    """Return the rows of `BREAKDOWN_COLUMNS`."""
    return [(fabric, part, amount) for fabric, bill in cost_usd.items() for part, amount in bill.items()]


def draw_bandwidth_cost(axes: Axes, points: Sequence[tuple[str, float, float]], bandwidth: str) -> Axes:
    """Draw fabrics as points: cost per accelerator against a bandwidth per accelerator.

    `points` are rows of `SCATTER_COLUMNS`; `bandwidth` names which bandwidth it is. The arrow shows
    where one would like to be.
    """
    colour = colours([name for name, _, _ in points])
    for name, usd, gbps in points:
        axes.scatter(usd, gbps, s=130, color=colour[name], zorder=3)
        axes.annotate(
            f"{name}\n{gbps:,.0f} Gb/s, {short_usd(usd)}", (usd, gbps), xytext=(0, -12),
            textcoords="offset points", color=colour[name], va="top", ha="center", weight="bold",
        )  # fmt: skip
    axes.set_xlim(0, max(usd for _, usd, _ in points) * 1.25)
    axes.set_ylim(0, max(gbps for _, _, gbps in points) * 1.3)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}")
    axes.set_xlabel("network cost per accelerator [USD]")
    axes.set_ylabel(f"{bandwidth} [Gb/s]")
    axes.annotate(
        "better", (0.015, 0.975), xytext=(0.075, 0.955), xycoords="axes fraction", textcoords="axes fraction",
        arrowprops={"arrowstyle": "->", "color": QUIET}, color=QUIET, va="center",
    )  # fmt: skip
    return axes
