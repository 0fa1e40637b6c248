"""`uet design`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from uet.base.errors import Interrupted, NoAnswer, UetError
from uet.base.units import format_usd
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.design import Design


@click.command()
@click.argument("spec", metavar="SPEC.yaml")
@click.option("--time-limit", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Stop after S seconds.")
@shared("json", "out", "seed", "quiet", "force", "verbose")
def design(
    spec: str, time_limit: float | None, as_json: bool, out: str | None, seed: int, quiet: bool, force: bool,
    verbose: bool,
) -> None:  # fmt: skip
    """Find the cheapest fabric that carries a demand, or the best for a budget, and prove it.

    Runners-up, Pareto front and sensitivity to prices come with it; with --out also a report and a
    certificate that 'uet verify' re-checks. See examples/ and docs/design.md for SPEC.yaml.
    """
    import uet

    with working(quiet, verbose) as say:
        done = uet.design(spec, out, time_limit_s=time_limit, seed=seed, force=force, say=say)
    if not as_json:
        _print(done)
    finish("design", done.as_dict(), as_json, seed, _problem(done))


def _problem(done: Design) -> UetError | None:
    """Return the error that the command ends with, if any."""
    facts = done.facts
    if facts["interrupted"]:
        found = "the best design found by then is kept" if facts["design"] else "no design was certain by then"
        return Interrupted(f"interrupted; {found}, what was to follow is missing")
    if facts["status"] == "unknown":
        return NoAnswer("time was up before any design was certain; allow more with --time-limit")
    if facts["status"] != "infeasible":
        return None
    if not facts["candidates"]:
        return NoAnswer(
            "no allowed family has a member of this size and injection with parts of the catalogue; "
            "allow more families, another injection_gbps or another catalogue"
        )
    names = " and ".join(c["requirement"] for c in facts["conflicts"])
    return NoAnswer(f"no fabric meets {names} together; {_remedy(facts['conflicts'])}")


def _remedy(conflicts: list[dict[str, Any]]) -> str:
    first = conflicts[0]
    if first["possible"] is None:
        return "no relaxation of a single one helps"
    return (
        f"the least to give up: {first['requirement']} of {first['possible']:,.6g} {first['unit']} instead of "
        f"{first['needed']:,.6g}, from {format_usd(first['cost_usd'])} ({first['spec']})"
    )


def _print(done: Design) -> None:
    facts = done.facts
    best = facts["design"]
    if best is None:
        rows = [(c["requirement"], c["needed"], c["possible"], c["unit"], c["cost_usd"], c["spec"])
                for c in facts["conflicts"]]  # fmt: skip
        if rows:
            print_table("Requirements that exclude each other, and what is possible if the others stay",
                        ("requirement", "needed", "possible", "unit", "USD", "design"), rows)  # fmt: skip
        return
    _print_best(facts, best)
    shown = [best, *facts["runners_up"]]
    head = ("design", "cost", "per accelerator", "alltoall Gb/s", "allreduce Gb/s", "flexibility")
    print_table("The design and the best of each other kind", head, [_row(f) for f in shown])
    print_table("Pareto front in cost, alltoall bandwidth and flexibility", head, [_row(f) for f in facts["pareto"]])
    moved = [s for s in facts["sensitivity"] if s["changed"]]
    for s in moved:
        click.echo(f"with {s['kind']} at {s['factor']:g} times its price: {s['spec']}")
    print_facts("", {"took": f"{done.wall_s:,.1f} s", "report": done.folder and done.folder / "report.html"})


def _print_best(facts: dict[str, Any] | Any, best: dict[str, Any]) -> None:
    better = sum(facts["better_excluded"].values())
    print_facts(f"{facts['status']}: {best['spec']}", {
        "cost": f"{format_usd(best['cost_usd'])}, {format_usd(best['per_accelerator_usd'])} per accelerator",
        "power": None if best["power_w"] is None else f"{best['power_w'] / 1000:,.1f} kW",
        "alltoall": _gbps(best["alltoall"]),
        "allreduce": _gbps(best["allreduce"]),
        "traffic": best["traffic"] and f"{best['traffic']['lower']:.1%} of it carried ({best['traffic']['method']})",
        "limited by": best["limited_by"],
        "step times": ", ".join(f"{s['workload']} {s['total_s']:.3g} s" for s in best["steps"] if s["total_s"]) or None,
        "proof": f"{better:,} better of {facts['candidates']:,} candidates excluded by bounds; "
                 f"{facts['solved_exactly']:,} fabrics solved",
        "gap": f"{facts['gap']:.2%}" if facts["gap"] else None,
    })  # fmt: skip


def _gbps(found: dict[str, Any]) -> str:
    if found["gbps_per_accelerator"] is None:
        return "not looked at"
    return f"{found['gbps_per_accelerator']:,.1f} Gb/s per accelerator ({found['share']:.1%}; {found['method']})"


def _row(f: dict[str, Any]) -> tuple[object, ...]:
    certain = [f[pattern]["gbps_per_accelerator"] for pattern in ("alltoall", "allreduce")]
    flexible = None if f["flexibility"] is None else f"{f['flexibility']:.1%}"
    return (
        f["spec"], format_usd(f["cost_usd"]), format_usd(f["per_accelerator_usd"]),
        *(None if gbps is None else f"{gbps:,.1f}" for gbps in certain), flexible,
    )  # fmt: skip
