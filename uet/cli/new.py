"""`uet new`."""

from __future__ import annotations

import click

from uet.cli.options import shared
from uet.cli.output import finish


@click.command()
@click.argument("kind", type=click.Choice(["cc", "lb"]))
@click.argument("name")
@click.option("--file", "path", metavar="PATH", help="File to write [NAME.py in lower case].")
@shared("json", "force", "verbose")
def new(kind: str, name: str, path: str | None, as_json: bool, force: bool, verbose: bool) -> None:
    """Write a file with a working congestion controller (cc) or load balancer (lb) of your own.

    NAME is the class in it, which `--cc ./FILE.py:NAME` or `--lb ./FILE.py:NAME` uses.
    """
    import uet

    part = uet.new(kind, name, path, force)
    body = {"kind": part.kind, "name": part.name, "file": str(part.path), "option": part.option}
    finish("new", body, as_json)
    if not as_json:
        click.echo(f"{part.path} written; try it with: uet simulate WORK --on SPEC {part.option}")
