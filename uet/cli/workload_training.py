"""`uet workload make llm|pipeline`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from uet.base.units import format_bytes
from uet.cli.options import parse_settings, shared
from uet.cli.output import finish, print_facts, print_table, working

if TYPE_CHECKING:
    from uet.api.training import TrainingStep

_DEGREE = click.IntRange(1)


def _degree(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(f"--{name}", metavar="N", type=_DEGREE, help=f"{what} [1].")


@click.command()
@click.option("--model", metavar="NAME", required=True, help="llama3-405b, gpt3-175b, ..., or a .yaml file of sizes.")
@_degree("tp", "Tensor-parallel degree")
@_degree("pp", "Pipeline stages")
@_degree("dp", "Data-parallel degree")
@_degree("ep", "Expert-parallel degree, of the dp times cp ranks")
@_degree("cp", "Context-parallel degree")
@click.option("--ranks", metavar="N", type=_DEGREE, help="Ranks in all; gives dp if that is left out.")
@click.option("--zero", metavar="0-3", type=click.IntRange(0, 3), help="What dp ranks share out; 3 is FSDP.")
@click.option("--schedule", metavar="NAME", help="gpipe, 1f1b, interleaved, chimera, zero-bubble or dualpipe.")
@click.option("--chunks", metavar="N", type=_DEGREE, help="Chunks of layers per stage, interleaved.")
@click.option("--global-batch", metavar="N", type=_DEGREE, help="Samples of a step [the model's published run].")
@click.option("--micro-batch", metavar="N", type=_DEGREE, help="Samples of a microbatch [1].")
@click.option("--seq", "sequence", metavar="N", type=_DEGREE, help="Tokens of a sample [the model's].")
@click.option("--sequence-parallel/--no-sequence-parallel", default=None, help="Share out norms over tp as well.")
@click.option("--recompute", metavar="WHAT", help="none, selective or full.")
@click.option("--order", metavar="DIM,...", help="Dimensions along the ranks, the innermost first [tp,cp,pp,dp].")
@click.option("--hardware", metavar="NAME", help="a100, h100, ..., or a .yaml file.")
@click.option("--layers", metavar="N", type=_DEGREE, help="Keep only so many layers, no embedding and head.")
@click.option("--microbatches", metavar="N", type=_DEGREE, help="Keep only so many microbatches of every rank.")
@click.option(
    "--algorithm", "algorithms", metavar="KIND=NAME", multiple=True, help="Such as allreduce=rabenseifner [rings]."
)
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Another field: causal, overlap, scatter, ..."
)
@click.option(
    "--reduce-ps-per-byte", metavar="PS", type=click.FloatRange(0), default=0.0, show_default=True,
    help="What reductions take; they become calcs.",
)  # fmt: skip
@click.option(
    "--coarse", is_flag=True, help="Write few operations, for the flow level: islands as computing, rings as a message."
)
@click.option("--out", "file", metavar="FILE", help="Write the step as .goal (text) or .bin.")
@shared("json", "quiet", "force", "verbose")
def llm(
    model: str, ranks: int | None, global_batch: int | None, sequence: int | None, layers: int | None,
    microbatches: int | None, hardware: str | None, algorithms: tuple[str, ...], settings: tuple[str, ...],
    reduce_ps_per_byte: float, coarse: bool, file: str | None, as_json: bool, quiet: bool, force: bool, verbose: bool,
    **deal: Any,
) -> None:  # fmt: skip
    """Report a training step of a language model, and write it as a GOAL file with --out.

    What is left open is as the model was trained, or usual: sequence parallelism, ZeRO-1, interleaved layers.
    A file has all operations of all ranks; keep a few --layers and --microbatches of a large step, whose messages
    do not change with that.
    """
    import uet

    parallelism = {**deal, **parse_settings(settings, "--set", "overlap=false")}
    with working(quiet, verbose) as say:
        found = uet.make_llm(
            model, parallelism, global_batch=global_batch, ranks=ranks, sequence=sequence, layers=layers,
            microbatches=microbatches, hardware=hardware, reduce_ps_per_byte=reduce_ps_per_byte, coarse=coarse,
            file=file, force=force, algorithms=parse_settings(algorithms, "--algorithm", "allreduce=ring"), say=say,
        )  # fmt: skip
    finish("workload.make", found.as_dict(), as_json)
    if not as_json:
        _print(found)


def _print(found: TrainingStep) -> None:
    deal = found.parallelism
    degrees = " ".join(f"{name}={deal[name]}" for name in ("tp", "cp", "pp", "dp", "ep") if deal[name] > 1)
    print_facts(f"{found.model} on {found.ranks:,} {found.hardware}", {
        "parallelism": f"{degrees or 'none'}, zero={deal['zero']}, {deal['schedule']} with {deal['chunks']} chunks",
        "step": f"{found.step_time_s:,.4g} s by the step model, {found.tokens_per_s:,.0f} tokens/s",
        "rate": f"{found.tflops_per_rank:,.1f} TFLOP/s per rank, {found.mfu:.1%} of the peak",
        "batch": f"{found.global_batch:,} samples of {found.sequence:,} tokens, {found.microbatches:,} microbatches",
        "bubble": f"{found.bubble_fraction:.1%} of the pipeline's time",
        "memory": f"{format_bytes(found.memory_bytes['total'])} on the fullest rank",
        "messages": f"{found.messages:,} with {format_bytes(found.total_bytes)}",
        "file": found.file or "none; ask for one with --out",
    })  # fmt: skip
    spent = {"compute": found.compute_s, "bubble": found.bubble_s, "optimizer": found.optimizer_s}
    rows = [(name, f"{seconds:.4g}", "", "") for name, seconds in spent.items()]
    rows += [
        (name, f"{found.exposed_s[name]:.4g}", format_bytes(found.rank_bytes_by[name]), format_bytes(size))
        for name, size in found.bytes_by.items()
        if size
    ]
    print_table("Where the step goes", ("part", "seconds", "sent by a rank", "by all"), rows)


@click.command()
@click.option(
    "--schedule", metavar="NAME", required=True, help="gpipe, 1f1b, interleaved, chimera, zero-bubble, dualpipe."
)
@click.option("--stages", metavar="D", type=_DEGREE, required=True, help="Stages.")
@click.option("--microbatches", metavar="N", type=_DEGREE, required=True, help="Microbatches.")
@click.option(
    "--chunks", metavar="N", type=_DEGREE, default=1, show_default=True, help="Chunks per stage, interleaved."
)
@click.option(
    "--backward-slots", metavar="N", type=click.IntRange(1, 100), default=1, show_default=True,
    help="Slots of a backward pass; a forward pass takes one.",
)  # fmt: skip
@shared("json", "verbose")
def pipeline(
    schedule: str, stages: int, microbatches: int, chunks: int, backward_slots: int, as_json: bool, verbose: bool
) -> None:
    """Show who works on which microbatch when.

    A cell says microbatch@direction@kind: f forward, b backward and, where that is split, w for the gradient of
    the weights.
    """
    import uet

    found = uet.make_pipeline(schedule, stages, microbatches, chunks=chunks, backward_slots=backward_slots)
    finish("workload.make", found.as_dict(), as_json)
    if not as_json:
        rows = [(k, *(cell.replace("@down", "").replace("@", "") for cell in row)) for k, row in enumerate(found.table)]
        print_table(
            f"{schedule}: {found.makespan_slots} slots, {found.bubble_fraction:.1%} of them idle",
            ("slot", *(f"stage {s}" for s in range(stages))), rows, f"forward passes kept: {found.kept}",
        )  # fmt: skip
