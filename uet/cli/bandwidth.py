"""`uet bandwidth`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.bandwidth import BandwidthReport

_PATTERNS = ("alltoall", "allreduce", "permutation", "worst")


@click.command()
@click.argument("spec")
@click.option("--pattern", type=click.Choice(_PATTERNS), default="alltoall", show_default=True, help="Traffic.")
@click.option("--by-size", is_flag=True, help="Add the locality profile: jobs of every size, packed and scattered.")
@click.option(
    "--tolerance",
    metavar="X",
    type=click.FloatRange(1e-4, 1),
    default=0.01,
    show_default=True,
    help="Relative gap at which bounds are close enough, where an exact answer would take long.",
)
@click.option(
    "--effort",
    metavar="N",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Spend up to N times half a minute's work on bounds.",
)
@click.option("--plot", metavar="FILE", help="Draw the locality profile (.png, .svg, .pdf); implies --by-size.")
@shared("fail", "json", "seed", "quiet", "force", "verbose")
def bandwidth(
    spec: str, pattern: str, by_size: bool, tolerance: float, effort: int, plot: str | None, fail: str, as_json: bool,
    seed: int, quiet: bool, force: bool, verbose: bool,
) -> None:  # fmt: skip
    """Say what a traffic pattern gets per accelerator of a fabric, with certified bounds.

    alltoall, permutation (random) and worst (the farthest pairs) are maximum concurrent flows over optimal
    routes; allreduce is that of the best known algorithm, below the bound by cuts.
    """
    import uet
    from uet.api.fabrics import checked_target

    if plot is not None:
        checked_target(plot, (".png", ".svg", ".pdf"), force)
    with working(quiet, verbose) as say:
        if say:
            say(f"{pattern} on {spec}")
        report = uet.bandwidth(
            spec, pattern, by_size=by_size or plot is not None, fail=fail, seed=seed, tolerance=tolerance,
            effort=effort, say=say,
        )  # fmt: skip
    if plot is not None:
        uet.draw_profile([(report.whole.spec, report)], plot, force)
    finish("bandwidth", {**report.as_dict(), "plot": plot}, as_json, seed)
    if not as_json:
        _print(report)


def _print(report: BandwidthReport) -> None:
    found = report.whole
    peak = found.fraction_of_peak
    facts = {
        "bandwidth": f"{found.gbps_per_accelerator:,.1f} Gb/s per accelerator",
        "of injection": f"{found.fraction:.2%} of {found.injection_gbps:,.0f} Gb/s",
        "of the peak": None if peak is None else f"{peak:.2%}, the peak being half of the injection",
        "uncapped": f"{found.fraction_uncapped:.5f} injections",
        "bounds": f"{found.lower:.5f} to {found.upper:.5f}" + (", exact" if found.exact else ""),
        "method": found.method,
        "any traffic": None if found.any_traffic is None else f"at least {found.any_traffic:.2%} of injection",
        "distance bound": found.tub,
        "carried by": f"the {found.domain} links",
        "cut off": f"{found.cut_off:,} accelerators" if found.cut_off else None,
    }
    print_facts(f"{found.pattern} on {found.spec}", {k: v for k, v in facts.items() if v is not None})
    if report.profile is not None:
        columns = ("accelerators", "jobs", "packed Gb/s", "scattered Gb/s", "carried by", "packed: how it is known")
        rows = [
            (s.size, s.jobs, s.best.gbps_per_accelerator, s.worst.gbps_per_accelerator, s.best.domain, s.best.method)
            for s in report.profile
        ]
        print_table("Locality profile, per accelerator", columns, rows)
