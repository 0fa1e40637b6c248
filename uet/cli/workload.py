"""`uet workload make|show|convert|check|merge`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.base.errors import NoAnswer
from uet.base.units import format_bytes, parse_bytes
from uet.cli.options import parse_settings, shared
from uet.cli.output import finish, print_facts, print_table, working
from uet.cli.workload_trace import import_trace, record_trace
from uet.cli.workload_training import llm, pipeline
from uet.cli.workload_transform import transform

if TYPE_CHECKING:
    from uet.api.bounds import CutBound
    from uet.api.schedules import Workload

_RANKS = click.option("--ranks", metavar="N", type=click.IntRange(1), help="Ranks at hand; a file brings its own.")
_FILE = click.option("--out", "file", metavar="FILE", required=True, help="File to write: .goal (text) or .bin.")


@click.group()
def workload() -> None:
    """Collectives, traffic patterns and schedule files."""


workload.add_command(import_trace)
workload.add_command(record_trace)
workload.add_command(transform)


@workload.command()
@click.argument("work")
@_RANKS
@click.option("--on", "fabric", metavar="SPEC", help="Fabric whose bound by cuts to put beside a collective.")
@shared("json", "seed", "verbose")
def show(work: str, ranks: int | None, fabric: str | None, as_json: bool, seed: int, verbose: bool) -> None:
    """Show the operations, steps and bytes of WORK: a collective, a pattern or a file (.goal, .bin, .cm, .yaml).

    With --on, ranks are the fabric's hosts by default. The bound by cuts is the time that no algorithm can beat
    on one plane with reductions in the hosts; beside it stands the time of all of WORK's bytes at once, spread
    evenly over minimal paths, and what fraction of the bound that reaches.
    """
    import uet

    found = uet.show_workload(work, ranks, seed, on=fabric)
    finish("workload.show", found.as_dict(), as_json, seed)
    if not as_json:
        _print(found)


@workload.command()
@shared("json", "verbose")
def algorithms(as_json: bool, verbose: bool) -> None:
    """List the algorithms of every collective and the keys that only they take."""
    import uet

    found = uet.list_algorithms()
    finish("workload.algorithms", {"algorithms": found}, as_json)
    if not as_json:
        rows = [(a["collective"], a["algorithm"], ", ".join(a["keys"]) or "-", a["summary"]) for a in found]
        print_table("Collectives", ("collective", "algorithm", "keys", "what it does"), rows)


def _print(found: Workload) -> None:
    print_facts(f"{found.name} on {found.ranks:,} ranks", {
        "operations": ", ".join(f"{n:,} {name}" for name, n in found.operations.items() if n),
        "dependencies": found.dependencies,
        "steps": found.steps,
        "messages": f"{found.messages:,} between {found.pairs:,} pairs",
        "bytes": f"{found.total_bytes:,} in all",
        "most sent": f"{format_bytes(found.max_bytes_sent)} by a rank",
        "most received": f"{format_bytes(found.max_bytes_received)} by a rank",
        "reduced": format_bytes(found.bytes_reduced),
        "most computing": f"{found.max_calc_us:,.3f} us by a rank",
        "processors, NICs": f"{found.processors} and {found.nics} per rank",
        "wildcard receives": found.wildcards,
        "buffers": f"{format_bytes(found.data_bytes)} and {format_bytes(found.scratch_bytes)} of scratch per rank",
        "elements": found.dtype,
        **({} if found.bound is None else _bound_facts(found.bound)),
    })  # fmt: skip


def _bound_facts(bound: CutBound) -> dict[str, object]:
    facts: dict[str, object] = {"bound by cuts": f"{bound.cut_us:,.3f} us"}
    if bound.spread_us is not None:
        facts["bytes at once"] = f"{bound.spread_us:,.3f} us, {bound.fraction:.1%} of the bound"
    return facts


@workload.group()
def make() -> None:
    """Write workloads as GOAL files."""


make.add_command(llm)
make.add_command(pipeline)


@make.command()
@click.option("--op", metavar="NAME", required=True, help="allreduce, reducescatter, allgather, alltoall, ...")
@click.option("--algorithm", metavar="NAME", help="Algorithm, such as ring [the first that the collective has].")
@click.option("--ranks", metavar="N", type=click.IntRange(1), required=True, help="Ranks that take part.")
@click.option("--size", metavar="BYTES", required=True, help="Bytes of one rank's full vector, such as 1MiB.")
@click.option("--key", "keys", metavar="KEY=VALUE", multiple=True, help="Another key: dtype, root, grid, ...")
@click.option(
    "--reduce-ps-per-byte", metavar="PS", type=click.FloatRange(0), default=0.0, show_default=True,
    help="What reductions and copies take; they become calcs.",
)  # fmt: skip
@_FILE
@shared("json", "force", "verbose")
def collective(
    op: str, algorithm: str | None, ranks: int, size: str, keys: tuple[str, ...], reduce_ps_per_byte: float,
    file: str, as_json: bool, force: bool, verbose: bool,
) -> None:  # fmt: skip
    """Write a collective as a GOAL file."""
    import uet

    found = uet.make_collective(
        op, ranks, parse_bytes(size), file, algorithm=algorithm, keys=parse_settings(keys, "--key", "root=3"),
        reduce_ps_per_byte=reduce_ps_per_byte, force=force,
    )  # fmt: skip
    finish("workload.make", {"file": file, **found.as_dict()}, as_json)
    if not as_json:
        _print(found)


@workload.command()
@click.argument("source", metavar="FILE")
@click.argument("target", required=False)
@click.option("--out", metavar="TARGET", help="The same as TARGET.")
@shared("json", "quiet", "force", "verbose")
def convert(
    source: str, target: str | None, out: str | None, as_json: bool, quiet: bool, force: bool, verbose: bool
) -> None:
    """Convert FILE between GOAL text (.goal) and binary (.bin), or a connection matrix (.cm) to either.

    Without TARGET the name keeps its stem and gets the other suffix. GOAL is read and written in batches.
    """
    import uet

    with working(quiet, verbose) as say:
        path = uet.convert_workload(source, target or out, force=force, say=say)
    finish("workload.convert", {"file": str(path), "bytes": path.stat().st_size}, as_json)
    if not as_json:
        click.echo(str(path))


@workload.command()
@click.argument("work")
@_RANKS
@shared("json", "seed", "verbose")
def check(work: str, ranks: int | None, as_json: bool, seed: int, verbose: bool) -> None:
    """Look for what keeps WORK from finishing: messages without partner, differing lengths, circles, deadlocks.

    Exit code 0 if there is nothing, 3 if there is, 2 if the file is outside the grammar or names peers that
    do not exist.
    """
    import uet

    found = uet.check_workload(work, ranks, seed)
    problem = NoAnswer(*(f"{found.name}: {p}" for p in found.problems)) if found.problems else None
    if not as_json:
        for warning in found.warnings:
            click.echo(f"warning: {warning}", err=True)
    finish("workload.check", found.as_dict(), as_json, seed, problem)
    if not as_json:
        click.echo(f"{found.name}: {found.operations:,} operations of {found.ranks:,} ranks can all be done")


@workload.command()
@click.argument("jobs", metavar="JOBS.yaml")
@_FILE
@shared("json", "seed", "force", "verbose")
def merge(jobs: str, file: str, as_json: bool, seed: int, force: bool, verbose: bool) -> None:
    """Merge several jobs into one GOAL file with a rank per host.

    JOBS.yaml has `jobs`, each with `work` and perhaps `name`, `ranks`, `hosts` (such as 0-15,20) and `start`;
    beside them `hosts` (how many there are) and `placement` (packed, round-robin or random).
    """
    import uet

    found = uet.merge_workloads(jobs, file, seed=seed, force=force)
    finish("workload.merge", {"file": file, **found.as_dict()}, as_json, seed)
    if not as_json:
        _print(found)
