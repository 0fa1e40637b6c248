"""`uet tradeoff`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.base.units import format_usd
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.tradeoff import Tradeoff


@click.command()
@click.argument("spec", metavar="SPEC.yaml")
@shared("json", "out", "seed", "quiet", "force", "verbose")
def tradeoff(spec: str, as_json: bool, out: str | None, seed: int, quiet: bool, force: bool, verbose: bool) -> None:
    """Compare fabrics in bandwidth, cost, flexibility and resilience.

    Table, pictures and report.html go to a run folder, by default runs/NAME. See examples/.
    """
    import uet

    with working(quiet, verbose) as say:
        done = uet.tradeoff(spec, out, seed=seed, force=force, say=say)
    finish("tradeoff", done.as_dict(), as_json, seed)
    if not as_json:
        _print(done)


def _print(done: Tradeoff) -> None:
    head = (
        "system",
        "network",
        "published",
        "alltoall",
        "published",
        "allreduce",
        "published",
        "flexibility",
        "training",
    )
    for group in dict.fromkeys(row.group for row in done.rows):
        rows = [
            (
                r.name, format_usd(r.cost_usd), _shown(r.published["cost_musd"], "{} M$"), f"{r.alltoall:.1%}",
                _shown(r.published["alltoall"], "{:.1%}"), f"{r.allreduce:.1%}",
                _shown(r.published["allreduce"], "{:.1%}"), f"{r.flexibility:.1%}", f"{r.effective_training:.1%}",
            )
            for r in done.rows
            if r.group == group
        ]  # fmt: skip
        print_table(f"{done.title}: {group}", head, rows)
    print_facts("", {"took": f"{done.wall_s:,.1f} s", "report": done.folder and done.folder / "report.html"})


def _shown(value: object, form: str) -> str | None:
    return None if value is None else form.format(value)
