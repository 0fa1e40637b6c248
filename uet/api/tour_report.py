"""What a tour leaves to look at: tables, figures and one HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uet.base.units import format_bytes, format_time_ps, format_usd

if TYPE_CHECKING:
    from emulation.report import Report
    from uet.api.tour_spec import TourSpec
    from uet.api.touring import Stop, Tour
    from uet.base.runs import RunFolder


def write_report(folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    """Write summary.json, perf.json, the flow table, the figures and report.html of a tour."""
    summary, perf = _without_times(tour.as_dict())
    folder.write_json("summary.json", summary | {"folder": None})
    folder.write_json("perf.json", perf)
    _write_flows(folder, tour)
    _draw(folder, plan, tour)
    _write_page(folder, plan, tour)


def _without_times(document: Any) -> tuple[Any, Any]:
    """Split a document into what equal tours share and what differs between them."""
    from uet.api.work import PERFORMANCE

    if isinstance(document, list | tuple):
        pairs = [_without_times(item) for item in document]
        return [a for a, _ in pairs], [b for _, b in pairs]
    if not isinstance(document, dict):
        return document, None
    kept, times = {}, {}
    for key, value in document.items():
        if key in PERFORMANCE:
            times[key] = value
        else:
            kept[key], inner = _without_times(value)
            if inner:
                times[key] = inner
    return kept, times


def _write_flows(folder: RunFolder, tour: Tour) -> None:
    import numpy as np

    runs = [(s.name, s.fct_us) for s in tour.stops if s.fct_us is not None]
    if runs:
        names = [name for name, fct_us in runs for _ in range(len(fct_us))]
        folder.write_table("flows", {"fabric": names, "fct_us": np.concatenate([fct_us for _, fct_us in runs])})


def _draw(folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    from emulation.figures import completion, cost, fct
    from emulation.figures.style import house_axes, save

    stops = tour.stops
    _draw_fabrics(folder, plan)
    bills = {s.name: _cost_by_kind(s) for s in stops}
    with house_axes(height_in=1.7 + 0.55 * len(stops)) as (figure, axes):
        cost.draw_cost_breakdown(axes, bills).set_title(
            f"Switches and cables for {stops[0].topology['hosts']:,} accelerators"
        )
        save(figure, folder.path("figures/cost.png"), cost.BREAKDOWN_COLUMNS, cost.breakdown_rows(bills))
    times = [completion.Completion(s.name, s.collective["simulated_us"], s.collective["bound_us"]) for s in stops]
    with house_axes(height_in=1.5 + 0.6 * len(stops)) as (figure, axes):
        completion.draw_completion_times(axes, times).set_title(f"Allreduce, {_simulated_part(stops[0])}")
        save(figure, folder.path("figures/completion.png"), completion.COLUMNS, completion.completion_rows(times))
    points = [(s.name, s.cost["per_accelerator_usd"], s.collective["gbps_per_accelerator"]) for s in stops]
    with house_axes() as (figure, axes):
        cost.draw_bandwidth_cost(axes, points, "allreduce bandwidth per accelerator").set_title("What the money buys")
        save(figure, folder.path("figures/bandwidth_cost.png"), cost.SCATTER_COLUMNS, points)
    flows = {s.name: s.fct_us for s in stops if s.fct_us is not None}
    if flows and plan.permutation is not None:
        with house_axes() as (figure, axes):
            title = f"Random permutation, {format_bytes(plan.permutation.size)} per accelerator"
            fct.draw_fct_cdf(axes, flows).set_title(title)
            save(figure, folder.path("figures/permutation.png"), fct.COLUMNS, fct.fct_rows(flows))


def _draw_fabrics(folder: RunFolder, plan: TourSpec) -> None:
    from emulation.figures.fabric import draw_fabric
    from emulation.figures.style import house_axes
    from topologies.registry import build

    for k, entry in enumerate(plan.fabrics):
        with house_axes(9.0, 6.0) as (figure, axes):
            draw_fabric(axes, build(entry.spec)).set_title(f"{entry.name}, one plane")
            figure.savefig(folder.path(f"figures/fabric{k}.png"), dpi=100, metadata={"Software": None})


def _cost_by_kind(stop: Stop) -> dict[str, float]:
    names = {"switch": "switches", "dac": "copper", "aoc": "optical"}
    bill: dict[str, float] = {}
    for line in stop.cost["bom"]:
        name = names.get(line["kind"], line["kind"])
        bill[name] = bill.get(name, 0) + line["total_usd"]
    return bill


def _simulated_part(stop: Stop) -> str:
    c = stop.collective
    return f"first {c['simulated_steps']:,} of {c['steps']:,} steps" if c["extrapolated"] else f"{c['steps']:,} steps"


def _write_page(folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    from emulation.report import Report
    from uet.base.runs import versions

    page = Report(plan.title)
    if plan.about:
        page.paragraph(plan.about.strip())
    for write in (_page_design, _page_price, _page_collective, _page_permutation, _page_moved):
        write(page, folder, plan, tour)
    known = ", ".join(f"{name} {number}" for name, number in versions().items() if number)
    page.write(folder.path("report.html"), f"Made by uet ({known}). Numbers of every figure are in figures/*.csv.")


def _page_design(page: Report, folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    page.heading("Design")
    rows = []
    for stop in tour.stops:
        t = stop.topology
        cables = ", ".join(f"{n:,} {kind}" for kind, n in t["cables"].items())
        mean = t["avg_distance"]
        rows.append([stop.name, t["hosts"], t["planes"], t["switches"], cables, t["diameter"], mean])
    page.table(("fabric", "accelerators", "planes", "switches", "cables", "diameter", "mean distance"), rows)
    for k, stop in enumerate(tour.stops):
        page.picture(folder.path(f"figures/fabric{k}.png"), f"One plane of the {stop.name}")


def _page_price(page: Report, folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    page.heading("Price")
    rows = []
    for stop, entry in zip(tour.stops, plan.fabrics, strict=True):
        published = f"{format_usd(entry.published.cost_usd)} ({entry.published.source})" if entry.published else "-"
        bill = stop.cost
        power = "-" if bill["power_w"] is None else f"{bill['power_w'] / 1000:,.0f} kW"
        rows.append(
            [stop.name, format_usd(bill["cost_usd"]), format_usd(bill["per_accelerator_usd"]), power, published]
        )
    page.table(("fabric", "network", "per accelerator", "power", "must equal"), rows)
    page.picture(folder.path("figures/cost.png"), "Cost by kind of part")


def _page_collective(page: Report, folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    page.heading("Allreduce")
    wanted, first = plan.collective, tour.stops[0].collective
    page.paragraph(
        f"{wanted.about or 'The vector'}: {format_bytes(wanted.size)} per accelerator. One plane is simulated packet "
        f"by packet with its share of the bytes; all planes are alike. A constant window and oblivious spraying."
    )
    if first["extrapolated"]:
        page.paragraph(
            f"Simulated: the {_simulated_part(tour.stops[0])}, at full message size. The rest is not simulated: the "
            f"whole time assumes that the remaining steps take as long each as the second half of the simulated ones."
        )
    rows = []
    for stop in tour.stops:
        c = stop.collective
        rows.append([
            stop.name, c["algorithm"], f"{c['simulated_us']:,.1f} us", f"{c['bound_us']:,.1f} us",
            format_time_ps(round(c["whole_us"] * 1e6)), f"{c['gbps_per_accelerator']:,.0f} Gb/s",
            f"{c['fraction_of_peak']:.1%}", c["run"]["data_packets"], f"{c['run']['cpu_s']:.1f} s",
        ])  # fmt: skip
    page.table(
        ("fabric", "algorithm", "simulated", "bound", "whole", "bandwidth", "of the peak", "packets", "CPU"), rows
    )
    page.paragraph(
        "Bound: bytes a rank must send over its injection. Peak: half of the injection, as each byte goes twice."
    )
    page.picture(folder.path("figures/completion.png"), "Completion time of the simulated part and its lower bound")
    page.picture(folder.path("figures/bandwidth_cost.png"), "Allreduce bandwidth against cost per accelerator")


def _page_permutation(page: Report, folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    if plan.permutation is None:
        return
    page.heading("Random permutation")
    page.paragraph(
        f"Every accelerator sends {format_bytes(plan.permutation.size)} to a random other one, spread over all planes. "
        f"This is what a fabric with little global bandwidth is bad at; trimmed packets are sent again."
    )
    rows = []
    for stop in tour.stops:
        p = stop.permutation
        if p is not None:
            fct = p["fct_us"]
            rows.append([stop.name, fct["first"], fct["p50"], fct["p99"], fct["max"], p["data_packets"], p["trims"]])
    page.table(("fabric", "first [us]", "median [us]", "p99 [us]", "last [us]", "packets", "trimmed"), rows)
    page.picture(folder.path("figures/permutation.png"), "Distribution of flow completion times")


def _page_moved(page: Report, folder: RunFolder, plan: TourSpec, tour: Tour) -> None:
    page.heading("Real numbers")
    move = plan.move
    page.paragraph(
        f"The same algorithms on {move.ranks} ranks with {format_bytes(move.size)} of {move.dtype} each, moved by the "
        f"same transport engine over a network in memory that loses {move.drop:.1%}, doubles {move.duplicate:.1%} and "
        f"delays {move.reorder:.1%} of all packets. Cost model, simulator and carrier ran one schedule; the sum at "
        f"every rank equals numpy's."
    )
    rows = []
    for stop in tour.stops:
        m = stop.moved
        rows.append([stop.name, m["work"], m["steps"], m["bytes"], m["packets"], m["drops_injected"],
                     m["retransmissions"], m["checked_bytes"]])  # fmt: skip
    page.table(("fabric", "work", "steps", "bytes", "packets", "lost", "sent again", "bytes checked"), rows)
