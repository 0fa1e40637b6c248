"""`uet workload show`."""

from __future__ import annotations

import click

from uet.base.units import format_bytes
from uet.cli.options import shared
from uet.cli.output import finish, print_facts


@click.group()
def workload() -> None:
    """Collectives and traffic patterns as schedules."""


@workload.command()
@click.argument("work")
@click.option("--ranks", metavar="N", type=click.IntRange(1), required=True, help="Ranks at hand.")
@shared("json", "seed", "verbose")
def show(work: str, ranks: int, as_json: bool, seed: int, verbose: bool) -> None:
    """Show the operations, steps and bytes of WORK on a number of ranks."""
    import uet

    found = uet.show_workload(work, ranks, seed)
    finish("workload.show", found.as_dict(), as_json, seed)
    if as_json:
        return
    print_facts(f"{found.name} on {found.ranks:,} ranks", {
        "operations": ", ".join(f"{n:,} {name}" for name, n in found.operations.items() if n),
        "steps": found.steps,
        "messages": f"{found.messages:,} between {found.pairs:,} pairs",
        "bytes": f"{found.total_bytes:,} in all",
        "most sent": f"{format_bytes(found.max_bytes_sent)} by a rank",
        "most received": f"{format_bytes(found.max_bytes_received)} by a rank",
        "reduced": format_bytes(found.bytes_reduced),
        "buffers": f"{format_bytes(found.data_bytes)} and {format_bytes(found.scratch_bytes)} of scratch per rank",
        "elements": found.dtype,
    })  # fmt: skip
