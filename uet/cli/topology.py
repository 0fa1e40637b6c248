"""`uet topology list|show|export|draw`."""

from __future__ import annotations

import click

from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table


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
@shared("json", "verbose")
def show(spec: str, as_json: bool, verbose: bool) -> None:
    """Show counts, distances and routing of the fabric SPEC."""
    import uet

    found = uet.show_topology(spec)
    finish("topology.show", found.as_dict(), as_json)
    if as_json:
        return
    print_facts(found.spec, {
        "accelerators": found.hosts,
        "injection": f"{found.injection_gbps:,.0f} Gb/s per accelerator in {found.planes} planes",
        "switches": f"{found.switches:,} bought, {found.switches_per_plane:,} in the graph of a plane",
        "cables": _counts(found.cables),
        "links": f"{found.links:,}: {_counts(found.link_classes)}",
        "diameter": f"{found.diameter} links; {found.router_diameter} between the ends of host links",
        "mean distance": found.avg_distance,
        "virtual channels": found.virtual_channels,
        "deadlock freedom": found.deadlock_freedom,
        "routing tables": f"{found.routing_bytes:,} bytes",
    })  # fmt: skip


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
