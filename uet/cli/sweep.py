"""`uet sweep`."""

from __future__ import annotations

from typing import Any

import click

from uet.base.errors import BadInput
from uet.base.units import format_usd
from uet.cli.options import shared
from uet.cli.output import finish, print_table, working


@click.command()
@click.argument("spec", metavar="SPEC.yaml")
@click.option("--vary", metavar="KEY=V1,V2,...", required=True, help="A key of SPEC.yaml and its values.")
@click.option("--jobs", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Local processes.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on the Dask cluster there instead (tcp://host:8786).")
@click.option("--out", metavar="DIR", required=True, help="Folder of the points; what is there is not done again.")
@shared("json", "seed", "quiet", "verbose")
def sweep(
    spec: str, vary: str, jobs: int, scheduler: str | None, out: str, as_json: bool, seed: int, quiet: bool,
    verbose: bool,
) -> None:  # fmt: skip
    """Design once for each of some budgets, sizes or demands.

    Points that the folder holds already are not done again, so an interrupted sweep goes on where it ended.
    """
    import uet

    key, equals, values = vary.partition("=")
    if not equals or not values:
        raise BadInput(f"--vary {vary}: write a key and its values, such as budget_usd=1e6,2e6")
    with working(quiet, verbose) as say:
        done = uet.sweep(
            spec, key.strip(), [v.strip() for v in values.split(",")], out, jobs=jobs, scheduler=scheduler, seed=seed,
            say=say,
        )  # fmt: skip
    if not as_json:
        print_table(f"{spec} over {key}", (key, "status", "cost", "alltoall Gb/s", "design"), map(_row, done.points))
    finish("sweep", done.as_dict(), as_json, seed)


def _row(point: Any) -> tuple[object, ...]:
    value, best = next(iter(point.values())), point["design"]
    if best is None:
        return value, point["status"], None, None, " and ".join(c["requirement"] for c in point["conflicts"])
    gbps = best["alltoall"]["gbps_per_accelerator"]
    return value, point["status"], format_usd(best["cost_usd"]), gbps and f"{gbps:,.1f}", best["spec"]
