"""`uet workload import|record`: recorded jobs."""

from __future__ import annotations

from typing import Any

import click

from uet.base.units import format_bytes
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working


@click.command("import")
@click.argument("trace")
@click.option("--groups", metavar="FILE", help="JSON of group names and their ranks, for Chakra traces.")
@click.option("--out", metavar="FILE", help="Write the job as a schedule too: .goal (text) or .bin.")
@shared("json", "quiet", "force", "verbose")
def import_trace(
    trace: str, groups: str | None, out: str | None, as_json: bool, quiet: bool, force: bool, verbose: bool
) -> None:
    """Say what a recorded job communicated: TRACE is a file, or a folder with one file per rank.

    Read are Kineto and execution traces of PyTorch (.json, .json.gz), Chakra (.et) and AICB text. What
    could not be used is listed with the reason.
    """
    import uet

    with working(quiet, verbose) as say:
        found = uet.import_workload(trace, groups=groups, out=out, force=force, say=say)
    finish("workload.import", found, as_json)
    if not as_json:
        _print(trace, found)


@click.command("record", context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
@click.option("--ranks", metavar="N", type=click.IntRange(1), default=2, show_default=True, help="Processes to start.")
@click.option("--out", metavar="DIR", required=True, help="Folder for the traces, one per rank.")
@shared("json", "quiet", "force", "verbose")
def record_trace(
    command: tuple[str, ...], ranks: int, out: str, as_json: bool, quiet: bool, force: bool, verbose: bool
) -> None:
    """Run a PyTorch program and keep a trace of what it communicates: uet workload record --out DIR -- python train.py.

    uet starts the program once per rank, as torchrun does; it uses torch.distributed with backend gloo. The
    interpreter needs PyTorch (extra 'torch').
    """
    import uet

    with working(quiet, verbose) as say:
        found = uet.record_workload(command, out, ranks=ranks, force=force, say=say)
    finish("workload.record", found, as_json)
    if not as_json:
        _print(out, found)


def _print(trace: str, found: dict[str, Any]) -> None:
    p2p = found["p2p"]
    print_facts(f"{trace}: {found['format']}", {
        "ranks": f"{found['ranks']:,}, {len(found['recorded_ranks']):,} recorded",
        "messages": f"{p2p['count']:,} with {format_bytes(p2p['bytes'])}",
        "computing": f"{found['calc_us']:,.1f} us in all",
        "assumed": "; ".join(found["notes"]) or "-",
        "written": found["file"],
    })  # fmt: skip
    columns = ("type", "count", "bytes_in", "bytes_out", "group_size")
    rows = [[row[c] for c in columns] for row in found["collectives"]]
    print_table("Collectives, bytes of one member", columns, rows)
    if found["skipped"]:
        rows = [[row["name"], row["count"], row["reason"]] for row in found["skipped"]]
        print_table("Not used", ("entries", "count", "reason"), rows)
