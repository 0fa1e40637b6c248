"""`uet place`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.base.errors import BadInput
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from topologies.flexibility import Flexibility
    from topologies.placement import PlacementReport

_MIXES = ("small", "mixed", "large", "odd")


@click.command()
@click.argument("spec")
@click.option("--jobs", metavar="FILE", help="Jobs of a CSV file: size, and if wanted name, arrival_h, duration_h.")
@click.option("--mix", type=click.Choice(_MIXES), help="Jobs that come and go, of sizes drawn from a mix.")
@click.option("--count", metavar="N", type=click.IntRange(1), default=1000, show_default=True, help="Jobs of the mix.")
@click.option(
    "--load",
    metavar="X",
    type=click.FloatRange(0, min_open=True),
    default=1.2,
    show_default=True,
    help="What the jobs of the mix ask for, over what there is.",
)
@click.option("--transpose/--no-transpose", default=True, help="Grids of boards: try shapes turned round too [yes].")
@click.option("--aspect/--no-aspect", default=True, help="Grids of boards: try other aspects too [yes].")
@click.option("--max-aspect", metavar="N", type=click.IntRange(1), default=8, show_default=True, help="Up to 1:N.")
@click.option("--locality/--no-locality", default=True, help="Grids of boards: prefer common leaf switches [yes].")
@click.option("--sort/--no-sort", default=True, help="Of the jobs that wait, the largest goes first [yes].")
@click.option(
    "--backfill",
    metavar="N",
    type=click.IntRange(0),
    default=16,
    show_default=True,
    help="Jobs that may pass one that does not fit.",
)
@shared("fail", "json", "seed", "quiet", "verbose")
def place(
    spec: str, jobs: str | None, mix: str | None, count: int, load: float, transpose: bool, aspect: bool,
    max_aspect: int, locality: bool, sort: bool, backfill: int, fail: str, as_json: bool, seed: int, quiet: bool,
    verbose: bool,
) -> None:  # fmt: skip
    """Put jobs on a fabric and say what bandwidth they get, and how well the machine is shared.

    Jobs of a file that all arrive at hour 0 are placed at once. Jobs with other arrivals, and those of a
    --mix, come and go: flexibility is the share of the accelerators wanted whose job gets at least 90 % of its
    isolated allreduce bandwidth.
    """
    import uet
    from topologies.allocators.base import PlacementOptions
    from topologies.jobs import read_jobs

    if (jobs is None) == (mix is None):
        raise BadInput("say which jobs: either --jobs FILE or --mix NAME")
    options = PlacementOptions(transpose, aspect, sort, locality, max_aspect, backfill)
    listed = None if jobs is None else read_jobs(jobs)
    with working(quiet, verbose):
        if listed is not None and all(job.arrival_h == 0 for job in listed):
            placed = uet.place(spec, listed, options, fail=fail, seed=seed)
            finish("place", placed.as_dict(), as_json, seed)
            if not as_json:
                _print_places(placed)
            return
        shared_by = uet.flexibility(spec, listed or mix or "", options, count=count, load=load, fail=fail, seed=seed)
    finish("place", shared_by.as_dict(), as_json, seed)
    if not as_json:
        _print_stream(shared_by)


def _print_places(placed: PlacementReport) -> None:
    rows = [
        (j.name, j.size, "x".join(map(str, j.shape)), j.hosts if j.placed else "no place", _percent(j.share))
        for j in placed.jobs
    ]
    columns = ("job", "accelerators", "shape", "hosts", "of its isolated bandwidth")
    print_table(f"Jobs on {placed.spec}", columns, rows)
    print_facts("", {
        "working": f"{placed.working:,} of {placed.accelerators:,} accelerators, {placed.asked:,} asked for",
        "in use": _percent(placed.utilisation),
        "flexibility": f"{placed.flexibility:.1%} of what was asked for gets at least 90 % of its bandwidth",
    })  # fmt: skip


def _print_stream(found: Flexibility) -> None:
    print_facts(f"{found.placements:,} of {found.jobs:,} jobs ({found.mix}) on {found.spec}", {
        "flexibility": f"{found.flexibility:.1%} of the accelerators wanted serve a job at 90 % of its bandwidth",
        "in use": f"{found.utilisation:.1%}, and more than {found.utilisation_p1:.1%} for 99 % of the time",
        "ideal": f"{found.ideal:.1%} in use if any free accelerators served any job",
        "working": f"{found.working:,} of {found.accelerators:,} accelerators",
        "mean wait": f"{found.mean_wait_h:.2f} h",
    })  # fmt: skip


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
