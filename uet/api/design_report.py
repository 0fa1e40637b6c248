"""What a design leaves to look at: summary, tables, figures and one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from uet.base.units import format_usd

if TYPE_CHECKING:
    from emulation.report import Report
    from solvers.design.design import Answer
    from uet.base.runs import RunFolder

Facts = Mapping[str, Any]
MANY_HOSTS, PROFILE_HOSTS = 8_000, 40_000
"""Accelerators from which on the locality profile of the winner has fewer steps, and up to which it is found."""


def write_run(folder: RunFolder, answer: Answer, facts: Facts, say: Callable[[str], None] | None = None) -> Facts:
    """Write spec.yaml, summary.json, the certificate, the figures and report.html; return the facts.

    Ctrl-C leaves out the locality profile and is told in the facts.
    """
    from solvers.design.certificate import write_certificate

    folder.write_spec(answer.study.spec.model_dump(mode="json", exclude_unset=True))
    try:
        profile = _profile(answer, say)
    except KeyboardInterrupt:
        profile, facts = [], {**facts, "interrupted": True}
    folder.write_json("summary.json", {**facts, "profile": profile})
    write_certificate(folder.path("certificate.json"), answer)
    write_pages(folder, facts, profile)
    return facts


def _profile(answer: Answer, say: Callable[[str], None] | None) -> list[list[Any]]:
    """Return (fabric, size, packed and scattered Gb/s) of the winner's alltoall, by job size."""
    from solvers.design.study import SKETCH
    from solvers.locality import locality_profile, profile_sizes

    winner = answer.winner
    if winner is None or winner.hosts > PROFILE_HOSTS or answer.outcome.interrupted:
        return []
    fabric = answer.study.fabric(winner)
    sizes = profile_sizes(fabric, fabric.n_hosts)
    if fabric.n_hosts > MANY_HOSTS:
        sizes = sizes[::-2][::-1]  # every other one, the whole machine among them
    steps = locality_profile(fabric, "alltoall", None, sizes, answer.study.seed, SKETCH, say)
    return [[winner.spec, s.size, s.best.gbps_per_accelerator, s.worst.gbps_per_accelerator] for s in steps]


def write_pages(folder: RunFolder, facts: Facts, profile: list[list[Any]]) -> None:
    """Write figures and report.html from what summary.json holds."""
    from emulation.report import Report
    from uet.base.runs import versions

    page = Report(facts["title"] or f"Design {facts['name']}")
    _headline(page, facts)
    if facts["design"] is None:
        _conflicts(page, facts)
    else:
        _comparison(page, folder, facts)
        _trees(page, facts)
        _graphs(page, facts)
        _limits(page, facts)
        _steps(page, facts)
        if profile:
            draw(folder, "profile", facts, profile)
            page.heading("Locality")
            page.paragraph(
                "Alltoall bandwidth per accelerator for jobs of one size that fill the machine and all communicate "
                "at once: packed as closely as the fabric's allocator can, or scattered over the whole machine."
            )
            page.picture(folder.path("figures/profile.png"), "Alltoall bandwidth against job size")
        _prices(page, facts)
        _bill(page, facts["design"])
    _proof(page, facts)
    known = ", ".join(f"{name} {number}" for name, number in versions().items() if number)
    page.write(folder.path("report.html"), f"Made by uet ({known}). Numbers of every figure are in figures/*.csv.")


def draw(folder: RunFolder, kind: str, facts: Facts, profile: list[list[Any]]) -> None:
    """Draw one figure into the folder as PNG, SVG and CSV."""
    from emulation.figures.style import save
    from uet.api.design_figures import drawn

    with drawn(kind, facts, profile) as (figure, columns, rows):
        save(figure, folder.path(f"figures/{kind}.png"), columns, rows)
        figure.savefig(folder.path(f"figures/{kind}.svg"), metadata={"Date": None})


def _headline(page: Report, facts: Facts) -> None:
    best = facts["design"]
    if best is None:
        page.paragraph(f"Status: {facts['status']}. No fabric among {facts['candidates']:,} candidates fits.")
        return
    page.paragraph(
        f"{best['kind']}: {best['spec']}. {format_usd(best['cost_usd'])}, that is "
        f"{format_usd(best['per_accelerator_usd'])} per accelerator for {best['accelerators']:,} of them, with "
        f"{_gbps(best, 'alltoall')} Gb/s of alltoall and {_gbps(best, 'allreduce')} Gb/s of allreduce each. "
        f"Status: {facts['status']}."
    )
    if best["limited_by"]:
        tight = next(r for r in best["requirements"] if r["name"] == best["limited_by"])
        page.paragraph(
            f"What limits it: {tight['name']}, needed {tight['needed']:,.6g} {tight['unit']}, "
            f"reached {tight['value']:,.6g} ({tight['slack']:.1%} to spare)."
        )


def _comparison(page: Report, folder: RunFolder, facts: Facts) -> None:
    page.heading("The design and its rivals")
    shown = [facts["design"], *facts["runners_up"]]
    page.table(
        ("fabric", "network [USD]", "per accelerator [USD]", "power [kW]", "alltoall [Gb/s]", "allreduce [Gb/s]",
         "flexibility"), [_row(f) for f in shown],
    )  # fmt: skip
    draw(folder, "breakdown", facts, [])
    page.picture(folder.path("figures/breakdown.png"), "Cost by kind of part of the design and its rivals")
    if facts["points"]:
        draw(folder, "pareto", facts, [])
        page.picture(folder.path("figures/pareto.png"), "Cost, bandwidth and flexibility, and the Pareto front")
        page.paragraph(
            "Candidates that no cheaper one beats in alltoall bandwidth, thinned where there are many, and the "
            "designs above. Filled dots are on the Pareto front in cost, alltoall bandwidth and flexibility, the "
            "share of accelerators in use whose job gets 90 % of its isolated allreduce bandwidth, under a stream of "
            "jobs that ask for more than there is."
        )


def _row(f: Facts) -> list[object]:
    power = "-" if f["power_w"] is None else f"{f['power_w'] / 1000:,.0f}"
    flexible = "-" if f["flexibility"] is None else f"{f['flexibility']:.1%}"
    return [
        f["spec"], f"{f['cost_usd']:,.0f}", f"{f['per_accelerator_usd']:,.0f}", power,
        _gbps(f, "alltoall"), _gbps(f, "allreduce"), flexible,
    ]  # fmt: skip


def _gbps(f: Facts, pattern: str) -> str:
    """Return the certain bandwidth of a pattern, a dash where none is known."""
    known = f[pattern]["gbps_per_accelerator"]
    return "-" if known is None else f"{known:,.0f}"


def _trees(page: Report, facts: Facts) -> None:
    """Compare the sized trees, level by level."""
    if not facts["trees"]:
        return
    least = min(t["cost_usd"] for t in facts["trees"]) or 1.0
    page.heading("Trees of every height")
    page.paragraph(
        "The cheapest trees by number of levels and planes, all counts, parts and rates of the links between switches "
        "being free, and some of more bandwidth than is asked for."
    )
    page.table(
        ("levels", "planes", "tree", "switches", "network [USD]", "of the cheapest", "alltoall [Gb/s]",
         "meets everything"),
        [[t["levels"], t["planes"], t["spec"], t["switches"], f"{t['cost_usd']:,.0f}",
          f"{t['cost_usd'] / least:.2f} x", _gbps(t, "alltoall"),
          {True: "yes", False: "no", None: "not looked at"}[t["holds"]]] for t in facts["trees"]],
    )  # fmt: skip


def _graphs(page: Report, facts: Facts) -> None:
    """Tell how the searches over free-form graphs ended."""
    if not facts["free_form"]:
        return
    page.heading("Free-form fabrics")
    page.paragraph(
        "The best graph found for each number of switches that promised more than what was found before, and what no "
        "graph of so many switches can beat: the least cost, or the most of what was to be maximised."
    )
    page.table(
        ("switches", "accelerators each", "cables of a plane", "status", "found", "bound", "gap"),
        [[r["switches"], r["hosts_per_switch"], "-" if r["cables"] is None else r["cables"], r["status"],
          *("-" if r[k] is None else f"{r[k]:,.6g}" for k in ("objective", "bound")),
          "-" if r["gap"] is None else f"{r['gap']:.1%}"] for r in facts["free_form"]],
    )  # fmt: skip


def _limits(page: Report, facts: Facts) -> None:
    page.heading("What limits it")
    rows = [
        [r["name"], ("at least " if r["at_least"] else "at most ") + f"{r['needed']:,.6g} {r['unit']}",
         "-" if r["value"] is None else f"{r['value']:,.6g}", "-" if r["slack"] is None else f"{r['slack']:.1%}"]
        for r in facts["design"]["requirements"]
    ]  # fmt: skip
    page.table(("requirement", "needed", "certain", "to spare"), rows)
    notes = [[name, facts["design"][name]["method"]] for name in ("alltoall", "allreduce", "bisection")]
    page.table(("bandwidth", "how it is known"), notes)


def _steps(page: Report, facts: Facts) -> None:
    rows = [
        [f["spec"], s["workload"], *("-" if s[k] is None else f"{s[k]:.3g}" for k in (
            "compute_s", "bubble_s", "tensor_s", "expert_s", "pipeline_s", "data_s", "total_s"))]
        for f in [facts["design"], *facts["runners_up"]]
        for s in f["steps"]
    ]  # fmt: skip
    if rows:
        page.heading("Step time")
        page.paragraph(
            "Seconds of a training step by closed-form volumes over certain bandwidths; data: what is not hidden."
        )
        page.table(("fabric", "workload", "compute", "bubble", "tensor", "expert", "pipeline", "data", "total"), rows)


def _prices(page: Report, facts: Facts) -> None:
    if not facts["sensitivity"]:
        return
    page.heading("If prices were different")
    page.table(
        ("all parts of kind", "price", "choice", "its cost [USD]", "this design then [USD]"),
        [
            [s["kind"], f"x {s['factor']:g}", s["spec"] if s["changed"] else "the same", f"{s['cost_usd']:,.0f}",
             f"{s['kept_usd']:,.0f}"]
            for s in facts["sensitivity"]
        ],
    )  # fmt: skip


def _bill(page: Report, best: Facts) -> None:
    page.heading("Bill of materials")
    page.table(
        ("part", "kind", "count", "USD each", "USD", "W"),
        [[b["part"], b["kind"], b["count"], b["unit_usd"], f"{b['total_usd']:,.0f}",
          "-" if b["power_w"] is None else f"{b['power_w']:,.0f}"] for b in best["bom"]],
    )  # fmt: skip


def _conflicts(page: Report, facts: Facts) -> None:
    page.heading("Why nothing fits")
    page.paragraph("These requirements exclude each other. What is possible for one of them if all others stay:")
    page.table(
        ("requirement", "needed", "possible", "unit", "at [USD]", "design"),
        [
            [c["requirement"], f"{c['needed']:,.6g}", "-" if c["possible"] is None else f"{c['possible']:,.6g}",
             c["unit"], "-" if c["cost_usd"] is None else f"{c['cost_usd']:,.0f}", c["spec"] or "-"]
            for c in facts["conflicts"]
        ],
    )  # fmt: skip


def _proof(page: Report, facts: Facts) -> None:
    page.heading("Proof")
    better = sum(facts["better_excluded"].values())
    page.paragraph(
        f"{facts['candidates']:,} candidates; {better:,} would be better and fail a requirement by a certain bound; "
        f"{facts['solved_exactly']:,} fabrics were built and solved for. The certificate can be re-checked with "
        "'uet verify' and the folder of this page."
    )
    if better:
        page.table(("better candidates fail", "how many"), [[k, n] for k, n in facts["better_excluded"].items()])
    page.table(("family", "candidates"), [[k, n] for k, n in facts["candidates_by_family"].items() if n])
