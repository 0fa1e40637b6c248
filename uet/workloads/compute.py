"""What a rank computes for a layer and a microbatch, and how long that takes on a roofline.

Matrices and attention run at a share of the floating-point peak, elementwise kernels at a share of the
memory's bandwidth: they write and read every activation that is kept for backward once, and backward does so
twice. Kept bytes per token of a plain layer of 16-bit words are (10 h + 24 h/t + 5 a s/t) (Korthikanti et al.,
arXiv 2205.05198, equation 2), the 10 h divided by t too with sequence parallelism; the last term, scores
of attention, is absent where attention is one kernel (`causal`).
"""

from __future__ import annotations

from dataclasses import dataclass

from uet.workloads.hardware import Hardware
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism

ADAM_BYTES = 28
"""Memory traffic per parameter: master copy and two moments read and written, gradient read, parameter written."""


@dataclass(frozen=True)
class Work:
    """Operations and bytes of memory traffic."""

    flop: float
    memory_bytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.flop + other.flop, self.memory_bytes + other.memory_bytes)

    def times(self, factor: float) -> Work:
        """Return so many times the work."""
        return Work(self.flop * factor, self.memory_bytes * factor)

    def seconds(self, hardware: Hardware) -> float:
        """Return how long it takes."""
        peak = hardware.peak_tflops * 1e12 * hardware.efficiency.matmul
        return self.flop / peak + self.memory_bytes / (hardware.memory_gbps * 1e9 / 8 * hardware.efficiency.memory)


def kept_bytes(model: Transformer, how: Parallelism, layer: int) -> float:
    """Return the bytes of activations per token that a rank keeps for the backward pass of a layer, scores aside."""
    w, t, h = how.word_bytes, how.tp, model.hidden
    whole = 4 * w * h + (0 if model.rms_norm else 2 * h)  # inputs of norms and of the first matrices; masks of dropout
    inner = model.ffn
    if model.has_experts(layer):
        inner = (model.top_k + model.shared_experts) * model.expert_ffn
    attention = 2 * model.query_size + model.kv_size
    return whole / (t if how.sequence_parallel else 1) + w * (attention + (3 if model.gated else 2) * inner) / t


def score_bytes(model: Transformer, how: Parallelism) -> float:
    """Return the bytes of scores per token: those of softmax, of dropout and its mask."""
    return 0.0 if how.causal else (2 * how.word_bytes + 1) * model.heads * model.sequence / how.tp


def forward(model: Transformer, how: Parallelism, layer: int) -> Work:
    """Return the forward pass of a microbatch through a layer."""
    tokens = how.micro_batch * model.sequence / how.cp
    flop = (model.matmul_flop(layer) + model.attention_flop(how.causal)) / how.tp
    return Work(tokens * flop, tokens * 2 * (kept_bytes(model, how, layer) + score_bytes(model, how)))


def backward(model: Transformer, how: Parallelism, layer: int) -> Work:
    """Return the backward pass, with what it repeats of the forward pass."""
    found = forward(model, how, layer).times(2)
    if how.recompute == "full":
        return found + forward(model, how, layer)
    return found + core(model, how) if how.recompute == "selective" else found


def core(model: Transformer, how: Parallelism) -> Work:
    """Return attention's scores, softmax and weighted values alone."""
    tokens = how.micro_batch * model.sequence / how.cp
    return Work(tokens * model.attention_flop(how.causal) / how.tp, tokens * 2 * score_bytes(model, how))


def head(model: Transformer, how: Parallelism) -> Work:
    """Return the forward pass through the output head: its matrix, and logits in 4 bytes that are kept."""
    tokens = how.micro_batch * model.sequence / how.cp
    return Work(tokens * 2 * model.head_parameters / how.tp, tokens * 2 * 4 * model.vocabulary / how.tp)
