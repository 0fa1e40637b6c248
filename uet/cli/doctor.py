"""`uet doctor`."""

from __future__ import annotations

import click

from uet.cli.options import shared
from uet.cli.output import finish, print_table


@click.command()
@shared("json", "verbose")
def doctor(as_json: bool, verbose: bool) -> None:
    """Say what this machine can do and what is missing.

    Nothing is changed. Exit code 0 whatever is found.
    """
    import uet

    diagnosis = uet.doctor()
    finish("doctor", diagnosis.as_dict(), as_json)
    if as_json:
        return
    mark = {True: "ok", False: "missing", None: ""}
    rows = [(c.name, mark[c.ok], c.value, c.remedy or "") for c in diagnosis.checks]
    print_table("This machine", ("check", "state", "found", "remedy"), rows)
    click.echo(f"designs, prices and simulations: {'yes' if diagnosis.can_simulate else 'no'}")
    click.echo(f"raw frames between namespaces:   {'yes' if diagnosis.can_open_raw_frames else 'no'}")
