"""`uet racks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from uet.base.errors import Interrupted, NoAnswer, UetError
from uet.base.units import format_usd
from uet.cli.options import catalogue_option, shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.racks import Racks

POSITIVE = click.FloatRange(0, min_open=True)
UNITS = {"racks": "racks", "rack_power_w": "W", "reach_m": "m"}


@click.command()
@click.argument("spec")
@catalogue_option
@click.option("--racks", "hall", metavar="FILE", help="Sizes of racks and hall: a .toml, .yaml or .json file.")
@click.option("--max-racks", metavar="N", type=click.IntRange(1), help="Racks in the hall [as many as are needed].")
@click.option("--rack-power-w", metavar="W", type=POSITIVE, help="What one rack feeds [no limit].")
@click.option("--accelerator-w", metavar="W", type=POSITIVE, help="What an accelerator draws [the catalogue's].")
@click.option("--time-limit", metavar="S", type=POSITIVE, default=60.0, show_default=True, help="Stop after S seconds.")
@shared("json", "out", "seed", "quiet", "force", "verbose")
def racks(
    spec: str, catalogue: str, hall: str | None, max_racks: int | None, rack_power_w: float | None,
    accelerator_w: float | None, time_limit: float, as_json: bool, out: str | None, seed: int, quiet: bool,
    force: bool, verbose: bool,
) -> None:  # fmt: skip
    """Place a fabric in racks so that its cables cost the least.

    Every accelerator, or chassis of them, and every switch of SPEC gets a rack and a height, each cable the
    cheapest part that reaches. The bound says what no placement can undercut; with --out come the lists of racks
    and cables and a certificate that 'uet verify' re-checks.
    """
    import uet
    from solvers.racks_problem import RackLimits
    from topologies.racks import read_racks

    limits = RackLimits(max_racks, rack_power_w, accelerator_w)
    with working(quiet, verbose) as say:
        done = uet.racks(
            spec, out, catalogue=catalogue, hall=read_racks(hall), limits=limits, time_limit_s=time_limit, seed=seed,
            force=force, say=say,
        )  # fmt: skip
    if not as_json:
        _print(done)
    finish("racks", done.as_dict(), as_json, seed, _problem(done))


def _problem(done: Racks) -> UetError | None:
    """Return the error that the command ends with, if any."""
    facts = done.facts
    if facts["interrupted"]:
        return Interrupted("interrupted; the best placement found by then is kept")
    if facts["status"] == "unknown":
        return NoAnswer("no placement was found that fits and in which every cable reaches; allow more racks or time")
    if facts["status"] != "infeasible":
        return None
    named = [f"{c['requirement']} of {c['asked']:,.6g}" for c in facts["conflicts"]]
    return NoAnswer(f"no placement keeps {' and '.join(named)}; {_remedy(facts['conflicts'])}")


def _remedy(conflicts: list[dict[str, Any]]) -> str:
    ways = [c for c in conflicts if c["possible"] is not None]
    if not ways:
        return "no change of a single one helps"
    way = next((c for c in ways if c["cheapest"]), ways[0])
    cost = "" if way["cost_usd"] is None else f", with cables for {format_usd(way['cost_usd'])}"
    return f"the least to give up: {way['possible']:,.6g} {UNITS[way['requirement']]}{cost}"


def _print(done: Racks) -> None:
    facts = done.facts
    if facts["cost_usd"] is None:
        rows = [(c["requirement"], c["asked"], c["possible"], c["cost_usd"]) for c in facts["conflicts"]]
        if rows:
            print_table("Limits that exclude each other", ("limit", "asked", "possible", "USD of cables"), rows)
        return
    head = ("part", "kind", "cables", "pieces", "USD each", "USD", "m")
    print_table(facts["spec"], head, [
        (c["part"], c["kind"], c["cables"], c["pieces"], c["unit_usd"], c["total_usd"], c["total_m"])
        for c in facts["cables"]
    ])  # fmt: skip
    before, saved = facts["cost_usd_before"], facts["saved_usd"]
    with_hosts = sum(bool(r["hosts"]) for r in facts["racks"])
    print_facts("", {
        facts["status"]: f"{format_usd(facts['cost_usd'])} of cables",
        "usual layout": "does not keep the limits" if before is None else
                        f"{format_usd(before)}; this one saves {saved / before if before else 0:.1%}",
        "bound": f"{format_usd(facts['bound_usd'])}, proven by {facts['proven_by']}",
        "gap": f"{facts['gap']:.2%}" if facts["gap"] else None,
        "racks": f"{len(facts['racks']):,} of {facts['hall_racks']:,} in use, {with_hosts:,} with accelerators",
        "longest cable": f"{facts['longest_m']:g} m",
        "took": f"{done.wall_s:,.1f} s",
        "folder": done.folder,
    })  # fmt: skip
