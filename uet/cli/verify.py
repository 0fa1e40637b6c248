"""`uet verify`."""

from __future__ import annotations

import click

from uet.base.errors import CheckFailed
from uet.cli.options import shared
from uet.cli.output import finish, print_table, working


@click.command()
@click.argument("folder", metavar="DIR")
@shared("json", "quiet", "verbose")
def verify(folder: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Re-check the certificate of a design, without the optimizer.

    DIR is what --out of 'uet design' or 'uet racks' has left. Ends with exit code 4 if a claim does not hold.
    """
    import uet

    with working(quiet, verbose) as say:
        checks = uet.verify(folder, say=say)
    wrong = [c for c in checks if not c.holds]
    if not as_json:
        print_table(folder, ("claim", "how it was checked", "holds"), [(c.claim, c.how, c.holds) for c in checks])
    problem = CheckFailed(f"{folder}: {len(wrong)} of {len(checks)} claims do not hold") if wrong else None
    body = {"folder": folder, "holds": not wrong, "checks": [c.as_dict() for c in checks]}
    finish("verify", body, as_json, None, problem)
