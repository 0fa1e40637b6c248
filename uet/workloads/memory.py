"""What a rank keeps in memory during a training step.

Parameters and gradients in their words, 12 bytes per parameter of the optimizer (a master copy and two moments in 4
bytes each), each shared out over the replicas as ZeRO says; and the activations of all forward passes that wait for
their backward pass. With full recomputation of a layer only its input stays; the layer that is being repeated
is in memory whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from uet.workloads import compute
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism
from uet.workloads.pipelines.table import PipelineTable
from uet.workloads.volumes import activation_bytes, embedding_held, held_of_layer, hosted

OPTIMIZER_BYTES = 12


@dataclass(frozen=True)
class Memory:
    """Bytes of the rank that keeps most."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total_bytes(self) -> int:
        """All of them."""
        return self.parameters + self.gradients + self.optimizer + self.activations

    def as_dict(self) -> dict[str, int]:
        """Return the parts and the total as plain data."""
        return {**self.__dict__, "total": self.total_bytes}


def memory(model: Transformer, how: Parallelism, table: PipelineTable) -> Memory:
    """Return what the fullest rank keeps under a pipeline's table."""
    kept = table.in_flight()
    return max((_stage(model, how, stage, kept[stage]) for stage in range(how.pp)), key=lambda m: m.total_bytes)


def _stage(model: Transformer, how: Parallelism, stage: int, in_flight: int) -> Memory:
    shared = own = 0
    layers_of, layers = how.layers_of(model), 0
    parts = [part for part, _ in hosted(how, 2, stage)]
    for part in parts:
        held = [held_of_layer(model, how, layer) for layer in layers_of[part]]
        held.append(embedding_held(model, how, part == 0, part == how.parts - 1))
        shared, own = shared + sum(h.shared for h in held), own + sum(h.own for h in held)
        layers = max(layers, len(layers_of[part]))

    def spread(level: int) -> float:
        if how.zero < level:
            return float(shared + own)
        return shared / how.replicas + own / (how.replicas // how.ep)

    layer = layers_of[parts[-1]][-1] if layers_of[parts[-1]] else 0
    return Memory(
        round(spread(3) * how.word_bytes), round(spread(2) * how.gradient_bytes), round(spread(1) * OPTIMIZER_BYTES),
        _activations(model, how, layer, layers * in_flight),
    )  # fmt: skip


def _activations(model: Transformer, how: Parallelism, layer: int, kept_layers: int) -> int:
    """Return the bytes of so many layers' activations of a microbatch."""
    tokens = how.micro_batch * model.sequence / how.cp
    whole = compute.kept_bytes(model, how, layer) + compute.score_bytes(model, how)
    if how.recompute == "full":
        inputs = activation_bytes(model, how) / (how.tp if how.sequence_parallel else 1)
        return round(kept_layers * inputs + tokens * whole)
    scores = compute.score_bytes(model, how) if how.recompute == "none" else 0.0
    return round(kept_layers * tokens * (compute.kept_bytes(model, how, layer) + scores))
