"""What a trade-off leaves to look at: tables, figures and one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulation.figures.tradeoff import Point
    from uet.api.tradeoff import Row, Tradeoff
    from uet.api.tradeoff_spec import TradeoffSpec
    from uet.base.runs import RunFolder


def write_report(folder: RunFolder, plan: TradeoffSpec, done: Tradeoff) -> None:
    """Write summary.json, perf.json, the figures and report.html."""
    document = done.as_dict()
    folder.write_json("summary.json", {k: v for k, v in document.items() if k not in ("folder", "wall_s")})
    folder.write_json("perf.json", {"wall_s": done.wall_s})
    _draw(folder, done)
    _write_page(folder, plan, done)


def groups(done: Tradeoff) -> dict[str, list[Row]]:
    """Return the rows by group, in order of first mention."""
    found: dict[str, list[Row]] = {}
    for row in done.rows:
        found.setdefault(row.group, []).append(row)
    return found


def _draw(folder: RunFolder, done: Tradeoff) -> None:
    from emulation.figures import profile, tradeoff
    from emulation.figures.style import house_axes, house_grid, save

    points = [_point(row) for row in done.rows]
    names = list(groups(done))
    with house_grid(len(names), width_in=5.6 * len(names), height_in=4.6) as (figure, axes):
        for name, panel in zip(names, axes, strict=True):
            tradeoff.draw_bubbles(panel, [p for p in points if p.group == name]).set_title(name)
        save(figure, folder.path("figures/tradeoff.png"), tradeoff.COLUMNS, tradeoff.rows(points))
    for k, name in enumerate(names):
        mine = [p for p in points if p.group == name]
        with house_grid(5, width_in=13, height_in=1.4 + 0.42 * len(mine)) as (figure, axes):
            tradeoff.draw_bars(axes, mine)
            save(figure, folder.path(f"figures/bars{k}.png"), tradeoff.COLUMNS, tradeoff.rows(mine))
    steps = [(row.name, size, best, worst) for row in done.rows for size, best, worst in row.profile]
    if steps:
        with house_axes(height_in=4.6) as (figure, panel):
            profile.draw_profiles(panel, steps).set_title("Alltoall bandwidth against job size")
            save(figure, folder.path("figures/locality.png"), profile.COLUMNS, steps)


def _point(row: Row) -> Point:
    from emulation.figures.tradeoff import Point

    return Point(
        row.group, row.name, row.per_accelerator_usd, row.alltoall, row.allreduce, row.flexibility,
        row.degraded, row.published["alltoall"], row.published["allreduce"],
    )  # fmt: skip


def _write_page(folder: RunFolder, plan: TradeoffSpec, done: Tradeoff) -> None:
    from emulation.report import Report
    from uet.base.runs import versions

    page = Report(plan.title)
    if plan.about:
        page.paragraph(plan.about.strip())
    if plan.source:
        page.paragraph(f"Published figures: {plan.source.strip()}")
    page.picture(folder.path("figures/tradeoff.png"), "Cost against alltoall bandwidth; large dots are flexible")
    for k, (name, rows) in enumerate(groups(done).items()):
        page.heading(name)
        page.picture(folder.path(f"figures/bars{k}.png"), f"Cost, bandwidth, flexibility and resilience, {name}")
        page.table(
            ("system", "accelerators", "network [USD]", "printed [M$]", "diameter", "printed", "alltoall", "printed",
             "allreduce", "printed"), [_network(row) for row in rows],
        )  # fmt: skip
        page.table(
            (
                "system",
                "flexibility",
                "interruptions in 30 days",
                "by the network",
                "effective training",
                "alltoall kept, 10 parts down",
            ),
            [_service(row) for row in rows],
        )
    page.heading("How to read it")
    for text in _LEGEND:
        page.paragraph(text)
    notes = [[f"{row.name}, {row.group}", row.alltoall_method, row.published["why"]] for row in done.rows]
    page.table(("system", "how alltoall is known", "why it differs from what is published"), notes)
    if any(row.profile for row in done.rows):
        page.heading("Locality")
        page.paragraph(
            "Bandwidth per accelerator for jobs of one size that fill the machine and all communicate at once: "
            "packed as closely as the fabric's allocator can, or scattered over the whole machine."
        )
        page.picture(folder.path("figures/locality.png"), "Alltoall bandwidth against job size")
    known = ", ".join(f"{name} {number}" for name, number in versions().items() if number)
    page.write(folder.path("report.html"), f"Made by uet ({known}). Numbers of every figure are in figures/*.csv.")


_LEGEND = (
    "Alltoall is the exact maximum concurrent flow over all routes, as a share of the injection, or two bounds "
    "that enclose it; more than 100 % is cut off. Published figures are packet simulations, so they include "
    "what routing and flow control lose.",
    "Allreduce is that of the best known algorithm for long vectors, as a share of half the injection; published "
    "figures include start-up latencies.",
    "Flexibility is the share of accelerators in use whose job gets at least 90 % of the allreduce bandwidth it "
    "would have alone, under a stream of jobs that ask for more than there is. Effective training is the share of "
    "time that failures, restarts and checkpoints leave to one job on the whole machine; alltoall kept is what ten "
    "failed parts of the network leave of its bandwidth in 99 of 100 trials, bounded by cuts.",
)


def _network(row: Row) -> list[object]:
    p = row.published
    alltoall = f"{row.alltoall:.2%}"
    if row.alltoall_upper > row.alltoall * 1.0005:
        alltoall = f"{row.alltoall:.1%} to {row.alltoall_upper:.1%}"
    return [
        row.name, row.accelerators, f"{row.cost_usd:,.0f}", _or_dash(p["cost_musd"], "{}"), row.diameter or "-",
        _or_dash(p["diameter"], "{}"), alltoall, _or_dash(p["alltoall"], "{:.1%}"), f"{row.allreduce:.1%}",
        _or_dash(p["allreduce"], "{:.1%}"),
    ]  # fmt: skip


def _service(row: Row) -> list[object]:
    return [
        row.name, f"{row.flexibility:.1%}", f"{row.interruptions_per_30_days:.1f}", f"{row.network_share:.1%}",
        f"{row.effective_training:.1%}", f"{row.degraded:.1%}",
    ]  # fmt: skip


def _or_dash(value: object, form: str) -> str:
    return "-" if value is None else form.format(value)
