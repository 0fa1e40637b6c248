"""Transformers: dense or with experts, with grouped or latent attention, plain or gated feed-forward layers.

Floating-point operations count two per multiply-add; attention is counted in full, as Narayanan et al.
(Megatron-LM, SC21, appendix) do; `causal` halves it for kernels that skip the masked half.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from uet.base.values import StrictModel

Count = Annotated[int, Field(ge=1, le=10**9)]
Some = Annotated[int, Field(ge=0, le=10**9)]


class Transformer(StrictModel):
    """Sizes of a transformer; lengths are elements, `sequence` tokens of a sample.

    `kv_heads` [heads] and `head_size` [hidden / heads] default to plain attention. Latent attention has
    `kv_rank`, `query_rank`, `rope_size` and `value_size`. With `experts`, all layers but the first
    `dense_layers` have them: `top_k` of `expert_ffn` see a token, and `shared_experts` every token.
    `ends` is how many layers embedding, head and the like count as when layers are dealt to pipeline
    stages. `vocabulary` 0 leaves embedding and head out.
    """

    name: str = "transformer"
    layers: Count
    hidden: Count
    heads: Count
    ffn: Count
    vocabulary: Some
    sequence: Count
    kv_heads: Some = 0
    head_size: Some = 0
    gated: bool = False
    bias: bool = False
    rms_norm: bool = False
    tied: bool = True
    positions: bool = False
    experts: Some = 0
    top_k: Some = 0
    expert_ffn: Some = 0
    shared_experts: Some = 0
    dense_layers: Some = 0
    kv_rank: Some = 0
    query_rank: Some = 0
    rope_size: Some = 0
    value_size: Some = 0
    ends: Some = 0
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _plain_attention(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(values.get("heads"), int) and values["heads"] > 0:
            values = dict(values)
            values["kv_heads"] = values.get("kv_heads") or values["heads"]
            if not values.get("head_size") and isinstance(values.get("hidden"), int):
                values["head_size"] = values["hidden"] // values["heads"]
            values["value_size"] = values.get("value_size") or values.get("head_size", 0)
        return values

    @model_validator(mode="after")
    def _fits(self) -> Transformer:
        if self.heads % self.kv_heads:
            raise ValueError(f"kv_heads={self.kv_heads} must divide heads={self.heads}")
        if self.experts and not 1 <= self.top_k <= self.experts:
            raise ValueError(f"top_k={self.top_k} must lie in 1..{self.experts}, the experts")
        if self.experts and not self.expert_ffn:
            raise ValueError("expert_ffn is missing; state the inner size of an expert")
        if not self.experts and (self.top_k or self.expert_ffn or self.shared_experts or self.dense_layers):
            raise ValueError("top_k, expert_ffn, shared_experts and dense_layers need experts; state how many")
        if self.dense_layers > self.layers:
            raise ValueError(f"dense_layers={self.dense_layers} is more than layers={self.layers}")
        return self

    def with_layers(self, layers: int) -> Transformer:
        """Return the same model with the first `layers` layers only, dealt evenly."""
        dense = min(self.dense_layers, layers - 1) if self.experts else 0
        return self.model_validate(self.model_dump() | {"layers": layers, "dense_layers": dense, "ends": 0})

    @property
    def moe_layers(self) -> int:
        """Layers with experts; they are the last ones."""
        return self.layers - self.dense_layers if self.experts else 0

    def has_experts(self, layer: int) -> bool:
        """Whether a layer (from 0 on) has experts."""
        return bool(self.experts) and layer >= self.dense_layers

    @property
    def query_size(self) -> int:
        """Elements of a token's queries."""
        return self.heads * self.head_size

    @property
    def kv_size(self) -> int:
        """Elements of a token's keys and values that context parallelism gathers and a cache keeps."""
        if self.kv_rank:
            return self.kv_rank + self.rope_size
        return 2 * self.kv_heads * self.head_size

    @property
    def attention_weights(self) -> int:
        """Elements of the matrices of a layer's attention."""
        h, out = self.hidden, self.heads * self.value_size * self.hidden
        if not self.kv_rank:
            return h * (self.query_size + self.kv_size) + out
        rank = self.query_rank
        queries = h * rank + rank * self.query_size if rank else h * self.query_size
        spread = self.kv_rank * self.heads * (self.head_size - self.rope_size + self.value_size)
        return queries + h * self.kv_size + spread + out

    def _feed_forward(self, inner: int) -> int:
        return (3 if self.gated else 2) * self.hidden * inner

    @property
    def mlp_weights(self) -> int:
        """Elements of the matrices of a dense feed-forward layer."""
        return self._feed_forward(self.ffn)

    @property
    def expert_weights(self) -> int:
        """Elements of the matrices of one expert."""
        return self._feed_forward(self.expert_ffn)

    @property
    def shared_weights(self) -> int:
        """Elements that every token meets in a layer with experts: shared experts and the router."""
        return self.shared_experts * self.expert_weights + self.hidden * self.experts

    @property
    def layer_vectors(self) -> int:
        """Elements of norms and output biases of a layer, which tensor parallelism does not divide."""
        norms = (2 if self.rms_norm else 4) * self.hidden + (self.query_rank + self.kv_rank)
        return norms + (2 * self.hidden if self.bias else 0)

    @property
    def layer_biases(self) -> int:
        """Elements of biases of a layer that are divided with their matrices."""
        return self.query_size + self.kv_size + self.ffn if self.bias else 0

    def layer_parameters(self, layer: int) -> int:
        """Parameters of a layer, of all its experts."""
        common = self.attention_weights + self.layer_vectors + self.layer_biases
        if self.has_experts(layer):
            return common + self.shared_weights + self.experts * self.expert_weights
        return common + self.mlp_weights

    @property
    def embedding_parameters(self) -> int:
        """Parameters of the embedding, of positions too if they are learned."""
        return (self.vocabulary + (self.sequence if self.positions else 0)) * self.hidden

    @property
    def head_parameters(self) -> int:
        """Parameters of the output head, which a tied model shares with its embedding."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters."""
        layers = self.dense_layers * self.layer_parameters(0) if self.experts else 0
        layers += (self.layers - (self.dense_layers if self.experts else 0)) * self.layer_parameters(self.layers - 1)
        ends = self.embedding_parameters + (0 if self.tied else self.head_parameters)
        return layers + ends + (1 if self.rms_norm else 2) * self.hidden

    @property
    def expert_parameters(self) -> int:
        """Parameters in routed experts."""
        return self.moe_layers * self.experts * self.expert_weights

    @property
    def active_parameters(self) -> int:
        """Parameters that a token meets."""
        return self.parameters - self.moe_layers * (self.experts - self.top_k) * self.expert_weights

    def matmul_flop(self, layer: int) -> int:
        """Return what the forward pass of a token costs in the matrices of a layer."""
        if self.has_experts(layer):
            seen = self.shared_weights + self.top_k * self.expert_weights
        else:
            seen = self.mlp_weights
        return 2 * (self.attention_weights + seen)

    def attention_flop(self, causal: bool = False) -> float:
        """Return what the forward pass of a token costs in scores and weighted values of a layer."""
        pairs = self.sequence / 2 if causal else self.sequence
        return 2 * pairs * self.heads * (self.head_size + self.value_size)

    def forward_flop(self, causal: bool = False) -> float:
        """Return what the forward pass of a token costs in the whole model, head included."""
        layers = sum(self.matmul_flop(k) for k in range(self.layers))
        return layers + self.layers * self.attention_flop(causal) + 2 * self.head_parameters

    def step_flop(self, tokens: float, recomputed: bool = False, causal: bool = False) -> float:
        """Return the operations of a training step: backward costs twice forward, recomputing once more.

        Without experts and with plain sizes: 72 (recomputed 96) B s l h^2 (1 + s/6h) plus the head's 6 B s h V,
        which is never recomputed (Narayanan et al., SC21, equation 3).
        """
        head = 2 * self.head_parameters
        body = self.forward_flop(causal) - head
        return tokens * ((4 if recomputed else 3) * body + 3 * head)
