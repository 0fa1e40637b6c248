"""`uet cost`."""

from __future__ import annotations

import click

from uet.base.units import format_usd
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table


@click.command()
@click.argument("spec")
@click.option(
    "--catalogue",
    metavar="NAME",
    default="hammingmesh-2022",
    show_default=True,
    help="A name of 'uet catalogue list' or a .toml file.",
)
@click.option("--include", metavar="KIND,...", help="Price nic or accelerator too, by kind or by name of the part.")
@click.option("--cabling", type=click.Choice(["published", "rack"]), help="How cables are chosen [the catalogue's].")
@shared("json", "verbose")
def cost(spec: str, catalogue: str, include: str | None, cabling: str | None, as_json: bool, verbose: bool) -> None:
    """Price a fabric and print its bill of materials: switches and cables, and what --include names."""
    import uet

    wanted = [word.strip() for word in include.split(",")] if include else []
    bill = uet.cost(spec, catalogue, wanted, cabling)
    finish("cost", bill.as_dict(), as_json)
    if as_json:
        return
    rows = [(x.part, x.kind, x.count, x.unit_usd, x.total_usd, x.power_w, x.confidence) for x in bill.lines]
    print_table(bill.spec, ("part", "kind", "count", "USD each", "USD", "W", "confidence of the price"), rows)
    print_facts("", {
        "total": format_usd(bill.cost_usd),
        "per accelerator": f"{format_usd(bill.per_accelerator_usd)} ({bill.hosts:,} accelerators)",
        "per Gb/s": f"{bill.usd_per_gbps:,.2f} USD of {bill.injection_gbps:,.0f} Gb/s injection",
        "power": None if bill.power_w is None else f"{bill.power_w / 1000:,.1f} kW",
        "prices": f"{bill.catalogue}, cables by the {bill.cabling} rule",
    })  # fmt: skip
    for note in bill.notes:
        click.echo(f"note: {note}")
