"""`uet testbed`."""

from __future__ import annotations

from typing import Any

import click

from uet.cli.options import parse_settings, shared
from uet.cli.output import document, finish, print_facts, print_json, print_table, working


@click.group()
def testbed() -> None:
    """Real frames between namespaces, checked to the last byte."""


def _retries(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    if value is None or value == "infinite":
        return None if value is None else -1
    if not value.isdigit():
        raise click.BadParameter(f"'{value}' is neither a number nor 'infinite'")
    return int(value)


@testbed.command()
@click.argument("work")
@click.option("--on", "fabric", metavar="SPEC", required=True, help="Fabric to build.")
@click.option(
    "--links", type=click.Choice(["veth", "memory"]), default="veth", show_default=True,
    help="Raw frames through veth pairs, or the same frames without any privilege.",
)  # fmt: skip
@click.option(
    "--clock", type=click.Choice(["wall", "virtual"]), default="wall", show_default=True,
    help="Real time, slowed down; or the simulator's time, which makes every run repeatable and compares twins.",
)  # fmt: skip
@click.option("--link-gbps", type=float, metavar="X", help="Rate of the fabric's links in reality [what keeps pace].")
@click.option("--dilation", type=float, metavar="N", help="The same as seconds in reality per second of the fabric.")
@click.option("--cc", metavar="NAME", default="nscc", show_default=True, help="Congestion controller.")
@click.option("--lb", metavar="NAME", default="mixed", show_default=True, help="Load balancer.")
@click.option(
    "--impair", metavar="KIND=P,...", default="",
    help="Probabilities per packet: loss, burst (of 8), duplicate, reorder, corrupt (a flipped bit).",
)  # fmt: skip
@click.option("--retries", metavar="N|infinite", callback=_retries, help="Timeouts of a packet before its PDC fails.")
@click.option("--payload", type=click.IntRange(1), metavar="BYTES", help="Short for --set mtu.payload_bytes=BYTES.")
@click.option("--ip", "ip_version", type=click.Choice(["4", "6"]), default="4", show_default=True, help="IP version.")
@click.option("--native-ip", is_flag=True, help="UET over IP with an entropy header instead of UDP.")
@click.option(
    "--crc", type=click.Choice(["refprov", "payload-be", "none"]), default="refprov", show_default=True,
    help="CRC-32C at the end of every packet.",
)  # fmt: skip
@click.option("--tss", is_flag=True, help="AES-GCM in place of the CRC: short for --set tss.enabled=1.")
@click.option("--pcap", metavar="FILE", help="Capture all host ports to this .pcapng file.")
@shared("json", "seed", "set", "quiet", "force", "verbose", "dry-run")
def run(
    work: str, fabric: str, links: str, clock: str, link_gbps: float | None, dilation: float | None, cc: str, lb: str,
    impair: str, retries: int | None, payload: int | None, ip_version: str, native_ip: bool, crc: str, tss: bool,
    pcap: str | None, as_json: bool, seed: int, settings: tuple[str, ...], quiet: bool, force: bool, verbose: bool,
    dry_run: bool,
) -> None:  # fmt: skip
    """Run WORK on real data over real frames, and check every byte.

    Hosts are network namespaces; every packet leaves its host as a raw Ethernet frame through a veth pair, is
    switched in user space (the fabric's routes, paced ports, ECN, trimming) and reaches its destination through
    another. Nothing is left behind, not even by kill -9. Exit code 0 only if all data is right, 4 if not.
    """
    if links == "veth" and not dry_run:
        from emulation.testbed.namespaces import become_root_of_own

        become_root_of_own()  # before any library starts a thread
    import uet

    values = parse_settings(settings)
    if payload is not None:
        values["mtu.payload_bytes"] = str(payload)
    if tss:
        values["tss.enabled"] = "1"
    arguments: dict[str, Any] = {
        "links": links, "clock": clock, "dilation": dilation, "link_gbps": link_gbps, "cc": cc, "lb": lb,
        "impair": impair, "retries": retries, "ip_version": int(ip_version), "native_ip": native_ip, "crc": crc,
        "settings": values, "pcap": pcap, "force": force, "seed": seed,
    }  # fmt: skip
    plan = uet.plan_testbed(work, fabric, **arguments)
    if dry_run:
        _print_plan(plan.as_dict(), as_json, seed)
        return
    with working(quiet, verbose) as say:
        done = uet.run_testbed(plan, say)
    finish("testbed", done.summary, as_json, seed, done.problem)
    if not as_json:
        _print(done.summary)


def _print_plan(plan: dict[str, Any], as_json: bool, seed: int) -> None:
    if as_json:
        print_json(document("testbed-plan", plan, seed))
    else:
        print_facts("nothing was built; this would be", plan)


def _print(s: dict[str, Any]) -> None:
    rows = [(name, *(s[name][k] for k in ("first", "mean", "p50", "p99", "max"))) for name in ("fct_us", "finish_us")]
    print_table(f"{s['work']} on {s['on']}", ("time", "first", "mean", "p50", "p99", "max"), rows)
    twin = s.get("twin_differing_bytes")
    print_facts("", {
        "data": f"all {s['bytes']:,} bytes right, {s['goodput_gbps']:,.1f} Gb/s of testbed time",
        "frames": f"{s['frames']:,} over {s['links']} links, {s['frames_refused']:,} refused",
        "secured": s["tss"] and f"{s['tss']['opened']:,} of {s['tss']['sealed']:,} frames opened",
        "packets": f"{s['data_packets']:,} data, {s['retransmissions']:,} retransmitted",
        "network": f"{s['trims']:,} trimmed, {s['drops']:,} dropped, {s['ecn_marks']:,} marked",
        "impaired": f"{s['drops_injected']:,} lost, {s['duplicated_injected']:,} doubled, "
                    f"{s['reordered_injected']:,} held back, {s['corrupt_injected']:,} corrupted",
        "clock": s["clock"] if s["dilation"] is None else f"{s['dilation']:,.0f} times slower than the fabric",
        "kept pace": s["kept_pace"],
        "twin": None if twin is None else f"{twin:,} of {s['captured_bytes']:,} captured bytes differ",
        "namespaces left": s["namespaces_left"],
    })  # fmt: skip
