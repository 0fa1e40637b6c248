"""`uet workload transform`: compressed communication."""

from __future__ import annotations

import click

from uet.base.units import parse_bytes
from uet.cli.options import shared
from uet.cli.output import finish, print_facts


@click.command()
@click.argument("work")
@click.option("--ranks", metavar="N", type=click.IntRange(1), help="Ranks at hand; a file brings its own.")
@click.option("--topk", metavar="SHARE", type=float, help="Send only so large a share of the elements, such as 0.01.")
@click.option("--quantize", metavar="BITS", type=click.IntRange(2, 16), help="Send values as so many bits.")
@click.option(
    "--bucket", metavar="N", type=click.IntRange(1), default=1024, show_default=True, help="Values with one scale."
)
@click.option("--prune", metavar="SHARE", type=float, default=0.0, help="Take so large a share of the values away.")
@click.option(
    "--algorithm", metavar="NAME", help="Of a sparse allreduce: ok-topk, allgather, sparcml-split, sparcml-doubling."
)
@click.option(
    "--word-bytes", metavar="N", type=click.Choice(["2", "4", "8"]), default="4", show_default=True,
    help="Bytes of a value before.",
)  # fmt: skip
@click.option("--min-bytes", metavar="BYTES", default="1", show_default=True, help="Shrink no smaller messages.")
@click.option("--out", metavar="FILE", help="File to write: .goal (text) or .bin.")
@shared("json", "seed", "force", "verbose")
def transform(
    work: str, ranks: int | None, topk: float | None, quantize: int | None, bucket: int, prune: float,
    algorithm: str | None, word_bytes: str, min_bytes: str, out: str | None, as_json: bool, seed: int, force: bool,
    verbose: bool,
) -> None:  # fmt: skip
    """Compress the communication of WORK and say what that saves.

    An allreduce is replaced by a sparse or quantized one; in any other workload, such as a .goal file, the
    messages shrink.
    """
    import uet

    found = uet.transform_workload(
        work, ranks=ranks, topk=topk, quantize=quantize, bucket=bucket, prune=prune, algorithm=algorithm,
        word_bytes=int(word_bytes), least_bytes=parse_bytes(min_bytes), out=out, seed=seed, force=force,
    )  # fmt: skip
    finish("workload.transform", found.as_dict(), as_json, seed)
    if as_json:
        return
    print_facts(f"{found.name} on {found.ranks:,} ranks: {found.algorithm}", {
        "bytes": f"{found.bytes_after:,} instead of {found.bytes_before:,}, {found.factor:.4g} times less",
        "most sent": f"{found.max_sent_after:,} bytes by a rank instead of {found.max_sent_before:,}",
        "messages": f"{found.messages_after:,} instead of {found.messages_before:,}",
        "formula": found.formula,
        "written": found.file,
    })  # fmt: skip
