"""`uet cost`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from uet.base.units import format_usd
from uet.cli.options import pricing, shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from topologies.bom import BillLine, BillOfMaterials
    from topologies.ownership import Ownership
    from topologies.repair import Repair


@click.command()
@click.argument("spec")
@pricing
@click.option("--cabling-csv", metavar="FILE", help="Write every cable with both ends, part and length to FILE.")
@click.option("--racks", metavar="FILE", help="How the hall is filled: a .toml, .yaml or .json file of its sizes.")
@click.option("--usd-per-kwh", metavar="USD", type=click.FloatRange(0), help="Price of energy [0.08].")
@click.option("--pue", metavar="X", type=click.FloatRange(1), help="Power usage effectiveness of the site [1.25].")
@click.option("--years", metavar="N", type=click.FloatRange(0, min_open=True), help="Years of running [4].")
@click.option(
    "--resupply-days", metavar="N", type=click.FloatRange(0, min_open=True), help="Days that spares must last [30]."
)
@shared("fail", "json", "seed", "quiet", "force", "verbose")
def cost(
    spec: str, catalogue: str, include: str | None, cabling: str | None, cabling_csv: str | None, racks: str | None,
    usd_per_kwh: float | None, pue: float | None, years: float | None, resupply_days: float | None, fail: str,
    as_json: bool, seed: int, quiet: bool, force: bool, verbose: bool,
) -> None:  # fmt: skip
    """Price a fabric and print its bill of materials: switches and cables, and what --include names.

    Beside the bill: energy, replacements and spares, the share of a cluster's cost, the cabling list, and
    with --fail what new parts for the broken ones cost.
    """
    import uet
    from topologies.ownership import OwnershipModel
    from topologies.racks import read_racks
    from uet.api.fabrics import checked_target
    from uet.cli.options import words

    habits = {"usd_per_kwh": usd_per_kwh, "pue": pue, "years": years, "resupply_days": resupply_days}
    if cabling_csv is not None:
        checked_target(cabling_csv, (".csv",), force)
    model, hall = OwnershipModel(**{k: v for k, v in habits.items() if v is not None}), read_racks(racks)
    with working(quiet, verbose):
        fabric = uet.build(spec)
        bill = uet.cost(fabric, catalogue, words(include), cabling, hall)
        owned, share = uet.own(bill, model), uet.cluster_share(fabric, bill, catalogue)
        mended = uet.repair(fabric, fail, catalogue, words(include), cabling, hall, seed) if fail else None
        cables = None
        if cabling_csv is not None:
            listed = uet.cabling_list(fabric, catalogue, cabling, hall)
            listed.write_csv(cabling_csv)
            cables = {"file": cabling_csv, **listed.as_dict()}
    finish("cost", {
        **bill.as_dict(), "cluster_share": share, "ownership": owned.as_dict(), "cabling_list": cables,
        "repair": mended and mended.as_dict(),
    }, as_json, seed)  # fmt: skip
    if as_json:
        return
    _print_bill(bill, share)
    _print_ownership(owned)
    if cables is not None:
        print_facts("", {"cabling list": "{cables:,} cables, {total_m:,.0f} m, in {file}".format(**cables)})
    if mended is not None:
        _print_repair(mended)


def _print_bill(bill: BillOfMaterials, share: float | None) -> None:
    _print_lines(bill.spec, bill.lines)
    print_facts("", {
        "total": format_usd(bill.cost_usd),
        "per accelerator": f"{format_usd(bill.per_accelerator_usd)} ({bill.hosts:,} accelerators)",
        "per Gb/s": f"{bill.usd_per_gbps:,.2f} USD of {bill.injection_gbps:,.0f} Gb/s injection",
        "of a cluster": "unknown, the catalogue prices no accelerator" if share is None else f"{share:.1%} of its cost",
        "power": None if bill.power_w is None else f"{bill.power_w / 1000:,.1f} kW",
        "prices": f"{bill.catalogue}, cables by the {bill.cabling} rule",
    })  # fmt: skip
    for note in bill.notes:
        click.echo(f"note: {note}")


def _print_lines(title: str, lines: tuple[BillLine, ...]) -> None:
    rows = [(x.part, x.kind, x.count, x.unit_usd, x.total_usd, x.power_w, x.confidence) for x in lines]
    print_table(title, ("part", "kind", "count", "USD each", "USD", "W", "confidence of the price"), rows)


def _print_ownership(owned: Ownership) -> None:
    rows = [(x.part, x.failures_per_resupply, x.spares, x.cost_usd) for x in owned.spares]
    print_table("Spares in stock", ("part", "failures per resupply", "spares", "USD"), rows)
    facts: dict[str, Any] = {
        f"energy, {owned.years:g} years": owned.energy_usd,
        f"replacements, {owned.years:g} years": owned.replacement_usd,
        "spares": owned.spares_usd,
        "all in all": owned.total_usd,
    }
    print_facts("", {name: "unknown" if usd is None else format_usd(usd) for name, usd in facts.items()})


def _print_repair(mended: Repair) -> None:
    _print_lines("New parts for the broken ones", mended.lines)
    print_facts("", {
        "repair": format_usd(mended.cost_usd),
        "working": f"{mended.accelerators_working:,} accelerators, {mended.injection_left_gbps:,.0f} Gb/s injection",
        "meanwhile": None if mended.usd_per_gbps_left is None else f"{mended.usd_per_gbps_left:,.2f} USD per Gb/s",
    })  # fmt: skip
