"""Locality profiles: bandwidth against job size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emulation.figures.style import QUIET, colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = ("fabric", "size", "best_gbps_per_accelerator", "worst_gbps_per_accelerator")

Row = tuple[str, int, float, float]


def profile_rows(profiles: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> list[Row]:
    """Return the rows of `COLUMNS` for named profiles as `uet bandwidth --by-size` gives them."""
    return [
        (name, step["size"], step["best"]["gbps_per_accelerator"], step["worst"]["gbps_per_accelerator"])
        for name, steps in profiles
        for step in steps
    ]


def draw_profiles(axes: Axes, rows: Sequence[Row]) -> Axes:
    """Draw for each fabric what jobs get when packed (line) and when scattered (dashes), both axes logarithmic."""
    names = list(dict.fromkeys(name for name, *_ in rows))
    colour = colours(names)
    for name in names:
        size, best, worst = zip(*(row[1:] for row in rows if row[0] == name), strict=True)
        axes.plot(size, best, color=colour[name], marker="o", markersize=5, label=name)
        axes.plot(size, worst, color=colour[name], linestyle=(0, (3, 2)), linewidth=1.4)
        axes.fill_between(size, worst, best, color=colour[name], alpha=0.08, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("accelerators of a job")
    axes.set_ylabel("Gb/s per accelerator")
    axes.text(
        0.99, 0.98, "line: packed   dashes: scattered", transform=axes.transAxes, ha="right", va="top", color=QUIET
    )
    axes.figure.legend(ncols=3, loc="outside lower center")
    return axes
