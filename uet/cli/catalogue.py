"""`uet catalogue list|show`."""

from __future__ import annotations

import click

from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table


@click.group()
def catalogue() -> None:
    """Price lists: parts with price, power and source."""


@catalogue.command("list")
@shared("json", "verbose")
def list_(as_json: bool, verbose: bool) -> None:
    """List the catalogues that come with this package."""
    import uet

    found = uet.list_catalogues()
    finish("catalogue.list", {"catalogues": [c.as_dict() for c in found]}, as_json)
    if not as_json:
        rows = [(c.name, c.title, c.date, c.parts, c.cabling) for c in found]
        print_table("Catalogues", ("name", "title", "date", "parts", "cabling rule"), rows)


@catalogue.command()
@click.argument("name")
@shared("json", "verbose")
def show(name: str, as_json: bool, verbose: bool) -> None:
    """Show the parts of a catalogue, given by NAME or as a .toml file, with their sources."""
    import uet

    found = uet.show_catalogue(name)
    finish("catalogue.show", found.model_dump(mode="json"), as_json)
    if as_json:
        return
    print_facts(found.title, {"name": found.name, "date": found.date, "cabling rule": found.cabling})
    rows = [(p.name, p.kind, p.gbps, p.radix, p.reach_m, p.price_usd, p.power_w, p.confidence) for p in found.part]
    head = ("part", "kind", "Gb/s", "ports", "reach m", "USD", "W", "confidence of the price")
    print_table("", head, rows)
    for source in dict.fromkeys(p.source for p in found.part):
        click.echo(f"source: {source}")
