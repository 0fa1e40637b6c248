"""`uet simulate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from uet.base.units import parse_time_ps
from uet.cli.options import parse_settings, shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.work import Run

_OWN = ", or one of your own as FILE.py:NAME."


@click.command()
@click.argument("work")
@click.option("--on", "fabric", metavar="SPEC", required=True, help="Fabric to run on.")
@click.option("--cc", metavar="NAME", default="constant", show_default=True, help=f"Congestion controller{_OWN}")
@click.option("--lb", metavar="NAME", default="oblivious", show_default=True, help=f"Load balancer{_OWN}")
@click.option("--profile", metavar="NAME", help="Set of defaults: uet-1.0 or htsim [uet-1.0; htsim for .cm files].")
@click.option("--payload", type=click.IntRange(1), metavar="BYTES", help="Short for --set mtu.payload_bytes=BYTES.")
@click.option("--no-trim", is_flag=True, help="Short for --set trim.enabled=0.")
@click.option("--wire", is_flag=True, help="Pass every packet through its bytes: slower, the same result.")
@click.option("--end", metavar="TIME", help="Stop at this simulated time, such as 5ms.")
@shared("json", "out", "seed", "set", "quiet", "force", "verbose")
def simulate(
    work: str, fabric: str, cc: str, lb: str, profile: str | None, payload: int | None, no_trim: bool,
    wire: bool, end: str | None, as_json: bool, out: str | None, seed: int, settings: tuple[str, ...], quiet: bool,
    force: bool, verbose: bool,
) -> None:  # fmt: skip
    """Run a workload on a fabric, packet by packet.

    WORK is a collective or pattern, such as permutation:size=2MiB or allreduce:algorithm=ring,size=1MiB,
    or a file (.yaml, .json, .cm). One plane of the fabric is simulated and carries all of WORK's bytes.
    """
    import uet

    values = parse_settings(settings)
    if payload is not None:
        values["mtu.payload_bytes"] = str(payload)
    if no_trim:
        values["trim.enabled"] = "0"
    end_ps = None if end is None else parse_time_ps(end)
    arguments: dict[str, Any] = {
        "seed": seed, "settings": values, "profile": profile, "cc": cc, "lb": lb, "end_ps": end_ps, "wire": wire,
        "out": out, "force": force,
    }  # fmt: skip
    with working(quiet, verbose) as say:
        run = uet.simulate(work, fabric, say=say, **arguments)
    finish("simulate", {**run.summary, "folder": run.folder and str(run.folder)}, as_json, seed, run.problem)
    if not as_json:
        _print(run)


def _print(run: Run) -> None:
    s = run.summary
    planes = f", one of {s['planes']} planes" if s["planes"] > 1 else ""
    title = f"{s['work']} on {s['on']}{planes}"
    rows = [(name, *(s[name][k] for k in ("first", "mean", "p50", "p99", "max"))) for name in ("fct_us", "finish_us")]
    print_table(title, ("time", "first", "mean", "p50", "p99", "max"), rows)
    print_facts("", {
        "flows": f"{s['finished']:,} of {s['flows']:,} finished",
        "packets": f"{s['data_packets']:,} data, {s['retransmissions']:,} retransmitted, {s['packet_hops']:,} hops",
        "network": f"{s['trims']:,} trimmed, {s['drops']:,} dropped, {s['ecn_marks']:,} marked",
        "answers": f"{s['acks']:,} ACKs, {s['nacks']:,} NACKs, {s['rto']:,} timeouts",
        "simulated": f"{s['sim_us']:,.1f} us in {s['cpu_s']:.2f} CPU s ({s['events']:,} events)",
        "run folder": run.folder,
    })  # fmt: skip
