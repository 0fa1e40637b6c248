"""`uet topology list|show|export|draw`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from solvers.bisection import Bisection
    from topologies.paths import PathCounts
    from uet.api.show import Failed, Topology


@click.group()
def topology() -> None:
    """Fabrics: list, show, export, draw."""


@topology.command("list")
@shared("json", "verbose")
def list_(as_json: bool, verbose: bool) -> None:
    """List the families of fabrics and their keys."""
    import uet

    families = uet.list_topologies()
    finish("topology.list", {"families": [f.as_dict() for f in families]}, as_json)
    if as_json:
        return
    for family in families:
        rows = [(k.name, k.default or "required", k.meaning) for k in family.keys]
        print_table(f"{family.name}: {family.summary}", ("key", "default", "meaning"), rows)


@topology.command()
@click.argument("spec")
@shared("fail", "json", "seed", "quiet", "verbose")
def show(spec: str, fail: str, as_json: bool, seed: int, quiet: bool, verbose: bool) -> None:
    """Show counts, distances, bisection, paths and routing of the fabric SPEC."""
    import uet

    with working(quiet, verbose):
        found = uet.show_topology(spec, fail, seed)
    finish("topology.show", found.as_dict(), as_json, seed)
    if not as_json:
        _print(found)


def _print(found: Topology) -> None:
    print_facts(found.spec, {
        "accelerators": found.hosts,
        "injection": f"{found.injection_gbps:,.0f} Gb/s per accelerator in {found.planes} planes",
        "switches": f"{found.switches:,} boxes, {found.switches_per_plane:,} in the graph of a plane",
        "cables": _counts(found.cables),
        "links": f"{found.links:,}: {_counts(found.link_classes)}",
        "diameter": _diameter(found),
        "mean distance": found.avg_distance,
        "bisection": found.bisection and _bisection(found.bisection),
        "paths": found.paths and _paths(found.paths),
        "virtual channels": found.virtual_channels,
        "deadlock freedom": found.deadlock_freedom,
        "routing tables": f"{found.routing_bytes:,} bytes",
        **({"down": _failed(found.failed)} if found.failed else {}),
    })  # fmt: skip


def _diameter(found: Topology) -> str:
    if found.diameter is None:
        return "some accelerators do not reach each other in some plane"
    return f"{found.diameter} links; {found.router_diameter} between the ends of host links"


def _bisection(found: Bisection) -> str:
    bounds = f"{found.lower:.2%}" + (f" to {found.upper:.2%}" if found.upper > found.lower * 1.00005 else "")
    other = f"; other halves exchange {found.least_found:.2%}" if found.least_found < found.lower else ""
    return f"{bounds} of half the injection: {found.method}{other}"


def _paths(found: PathCounts) -> str:
    minimal, longer, spread = (
        f"{r.least:,.4g} to {r.most:,.4g}" for r in (found.minimal, found.plus_one, found.spread)
    )
    return f"{minimal} shortest ones on {spread} first links, {longer} one link longer"


def _failed(found: Failed) -> str:
    down = f"{found.accelerators:,} accelerators, {found.switches:,} switches, {found.links:,} links"
    return down + (f"; {found.cut_off:,} accelerators cut off" if found.cut_off else "")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items()) or "none"


@topology.command()
@click.argument("spec")
@click.argument("file")
@shared("json", "force", "verbose")
def export(spec: str, file: str, as_json: bool, force: bool, verbose: bool) -> None:
    """Write the fabric SPEC to FILE; its suffix says how: .json, .graphml or .dot."""
    import uet

    path = uet.export_topology(spec, file, force)
    finish("topology.export", {"file": str(path)}, as_json)
    if not as_json:
        click.echo(path)


@topology.command()
@click.argument("spec")
@click.argument("file")
@shared("json", "force", "verbose")
def draw(spec: str, file: str, as_json: bool, force: bool, verbose: bool) -> None:
    """Draw one plane of the fabric SPEC to FILE (.png, .svg or .pdf)."""
    import uet

    path = uet.draw_topology(spec, file, force)
    finish("topology.draw", {"file": str(path)}, as_json)
    if not as_json:
        click.echo(path)
