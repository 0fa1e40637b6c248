"""What a training step moves: every collective and message of a rank, from which all volumes are summed.

A vector of D bytes in a group of n: an allreduce sends 2 (n - 1) D bytes in all, reduce-scatter, allgather
and alltoall (n - 1) D, a message D. `D` is the whole vector, of which a rank of an alltoall holds a D of its
own. With w bytes per word, microbatches of b samples, s tokens on a rank (a share of 1/cp), hidden size h and
V = w b s h:

    tp   a layer: 2 allreduces of V forward, 2 backward and 2 where forward is repeated; with `sequence_parallel` each
         is an allgather and a reduce-scatter (Shoeybi et al. 2019; Korthikanti et al. 2022), and attention's
         core alone is repeated from one more allgather
    ep   a layer with experts: 2 alltoalls of k V / tp forward (dispatch and combine) and 2 backward
    cp   a layer: an allgather of keys and values forward, one more and a reduce-scatter of their gradients
         backward; blocks that travel round a ring (ring attention) are as many bytes
    pp   V to the next part forward, V back; V / tp with `sequence_parallel` or `scatter`
    dp   an allreduce of the gradients, or a reduce-scatter and an allgather of the parameters (ZeRO-1, 2); with
         ZeRO-3 a reduce-scatter and two allgathers per microbatch

Embedding and head are counted apart, under `embedding`: their gradients, the allreduces of V that they need
over tp, and the gradient that the first and the last stage of a tied model add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import DIMENSIONS, Parallelism
from uet.workloads.pipelines.library import PIPELINES

FORWARD, BACKWARD, RECOMPUTE, STEP = "forward", "backward", "recompute", "step"
EMBEDDING = "embedding"

SHARES = {"allreduce": 2, "reducescatter": 1, "allgather": 1, "alltoall": 1}
"""Vectors that a member of a large group sends in each collective."""


@dataclass(frozen=True)
class Communication:
    """A collective of `vector_bytes` in a group of `members`, or a message (p2p) to one of another stage.

    `dimension` is what it is counted under, `group` says who takes part (see `Parallelism.group`), `phase` when.
    """

    dimension: str
    group: str
    kind: str
    vector_bytes: int
    members: int
    phase: str

    @property
    def group_bytes(self) -> int:
        """Bytes that all members of a group send together."""
        if self.kind == "p2p":
            return self.vector_bytes
        return SHARES[self.kind] * (self.members - 1) * self.vector_bytes

    @property
    def sent_bytes(self) -> Fraction:
        """Bytes that a member sends, on average over its group."""
        return Fraction(self.group_bytes, 1 if self.kind == "p2p" else self.members)


def layer_communications(model: Transformer, how: Parallelism, layer: int) -> list[Communication]:
    """Return what a rank does for a layer and a microbatch."""
    found = [*_tensor(model, how), *_context(model, how)]
    return found + (_experts(model, how) if model.has_experts(layer) else [])


def activation_bytes(model: Transformer, how: Parallelism) -> int:
    """Return the bytes of the activations between two layers of a microbatch on a rank, not divided by tp."""
    return how.word_bytes * how.micro_batch * (model.sequence // how.cp) * model.hidden


def _tensor(model: Transformer, how: Parallelism) -> list[Communication]:
    if how.tp == 1:
        return []
    phases = [FORWARD, BACKWARD, *([RECOMPUTE] if how.recompute == "full" else [])]
    kinds = ("allgather", "reducescatter") if how.sequence_parallel else ("allreduce",)
    vector = activation_bytes(model, how)
    found = [Communication("tp", "tp", k, vector, how.tp, phase) for phase in phases for _ in range(2) for k in kinds]
    if how.sequence_parallel and how.recompute == "selective":
        found.append(Communication("tp", "tp", "allgather", vector, how.tp, RECOMPUTE))
    return found


def _context(model: Transformer, how: Parallelism) -> list[Communication]:
    if how.cp == 1:
        return []
    kv = model.kv_size // (1 if model.kv_rank else min(how.tp, model.kv_heads))
    vector = how.word_bytes * how.micro_batch * model.sequence * kv
    plan = [(FORWARD, "allgather"), (BACKWARD, "allgather"), (BACKWARD, "reducescatter")]
    return [Communication("cp", "cp", kind, vector, how.cp, phase) for phase, kind in plan]


def _experts(model: Transformer, how: Parallelism) -> list[Communication]:
    if how.ep == 1:
        return []
    elements = how.micro_batch * (model.sequence // how.cp) * model.hidden * model.top_k // how.tp
    there, back = elements * how.dispatch_bytes, elements * how.word_bytes
    phases = [FORWARD, BACKWARD, *([RECOMPUTE] if how.recompute == "full" else [])]
    return [Communication("ep", "ep", "alltoall", size, how.ep, phase) for phase in phases for size in (there, back)]


def hop_bytes(model: Transformer, how: Parallelism) -> int:
    """Return the bytes that a rank sends to its neighbour stage for a microbatch."""
    return activation_bytes(model, how) // (how.tp if how.sequence_parallel or how.scatter else 1)


@dataclass(frozen=True)
class Held:
    """Parameters that one rank holds of some layers: `shared` over all replicas, `own` experts over few of them."""

    shared: int
    own: int


def held_of_layer(model: Transformer, how: Parallelism, layer: int) -> Held:
    """Return the parameters of a layer on a rank: matrices divided by tp, vectors whole, experts by ep as well."""
    t = how.tp
    shared = (model.attention_weights + model.layer_biases) // t + model.layer_vectors
    if not model.has_experts(layer):
        return Held(shared + model.mlp_weights // t, 0)
    return Held(shared + model.shared_weights // t, model.experts // how.ep * model.expert_weights // t)


def copies(how: Parallelism) -> int:
    """Return how often the model is there per rank of dp: twice in bidirectional pipelines."""
    return 2 if PIPELINES[how.schedule].both_ways and how.pp > 1 else 1


def gradient_communications(how: Parallelism, held: Held, dimension: str = "dp") -> list[Communication]:
    """Return what the gradients (and parameters) of some held parameters need in a step, per microbatch in ZeRO-3."""
    found = []
    for group, elements, members in (
        ("replica", held.shared, how.replicas * copies(how)),
        ("expert-replica", held.own, how.replicas // how.ep * copies(how)),
    ):
        if not elements or members == 1:
            continue
        gradient, parameter = elements * how.gradient_bytes, elements * how.word_bytes
        if how.zero == 0:
            kinds = [("allreduce", gradient, STEP)]
        elif how.zero < 3:
            kinds = [("reducescatter", gradient, STEP), ("allgather", parameter, STEP)]
        else:
            kinds = [("allgather", parameter, phase) for phase in (FORWARD, BACKWARD)]
            kinds.append(("reducescatter", gradient, BACKWARD))
        found += [Communication(dimension, group, kind, size, members, phase) for kind, size, phase in kinds]
    return found


def embedding_held(model: Transformer, how: Parallelism, first: bool, last: bool) -> Held:
    """Return the parameters of embedding and head on a rank of the first or last stage (or of both)."""
    if not model.vocabulary:
        return Held(0, 0)
    t, vectors, shared = how.tp, (1 if model.rms_norm else 2) * model.hidden, 0
    if first:
        shared += model.head_parameters // t + (model.embedding_parameters - model.head_parameters)
    if last:
        shared += vectors
        if not (first and model.tied):
            shared += model.head_parameters // t
    return Held(shared, 0)


def embedding_communications(model: Transformer, how: Parallelism, first: bool, last: bool) -> list[Communication]:
    """Return what embedding (forward) and head (backward) do over tp for a microbatch."""
    if how.tp == 1 or not model.vocabulary:
        return []
    kinds = ("reducescatter", "allgather") if how.sequence_parallel else ("allreduce", "allreduce")
    vector, ends = activation_bytes(model, how), zip(kinds, (FORWARD, BACKWARD), (first, last), strict=True)
    return [Communication(EMBEDDING, "tp", kind, vector, how.tp, phase) for kind, phase, here in ends if here]


def tied_communication(model: Transformer, how: Parallelism) -> list[Communication]:
    """Return what adds up the two gradients of an embedding that is also the head, if they are on two stages."""
    if how.pp == 1 or not model.tied or not model.vocabulary or copies(how) == 2:
        return []
    size = model.head_parameters // how.tp * how.gradient_bytes
    return [Communication(EMBEDDING, "ends", "allreduce", size, 2, STEP)]


Times = tuple[Communication, int]
"""A communication and how often a rank does it in a step."""


def hosted(how: Parallelism, microbatches: int, stage: int) -> list[tuple[int, int]]:
    """Return the parts that a stage works on, each with how many microbatches pass it there."""
    if copies(how) == 2:
        return [(stage, (microbatches + 1) // 2), (how.pp - 1 - stage, microbatches // 2)]
    return [(chunk * how.pp + stage, microbatches) for chunk in range(how.chunks)]


def step_communications(model: Transformer, how: Parallelism, batch: int, stage: int) -> Iterator[Times]:
    """Yield what a rank of a stage does in a step of `batch` samples."""
    microbatches, layers_of = how.microbatches(batch), how.layers_of(model)
    for part, passing in hosted(how, microbatches, stage):
        first, last = part == 0, part == how.parts - 1
        kinds = [layers for layers in _alike(model, layers_of[part]) if layers]
        held = [(held_of_layer(model, how, layers[0]), "dp", len(layers)) for layers in kinds]
        held.append((embedding_held(model, how, first, last), EMBEDDING, 1))
        for layers in kinds:
            yield from ((c, passing * len(layers)) for c in layer_communications(model, how, layers[0]))
        yield from ((c, passing) for c in embedding_communications(model, how, first, last))
        for parameters, name, times in held:
            often = times * passing if how.zero == 3 else times
            yield from ((c, often) for c in gradient_communications(how, parameters, name))
        hop = hop_bytes(model, how)
        yield from ((Communication("pp", "pp", "p2p", hop, 2, BACKWARD), passing) for _ in range(not first))
        yield from ((Communication("pp", "pp", "p2p", hop, 2, FORWARD), passing) for _ in range(not last))
    if stage in (0, how.pp - 1):
        yield from ((c, 1) for c in tied_communication(model, how))


def _alike(model: Transformer, layers: range) -> tuple[range, range]:
    """Split layers into those without and those with experts."""
    edge = min(max(layers.start, model.dense_layers if model.experts else layers.stop), layers.stop)
    return range(layers.start, edge), range(edge, layers.stop)


@dataclass(frozen=True)
class Volumes:
    """Bytes of a step by dimension: sent by all ranks (`total_bytes`) and by the rank that sends most (`rank_bytes`);
    the sizes of its vectors and messages, added up (`vector_bytes`), and how many they are (`counts`).
    """

    total_bytes: dict[str, int]
    rank_bytes: dict[str, int]
    vector_bytes: dict[str, int]
    counts: dict[str, int]


def volumes(model: Transformer, how: Parallelism, batch: int) -> Volumes:
    """Return the bytes of a training step of `batch` samples by dimension. Raises BadInput if they do not fit."""
    how.check(model)
    names, ranks = (*DIMENSIONS, EMBEDDING), how.ranks // how.pp
    total = dict.fromkeys(names, Fraction(0))
    most = {name: (Fraction(0), 0, 0) for name in names}
    for stage in range(how.pp):
        sums = {name: (Fraction(0), 0, 0) for name in names}
        for c, times in step_communications(model, how, batch, stage):
            total[c.dimension] += times * ranks * c.sent_bytes
            sent, vector, count = sums[c.dimension]
            sums[c.dimension] = sent + times * c.sent_bytes, vector + times * c.vector_bytes, count + times
        most = {name: max(most[name], sums[name]) for name in names}
    return Volumes({name: int(n) for name, n in total.items()}, *(
        {name: round(row[k]) for name, row in most.items()} for k in range(3)
    ))  # fmt: skip
