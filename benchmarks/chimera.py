"""Chimera beside synchronous and asynchronous pipelines, each with its best degrees that fit into memory.

python benchmarks/chimera.py

The setting of Li and Hoefler, "Chimera", SC21, section 4, as recalled: GPT-2 with 64 layers (1.39 billion
parameters), samples of 632 tokens, on 512 to 2,048 nodes of Piz Daint with one P100 of 16 GB each, as many samples per
step as nodes. Every schedule takes the number of stages, the microbatch and, only if memory asks for it, the
repeated forward pass that make it fastest by the step model. PipeDream-2BW has no bubbles and two versions of the
parameters. PipeDream adds up gradients after every microbatch, which is as many samples per step as it can take,
and stage i keeps D - i versions. Words are of 4 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from uet.base.errors import BadInput
from uet.workloads.hardware import Hardware
from uet.workloads.memory import memory
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism
from uet.workloads.step import StepModel

GPT2 = Transformer(
    name="gpt2-1.4b", layers=64, hidden=1280, heads=20, ffn=5120, vocabulary=50257, sequence=632, bias=True, tied=False,
    positions=True,
)  # fmt: skip
P100 = Hardware(name="p100", peak_tflops=9.5, memory_gbps=5856, island=1, island_gbps=82, network_gbps=82)
ROOM_BYTES = 16e9
SYNCHRONOUS = {"GPipe": "gpipe", "DAPPLE": "1f1b", "Chimera": "chimera"}


@dataclass(frozen=True)
class Choice:
    """How a schedule is used at its best."""

    samples_per_s: float
    stages: int
    microbatch: int
    repeated: bool

    def __str__(self) -> str:
        repeated = " repeated" if self.repeated else ""
        return f"{self.samples_per_s:8.1f}/s D={self.stages:<2} b={self.microbatch:<2}{repeated:9}"


def best(name: str, nodes: int) -> Choice:
    """Return the fastest use of a schedule on so many nodes."""
    return max(choices(name, nodes), key=lambda c: c.samples_per_s)


def choices(name: str, nodes: int) -> Iterator[Choice]:
    for stages in (2, 4, 8, 16, 32):
        for micro in (1, 2, 4, 8, 16):
            for recompute in ("none", "full"):
                found = rate(name, nodes, stages, micro, recompute)
                if found is not None:
                    yield Choice(found, stages, micro, recompute == "full")
                    break


def rate(name: str, nodes: int, stages: int, micro: int, recompute: str) -> float | None:
    """Return samples per second, None if the numbers do not go or memory is too small."""
    replicas, batch = nodes // stages, nodes
    how = Parallelism.model_validate({
        "pp": stages, "dp": replicas, "micro_batch": micro, "recompute": recompute, "word_bytes": 4,
        "gradient_bytes": 4, "schedule": SYNCHRONOUS.get(name, "1f1b"),
    })  # fmt: skip
    try:
        steps = StepModel(GPT2, how, P100)
        table = steps.table(how.microbatches(batch))
    except BadInput:
        return None
    kept = memory(GPT2, how, table)
    versions = {"PipeDream": stages - 1, "PipeDream-2BW": 1}.get(name, 0)
    if kept.total_bytes + versions * kept.parameters > ROOM_BYTES:
        return None
    if name in SYNCHRONOUS:
        return batch / steps.step(batch).total_s
    one = steps.step(replicas * micro if name == "PipeDream" else batch)
    busy = one.compute_s + one.exposed_s["dp"] + one.exposed_s["embedding"] + one.optimizer_s
    return (replicas * micro if name == "PipeDream" else batch) / busy


def main() -> None:
    print(f"{GPT2.parameters:,} parameters")
    for nodes in (512, 1024, 2048):
        ours = best("Chimera", nodes)
        print(f"\n{nodes} nodes\n{'Chimera':14} {ours}")
        for name in ("GPipe", "DAPPLE", "PipeDream", "PipeDream-2BW"):
            other = best(name, nodes)
            print(f"{name:14} {other}   gain of Chimera {ours.samples_per_s / other.samples_per_s:.2f}")


if __name__ == "__main__":
    main()
