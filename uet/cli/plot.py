"""`uet plot`: the figures of a design's folder, drawn again where one wants them."""

from __future__ import annotations

import click

from uet.cli.options import shared
from uet.cli.output import finish


@click.command()
@click.argument("kind", type=click.Choice(["pareto", "breakdown", "profile"]))
@click.argument("run", metavar="RUN")
@click.option("--out", "file", metavar="FILE", help="Where to draw it (.png, .svg, .pdf) [RUN's name and KIND].")
@shared("json", "force", "verbose")
def plot(kind: str, run: str, file: str | None, as_json: bool, force: bool, verbose: bool) -> None:
    """Draw a figure of a design, from its run folder RUN.

    pareto: bandwidth, cost, flexibility; breakdown: cost by kind of part; profile: bandwidth by job size.
    """
    import uet

    path = uet.plot(kind, run, file, force=force)
    finish("plot", {"kind": kind, "run": run, "file": str(path)}, as_json)
    if not as_json:
        click.echo(path)
