"""`uet tour`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.base.units import format_time_ps, format_usd
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.touring import Tour


@click.command()
@click.argument("spec", metavar="SPEC.yaml")
@shared("json", "out", "seed", "quiet", "force", "verbose", "dry-run")
def tour(
    spec: str, as_json: bool, out: str | None, seed: int, quiet: bool, force: bool, verbose: bool, dry_run: bool
) -> None:
    """Design, price, simulate, move and report one specification.

    Results, pictures and report.html go to a run folder, by default runs/NAME. See examples/.
    """
    import uet

    if dry_run:
        plan = uet.plan_tour(spec)
        finish("tour.plan", plan.model_dump(mode="json"), as_json, seed)
        if not as_json:
            print_facts(plan.title, {f.name: f"{f.spec}, allreduce by {f.algorithm}" for f in plan.fabrics})
        return
    with working(quiet, verbose) as say:
        done = uet.tour(spec, out, seed=seed, force=force, say=say)
    finish("tour", done.as_dict(), as_json, seed)
    if not as_json:
        _print(done)


def _print(done: Tour) -> None:
    rows = []
    for stop in done.stops:
        c, p = stop.collective, stop.permutation
        rows.append((
            stop.name, stop.topology["switches"], format_usd(stop.cost["cost_usd"]),
            f"{c['gbps_per_accelerator']:,.0f} Gb/s ({c['fraction_of_peak']:.0%})",
            format_time_ps(round(c["whole_us"] * 1e6)) + (" extrapolated" if c["extrapolated"] else ""),
            None if p is None else f"{p['fct_us']['p99']:,.1f} us", stop.moved["checked_bytes"],
        ))  # fmt: skip
    head = ("fabric", "switches", "network", "allreduce (of peak)", "whole", "permutation p99", "bytes checked")
    print_table(done.title, head, rows)
    print_facts("", {"took": f"{done.wall_s:,.1f} s", "report": done.folder and done.folder / "report.html"})
