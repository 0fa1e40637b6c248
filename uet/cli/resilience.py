"""`uet resilience`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from uet.base.errors import BadInput
from uet.cli.options import catalogue_option, shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from topologies.resilience import Resilience


@click.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@catalogue_option
@click.option("--rate", metavar="KIND=X", multiple=True, help="Failures per part and year of a kind (repeatable).")
@click.option("--checkpoint-s", metavar="S", type=click.FloatRange(0, min_open=True), help="To write one [60].")
@click.option("--restart-s", metavar="S", type=click.FloatRange(0), help="From a failure to going on [600].")
@click.option("--repair-h", metavar="H", type=click.FloatRange(0, min_open=True), help="From failure to repair [24].")
@click.option("--failures", metavar="N,...", default="1,2,5,10", show_default=True, help="Parts down in the trials.")
@click.option("--trials", metavar="N", type=click.IntRange(1), default=1000, show_default=True, help="Per number.")
@shared("fail", "json", "seed", "quiet", "verbose")
def resilience(
    specs: tuple[str, ...], catalogue: str, rate: tuple[str, ...], checkpoint_s: float | None, restart_s: float | None,
    repair_h: float | None, failures: str, trials: int, fail: str, as_json: bool, seed: int, quiet: bool, verbose: bool,
) -> None:  # fmt: skip
    """Say how often failing parts interrupt a job on the whole machine, and what they leave of its bandwidth.

    Several SPECs are set side by side, such as a fabric with single ToRs, dual ToRs and planes. Bandwidths are
    bounds by cuts, in shares of the fabric before the failures; the worst failures are exact for these bounds.
    """
    import uet
    from topologies.resilience import ResilienceModel
    from uet.base.spec import check

    given = {
        "checkpoint_s": checkpoint_s, "restart_s": restart_s, "repair_h": repair_h, "trials": trials,
        "failures": _numbers(failures), "annual_failure_rates": _rates(rate),
    }  # fmt: skip
    model = check(ResilienceModel, {k: v for k, v in given.items() if v is not None}, "resilience")
    with working(quiet, verbose) as say:
        found = []
        for spec in specs:
            if say:
                say(spec)
            found.append(uet.resilience(spec, catalogue, model, fail=fail, seed=seed))
    body = found[0].as_dict() if len(found) == 1 else {"fabrics": [f.as_dict() for f in found]}
    finish("resilience", body, as_json, seed)
    if not as_json:
        _print_all(found)


def _numbers(text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise BadInput(f"--failures {text}: write whole numbers joined by commas, such as 1,2,5")
    return [int(part) for part in parts]


def _rates(pairs: tuple[str, ...]) -> dict[str, float]:
    rates = {}
    for pair in pairs:
        kind, _, text = pair.partition("=")
        try:
            rates[kind.strip()] = float(text)
        except ValueError:
            raise BadInput(f"--rate {pair}: write KIND=X, such as switch=0.05 failures per switch and year") from None
    return rates


def _print_all(found: list[Resilience]) -> None:
    for one in found:
        _print(one)
    if len(found) > 1:
        columns = ("fabric", "interruptions in 30 days", "by the network", "effective training", "1 failure", "10")
        print_table("Side by side", columns, [_row(one) for one in found])


def _row(one: Resilience) -> tuple[object, ...]:
    left = {d.failures: f"{d.p1:.1%}" for d in one.degraded if d.pattern == "alltoall"}
    return (
        one.spec, f"{one.interruptions_per_30_days:.1f}", f"{one.network_interruptions_per_30_days:.2f}",
        f"{one.effective_training_share:.2%}", left.get(1), left.get(10),
    )  # fmt: skip


def _print(one: Resilience) -> None:
    rows = [
        (p.kind, p.count, p.critical, p.annual_failure_rate, p.failures_per_30_days, p.interruptions_per_30_days)
        for p in one.parts
    ]
    columns = ("part", "pieces", "that interrupt", "failures a year", "failures in 30 days", "interruptions in 30 days")
    print_table(one.spec, columns, rows)
    interval = one.checkpoint_interval_s
    print_facts("", {
        "interruptions in 30 days": f"{one.interruptions_per_30_days:.1f}, {one.network_share:.1%} by the network",
        "time between them": None if one.mtbf_h is None else f"{one.mtbf_h:,.1f} h",
        "checkpoint every": None if interval is None else f"{interval / 60:,.1f} min (Daly)",
        "effective training": f"{one.effective_training_share:.2%} of the time",
        "network parts down": f"{one.network_parts_down:.2f} at any time",
    })  # fmt: skip
    shares = [
        (d.failures, d.pattern, *(f"{x:.1%}" for x in (d.mean, d.p50, d.p10, d.p1, d.worst)), d.cut_off_most)
        for d in one.degraded
    ]
    heads = ("parts down", "pattern", "mean", "median", "10 %", "1 %", "worst", "cut off at most")
    print_table("Bandwidth kept in random trials", heads, shares)
    print_table("Worst failures of cables", ("pattern", "cables", "bandwidth kept"), [
        (w.pattern, ", ".join(w.links), f"{w.share:.1%}") for w in one.worst
    ])  # fmt: skip
