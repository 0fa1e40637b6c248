"""`uet parameters`."""

from __future__ import annotations

import click

from uet.cli.options import shared
from uet.cli.output import finish, print_table


@click.command()
@click.option("--profile", metavar="NAME", default="uet-1.0", show_default=True, help="Named set of defaults.")
@shared("json", "verbose")
def parameters(profile: str, as_json: bool, verbose: bool) -> None:
    """List all settings with unit and default, for --set KEY=VALUE."""
    import uet

    rows = uet.parameters(profile)
    finish("parameters", {"profile": profile, "parameters": [p.as_dict() for p in rows]}, as_json)
    if not as_json:
        cells = [(p.key, "derived" if p.default is None else p.default, p.unit, p.meaning) for p in rows]
        print_table(f"Settings of profile {profile}", ("key", "default", "unit", "meaning"), cells)
        click.echo("derived: computed from the fabric unless set")
