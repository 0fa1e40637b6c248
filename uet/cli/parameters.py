"""`uet parameters`."""

from __future__ import annotations

import click

from uet.cli.options import parse_settings, shared
from uet.cli.output import finish, print_table

_POSITIVE = click.FloatRange(0, min_open=True)


@click.command()
@click.option("--profile", metavar="NAME", default="uet-1.0", show_default=True, help="Named set of defaults.")
@click.option("--linkspeed-gbps", type=_POSITIVE, metavar="GBPS", help="Rate of the NICs [400].")
@click.option("--rtt-us", type=_POSITIVE, metavar="US", help="Base round trip of the longest path [12].")
@click.option("--payload", type=click.IntRange(1), metavar="BYTES", help="Short for --set mtu.payload_bytes=BYTES.")
@shared("json", "set", "verbose")
def parameters(
    profile: str, linkspeed_gbps: float | None, rtt_us: float | None, payload: int | None, as_json: bool,
    settings: tuple[str, ...], verbose: bool,
) -> None:  # fmt: skip
    """List all settings with unit and default, and what controllers derive from them.

    Values and constants are those of a network with the given link speed and round trip.
    """
    import uet

    found = uet.parameters(
        profile, settings=parse_settings(settings), linkspeed_gbps=linkspeed_gbps, rtt_us=rtt_us, payload=payload
    )
    finish("parameters", found.as_dict(), as_json)
    if as_json:
        return
    cells = [(p.key, "derived" if p.default is None else p.default, p.value, p.unit, p.meaning) for p in found.settings]
    network = f"{found.inputs['linkspeed_gbps']:g} Gb/s, {found.inputs['rtt_us']:g} us"
    print_table(f"Settings of profile {profile}", ("key", "default", f"at {network}", "unit", "meaning"), cells)
    rows = [(f"{group}.{name}", value, found.units.get(name, "")) for group, constants in found.derived.items()
            for name, value in constants.items()]  # fmt: skip
    print_table(f"Constants at {network}", ("constant", "value", "unit"), rows)
    click.echo("derived: computed from the fabric unless set")
    for warning in found.warnings:
        click.echo(f"uet: {warning}", err=True)
