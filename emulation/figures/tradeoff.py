"""Bandwidth, cost, flexibility and resilience of many systems at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from emulation.figures.style import INK, QUIET, colours, short_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BARS = ("#33415C", "#0072B2", "#2F7F9E", "#B3560C", "#6A4C93")
"""Colours of the panels, dark enough for white numbers."""

COLUMNS = (
    "group", "system", "cost_usd_per_accelerator", "alltoall", "allreduce", "flexibility", "kept",
    "published_alltoall", "published_allreduce",
)  # fmt: skip

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    """One system; all but the cost are shares between 0 and 1, None where nothing is published.

    `kept` is the share of alltoall bandwidth that some failed parts leave.
    """

    group: str
    name: str
    cost_usd_per_accelerator: float
    alltoall: float
    allreduce: float
    flexibility: float
    kept: float
    published_alltoall: float | None
    published_allreduce: float | None


Value = Callable[[Point], float | None]


def _nothing(point: Point) -> None:
    """Stand for a value that nobody has published."""


def rows(points: Sequence[Point]) -> list[tuple[object, ...]]:
    """Return the rows of `COLUMNS`."""
    return [astuple(point) for point in points]


def draw_bubbles(axes: Axes, points: Sequence[Point]) -> Axes:
    """Draw cost against alltoall bandwidth, both logarithmic; the area of a dot grows with flexibility."""
    from matplotlib.ticker import LogLocator

    colour = colours([p.name for p in points])
    for p in points:
        size = 40 + 700 * max(p.flexibility - 0.5, 0.0) ** 1.5
        axes.scatter(
            p.cost_usd_per_accelerator, p.alltoall, s=size, color=colour[p.name], alpha=0.85, zorder=3,
            edgecolor="white", linewidth=1,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    costs = [p.cost_usd_per_accelerator for p in points]
    axes.set_xlim(min(costs) / 1.6, max(costs) * 2.4)
    axes.set_ylim(min(p.alltoall for p in points) / 1.5, 1.5)
    axes.xaxis.set_major_formatter(lambda x, _: short_usd(x))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(lambda value, _: "")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
    axes.set_xlabel("network cost per accelerator")
    axes.set_ylabel("alltoall, share of injection")
    axes.text(0.02, 0.02, "larger dot: more flexible", transform=axes.transAxes, color=QUIET, fontsize=8.5)
    _label(axes, points, colour)
    return axes


def _label(axes: Axes, points: Sequence[Point], colour: Mapping[str, str]) -> None:
    """Write names beside the dots, each at the side where it covers the least of what is written already."""
    axes.figure.canvas.draw()  # places the axes, so that distances on the page are known
    costs_and_shares = [(p.cost_usd_per_accelerator, p.alltoall) for p in points]
    places = axes.transData.transform(costs_and_shares) * 72 / axes.figure.dpi
    taken: list[Box] = [(x - 8, y - 8, x + 8, y + 8) for x, y in places.tolist()]
    for p, (x, y) in sorted(zip(points, places.tolist(), strict=True), key=lambda pair: -pair[1][1]):
        width = 5.3 * len(p.name)
        sides = [(11, 0, "left"), (-11, 0, "right"), (0, 15, "center"), (0, -15, "center")]
        boxes = [
            (x + dx - {"left": 0, "right": width, "center": width / 2}[ha], y + dy - 6,
             x + dx + {"left": width, "right": 0, "center": width / 2}[ha], y + dy + 6)
            for dx, dy, ha in sides
        ]  # fmt: skip
        best = min(range(len(sides)), key=lambda k: (sum(_overlap(boxes[k], box) for box in taken), k))
        dx, dy, ha = sides[best]
        taken.append(boxes[best])
        axes.annotate(
            p.name, (p.cost_usd_per_accelerator, p.alltoall), xytext=(dx, dy), textcoords="offset points", ha=ha,
            va="center", color=colour[p.name], fontsize=8.5, weight="bold",
        )  # fmt: skip


def _overlap(a: Box, b: Box) -> float:
    """Return the common area of two boxes (left, bottom, right, top)."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def draw_bars(panels: Sequence[Axes], points: Sequence[Point]) -> Sequence[Axes]:
    """Draw five panels of bars, one bar per system: cost, alltoall, allreduce, flexibility, what failures leave.

    A black line marks what is published.
    """
    kinds: tuple[tuple[str, Value, Value], ...] = (
        ("cost per accelerator", lambda p: p.cost_usd_per_accelerator, _nothing),
        ("alltoall", lambda p: p.alltoall, lambda p: p.published_alltoall),
        ("allreduce", lambda p: p.allreduce, lambda p: p.published_allreduce),
        ("flexibility", lambda p: p.flexibility, _nothing),
        ("alltoall kept, 10 parts down", lambda p: p.kept, _nothing),
    )
    for panel, colour, (title, value, published) in zip(panels, BARS, kinds, strict=True):
        names, widths = [p.name for p in points], [value(p) or 0.0 for p in points]
        panel.barh(names, widths, height=0.62, color=colour)
        money = title.startswith("cost")
        top = max(widths) if money else 1.0
        for k, p in enumerate(points):
            text = short_usd(widths[k]) if money else f"{widths[k]:.1%}"
            inside = widths[k] > 0.55 * top
            panel.text(
                widths[k] - 0.02 * top if inside else widths[k] + 0.03 * top, k, text, va="center",
                ha="right" if inside else "left", color="white" if inside else INK, fontsize=8.5, weight="bold",
            )  # fmt: skip
            mark = published(p)
            if mark is not None:
                panel.plot([mark, mark], [k - 0.4, k + 0.4], color=INK, linewidth=1.6)
        panel.set_xlim(0, top * 1.05)
        panel.set_ylim(len(points) - 0.4, -0.6)
        panel.set_title(title, fontsize=10)
        panel.set_xticks([])
        panel.grid(visible=False)
        panel.spines["bottom"].set_visible(False)
        if panel is not panels[0]:
            panel.tick_params(labelleft=False)
    return panels
