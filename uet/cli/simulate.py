"""`uet simulate`: packet by packet, at flow level, or message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from uet.base.errors import BadInput
from uet.base.units import parse_time_ps
from uet.cli.options import parse_settings, shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.work import Run

_OWN = ", or one of your own as FILE.py:NAME."


BACKENDS = {
    "packet": (
        "fabric", "transport", "cc", "lb", "profile", "payload", "packet_bytes", "no_trim", "pfc", "tss", "wire", "end",
        "allow_unfinished", "settings", "fail",
    ),
    "flow": ("fabric", "lb", "profile", "payload", "packet_bytes", "end", "allow_unfinished", "settings", "fail"),
    "loggops": ("loggops", "ranks", "reduce_ps_per_byte"),
}  # fmt: skip
"""Parameters that not every backend honours."""


@click.command()
@click.argument("work")
@click.option(
    "--backend", type=click.Choice(list(BACKENDS)), default="packet", show_default=True,
    help="Packet by packet or max-min fair flows on a fabric, or message by message under LogGOPS.",
)  # fmt: skip
@click.option("--on", "fabric", metavar="SPEC", help="Fabric to run on (packet, flow).")
@click.option(
    "--loggops", metavar="L=2500,o=1500,...", default="", help="L, o, g, G, O in ns and S in bytes [LogGOPSim's]."
)
@click.option(
    "--ranks", metavar="N", type=click.IntRange(1), help="Ranks at hand for a WORK that is no file (loggops)."
)
@click.option(
    "--reduce-ps-per-byte", metavar="PS", type=click.FloatRange(0), default=0.0, show_default=True,
    help="What reductions and copies take (loggops).",
)  # fmt: skip
@click.option(
    "--transport",
    metavar="NAME",
    default="uet",
    show_default=True,
    help="uet, or roce for what it replaces: go-back-N on one path, DCQCN, no trimming.",
)
@click.option(
    "--cc",
    metavar="NAME",
    help=f"Congestion controller: nscc (default), rccc, nscc+rccc, dcqcn (roce), dctcp, swift, constant{_OWN}",
)
@click.option(
    "--lb",
    metavar="NAME",
    default="mixed",
    show_default=True,
    help=f"Load balancer: mixed, reps, bitmap, oblivious or ecmp{_OWN}",
)
@click.option(
    "--profile", metavar="NAME", help="Set of defaults: uet-1.0 or htsim [uet-1.0; htsim for .cm and .topo files]."
)
@click.option("--payload", type=click.IntRange(1), metavar="BYTES", help="Short for --set mtu.payload_bytes=BYTES.")
@click.option(
    "--packet-bytes",
    type=click.IntRange(1),
    metavar="BYTES",
    help="A full packet with all headers, instead of --payload.",
)
@click.option("--no-trim", is_flag=True, help="Short for --set trim.enabled=0.")
@click.option("--pfc", is_flag=True, help="Pause senders instead of trimming: short for --set pfc.enabled=1.")
@click.option("--tss", is_flag=True, help="Secure all packets, with --wire for real: short for --set tss.enabled=1.")
@click.option("--wire", is_flag=True, help="Pass every packet through its bytes: slower, the same result.")
@click.option("--end", metavar="TIME", help="Stop at this simulated time, such as 5ms.")
@click.option("--allow-unfinished", is_flag=True, help="Exit with 0 although flows are unfinished at --end.")
@shared("fail", "json", "out", "seed", "set", "quiet", "force", "verbose")
@click.pass_context
def simulate(
    ctx: click.Context, work: str, backend: str, fabric: str | None, loggops: str, ranks: int | None,
    reduce_ps_per_byte: float, transport: str, cc: str | None, lb: str, profile: str | None, payload: int | None,
    packet_bytes: int | None, no_trim: bool, pfc: bool, tss: bool, wire: bool, end: str | None, allow_unfinished: bool,
    fail: str, as_json: bool, out: str | None, seed: int, settings: tuple[str, ...], quiet: bool, force: bool,
    verbose: bool,
) -> None:  # fmt: skip
    """Run a workload on a fabric, packet by packet, at flow level, or message by message.

    WORK is a collective or pattern, such as permutation:size=2MiB or allreduce:algorithm=ring,size=1MiB,
    or a file (.goal, .bin, .cm, .yaml, .json), also one of several jobs (see 'uet workload merge'), which are
    then run alone too, for their slowdown. The packet and flow backends need --on; one plane of that fabric is
    simulated and carries all of WORK's bytes. The flow backend takes messages for fluids that share the links
    max-min fairly, for fabrics of 100,000 hosts. The loggops backend computes exactly what
    LogGOPSim does.
    """
    import uet

    _check_options(ctx, backend)
    if backend == "loggops":
        _messages(work, loggops, ranks, reduce_ps_per_byte, as_json, out, seed, quiet, force, verbose)
        return
    if fabric is None:
        raise BadInput(f"the {backend} backend runs on a fabric; name it with --on SPEC, or choose --backend loggops")
    values = parse_settings(settings)
    if payload is not None and packet_bytes is not None:
        raise BadInput("--payload and --packet-bytes say the same; give one of them")
    if payload is not None:
        values["mtu.payload_bytes"] = str(payload)
    if no_trim:
        values["trim.enabled"] = "0"
    if pfc:
        values["pfc.enabled"] = "1"
    if tss:
        values["tss.enabled"] = "1"
    end_ps = None if end is None else parse_time_ps(end)
    arguments: dict[str, Any] = {
        "backend": backend, "seed": seed, "settings": values, "profile": profile, "transport": transport, "cc": cc,
        "lb": lb, "fail": fail, "end_ps": end_ps, "allow_unfinished": allow_unfinished,
        "packet_bytes": packet_bytes, "wire": wire, "out": out, "force": force,
    }  # fmt: skip
    with working(quiet, verbose) as say:
        run = uet.simulate(work, fabric, say=say, **arguments)
    finish("simulate", {**run.summary, "folder": run.folder and str(run.folder)}, as_json, seed, run.problem)
    if not as_json:
        _print(run)


def _check_options(ctx: click.Context, backend: str) -> None:
    """Refuse options that the chosen backend does not honour."""
    for parameter in ctx.command.params:
        takers = [name for name, parameters in BACKENDS.items() if parameter.name in parameters]
        given = ctx.get_parameter_source(parameter.name or "") is not ParameterSource.DEFAULT
        if takers and backend not in takers and given:
            whose = " and ".join(takers)
            raise BadInput(f"{parameter.opts[0]} is for the {whose} backend, not for {backend}; leave it out")


def _messages(
    work: str, loggops: str, ranks: int | None, reduce_ps_per_byte: float, as_json: bool, out: str | None, seed: int,
    quiet: bool, force: bool, verbose: bool,
) -> None:  # fmt: skip
    import uet

    with working(quiet, verbose) as say:
        run = uet.simulate_loggops(
            work, loggops, ranks=ranks, seed=seed, reduce_ps_per_byte=reduce_ps_per_byte, out=out, force=force, say=say
        )
    finish("simulate", {**run.summary, "folder": run.folder and str(run.folder)}, as_json, seed, run.problem)
    if as_json:
        return
    s = run.summary
    print_facts(f"{s['work']} under LogGOPS", {
        "finished": f"{s['max_ns']:,} ns, the first rank at {min(s['finish_ns'], default=0):,} ns",
        "ranks": s["ranks"],
        "operations": f"{s['sends']:,} sends, {s['recvs']:,} receives, {s['calcs']:,} calcs",
        "events": f"{s['events']:,} in {s['cpu_s']:.3f} CPU s",
        "parameters": ", ".join(f"{name}={value:g}" for name, value in s["loggops"].items()),
        "run folder": run.folder,
    })  # fmt: skip


def _print(run: Run) -> None:
    s = run.summary
    planes = f", one of {s['planes']} planes" if s["planes"] > 1 else ""
    title = f"{s['work']} on {s['on']}{planes}"
    rows = [(name, *(s[name][k] for k in ("first", "mean", "p50", "p99", "max"))) for name in ("fct_us", "finish_us")]
    if s.get("slowdown"):
        rows.append(("slowdown", *(s["slowdown"][k] for k in ("first", "mean", "p50", "p99", "max"))))
    print_table(title, ("time", "first", "mean", "p50", "p99", "max"), rows)
    print_facts("", {
        "flows": f"{s['finished']:,} of {s['flows']:,} finished",
        **(_packet_facts(s) if s["backend"] == "packet" else {"rates": f"found {s['fills']:,} times"}),
        **_bound_facts(s["bound"]),
        "simulated": f"{s['sim_us']:,.1f} us in {s['cpu_s']:.2f} CPU s ({s['events']:,} events)",
        "run folder": run.folder,
    })  # fmt: skip
    if "jobs" in s:
        columns = ("name", "work", "ranks", "start_us", "finish_us", "duration_us", "isolated_us", "slowdown")
        rows = [tuple(job[c] for c in columns) for job in s["jobs"]]
        print_table("", ("job", "work", "ranks", "start us", "finish us", "took us", "alone us", "slowdown"), rows)


def _bound_facts(bound: dict[str, Any] | None) -> dict[str, object]:
    if bound is None or bound["fraction"] is None:
        return {}
    return {"bound by cuts": f"{bound['cut_us']:,.1f} us, {bound['fraction']:.1%} of it reached"}


def _packet_facts(s: dict[str, Any]) -> dict[str, object]:
    return {
        "packets": f"{s['data_packets']:,} data, {s['retransmissions']:,} retransmitted, {s['packet_hops']:,} hops",
        "network": f"{s['trims']:,} trimmed, {s['drops']:,} dropped, {s['ecn_marks']:,} marked, {s['pauses']:,} pauses",
        "answers": f"{s['acks']:,} ACKs, {s['nacks']:,} NACKs, {s['rto']:,} timeouts",
    }
