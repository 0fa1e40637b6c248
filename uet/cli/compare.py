"""`uet compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.base.units import format_usd
from uet.cli.options import pricing, shared
from uet.cli.output import finish, print_facts, print_table

if TYPE_CHECKING:
    from topologies.ownership import Comparison


@click.command()
@click.argument("a")
@click.argument("b")
@pricing
@shared("json", "verbose")
def compare(
    a: str, b: str, catalogue: str, include: str | None, cabling: str | None, as_json: bool, verbose: bool
) -> None:
    """Compare the bills of A and B: fabrics, or files with a seller's quote.

    A quote is a .toml, .yaml or .json file with hosts, injection_gbps and a list `line` of part, kind, count,
    unit_usd and, if known, unit_power_w and annual_failure_rate.
    """
    import uet
    from uet.cli.options import words

    found = uet.compare(a, b, catalogue, words(include), cabling)
    finish("compare", found.as_dict(), as_json)
    if not as_json:
        _print(found)


def _print(found: Comparison) -> None:
    click.echo(f"A is {found.a}\nB is {found.b}")
    rows = [(x.kind, x.count_a, x.count_b, x.usd_a, x.usd_b, f"{x.difference_usd:+,.0f}") for x in found.lines]
    print_table("", ("kind", "A pieces", "B pieces", "A USD", "B USD", "B - A, USD"), rows)
    ratio = "" if found.cost_ratio is None else f", {found.cost_ratio:.3g} times A"
    print_facts("", {
        "A": _bill(found.cost_usd_a, found.per_accelerator_usd_a, found.usd_per_gbps_a, found.power_w_a),
        "B": _bill(found.cost_usd_b, found.per_accelerator_usd_b, found.usd_per_gbps_b, found.power_w_b),
        "B - A": f"{found.difference_usd:+,.0f} USD{ratio}",
    })  # fmt: skip


def _bill(usd: float, per_accelerator_usd: float, usd_per_gbps: float, power_w: float | None) -> str:
    power = "unknown power" if power_w is None else f"{power_w / 1000:,.1f} kW"
    each = f"{per_accelerator_usd:,.0f} USD per accelerator, {usd_per_gbps:,.2f} USD per Gb/s"
    return f"{format_usd(usd)}, {each}, {power}"
