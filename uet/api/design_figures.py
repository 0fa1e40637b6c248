"""The figures of a design, from what its summary holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("pareto", "breakdown", "profile")
Drawn = tuple["Figure", Sequence[str], Sequence[Sequence[object]]]


@contextmanager
def drawn(kind: str, facts: Mapping[str, Any], profile: list[list[Any]]) -> Iterator[Drawn]:
    """Give the figure of a kind, and the columns and rows of its numbers."""
    makers = {"pareto": _pareto, "breakdown": _breakdown, "profile": _profile}
    with makers[kind](facts, profile) as found:
        yield found


@contextmanager
def _pareto(facts: Mapping[str, Any], _: list[list[Any]]) -> Iterator[Drawn]:
    from emulation.figures.design import COLUMNS, Point, draw_front
    from emulation.figures.style import house_axes

    front = {f["spec"] for f in facts["pareto"]}
    best = facts["design"]["spec"]
    points = [
        Point(
            f["spec"], f["family"], f["per_accelerator_usd"], f["alltoall"]["gbps_per_accelerator"], f["flexibility"],
            f["spec"] in front, f["spec"] == best,
        )
        for f in facts["points"]
        if f["alltoall"]["gbps_per_accelerator"] is not None
    ]  # fmt: skip
    with house_axes(8.4, 5.2) as (figure, axes):
        draw_front(axes, points).set_title("Cost against alltoall bandwidth")
        yield figure, COLUMNS, [tuple(p.__dict__.values()) for p in points]


@contextmanager
def _breakdown(facts: Mapping[str, Any], _: list[list[Any]]) -> Iterator[Drawn]:
    from emulation.figures.cost import BREAKDOWN_COLUMNS, breakdown_rows, draw_cost_breakdown
    from emulation.figures.style import house_axes

    cost: dict[str, dict[str, float]] = {}
    for f in [facts["design"], *facts["runners_up"]]:
        parts: dict[str, float] = {}
        for row in f["bom"]:
            parts[row["kind"]] = parts.get(row["kind"], 0.0) + row["total_usd"]
        cost[f["kind"]] = parts
    with house_axes(8.4, 1.6 + 0.5 * len(cost)) as (figure, axes):
        draw_cost_breakdown(axes, cost).set_title("What the money buys, by kind of part")
        yield figure, BREAKDOWN_COLUMNS, breakdown_rows(cost)


@contextmanager
def _profile(facts: Mapping[str, Any], profile: list[list[Any]]) -> Iterator[Drawn]:
    from emulation.figures.profile import COLUMNS, draw_profiles
    from emulation.figures.style import house_axes

    rows = [(str(name), int(size), float(best), float(worst)) for name, size, best, worst in profile]
    with house_axes(7.6, 4.4) as (figure, axes):
        draw_profiles(axes, rows).set_title("Alltoall bandwidth against job size")
        yield figure, COLUMNS, rows
