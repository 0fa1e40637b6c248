"""`uet nccl tune`."""

from __future__ import annotations

import click

from uet.base.units import parse_bytes
from uet.cli.options import shared
from uet.cli.output import finish, print_facts, print_table


@click.group()
def nccl() -> None:
    """What NCCL would do: algorithm, protocol, channels, threads, time."""


@nccl.command()
@click.option("--system", metavar="FILE", required=True, help="JSON or YAML file of the GPUs and NCCL's graphs.")
@click.option("--nodes", metavar="N", type=click.IntRange(1), required=True, help="Nodes that take part.")
@click.option(
    "--collective", metavar="NAME", required=True, help="allreduce, allgather, reducescatter, broadcast or reduce."
)
@click.option("--bytes", "size", metavar="BYTES", required=True, help="Size, such as 1048576 or 1MiB.")
@shared("json", "verbose")
def tune(system: str, nodes: int, collective: str, size: str, as_json: bool, verbose: bool) -> None:
    """Say which algorithm, protocol, channels and threads NCCL 2.19 chooses, and the time it expects.

    FILE has compcap (such as 90), ranks, ring and tree (channels, bw_intra and bw_inter in GB/s per channel,
    pattern), net_latency_us, path_inter (such as PXB) and cpu (intel, amd or other). Its ranks are those of
    its nodes, or of --nodes if it has no such key.
    """
    import uet

    n_bytes = parse_bytes(size)
    choice, times = uet.nccl_tune(system, nodes, collective, n_bytes)
    body = {"collective": collective, "nodes": nodes, "bytes": n_bytes, **choice.as_dict(), "considered_us": times}
    finish("nccl.tune", body, as_json)
    if as_json:
        return
    print_facts(f"{collective} of {n_bytes:,} bytes on {nodes:,} nodes", {
        "choice": f"{choice.algorithm}, {choice.protocol}",
        "blocks": f"{choice.channels} channels of {choice.threads} threads",
        "time": f"{choice.us:,.2f} us",
    })  # fmt: skip
    print_table("", ("algorithm/protocol", "us"), [(name, f"{us:,.2f}") for name, us in times.items()])
