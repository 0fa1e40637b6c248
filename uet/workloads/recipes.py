"""How known models were trained, for whatever a user leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from uet.base.spec import check
from uet.base.values import StrictModel
from uet.workloads.models.transformer import Transformer
from uet.workloads.parallelism import Parallelism


class Recipe(StrictModel):
    """Degrees and batch of a published run, its hardware, and the other fields of `Parallelism`.

    `interleave`: chunks per stage, `none`, the `fewest` above one that deal the layers evenly, or `all`, one for
    every layer.
    """

    tp: int = 1
    pp: int = 1
    ep: int = 1
    batch: int = 1024
    hardware: str = "h100"
    interleave: Literal["none", "fewest", "all"] = "fewest"
    others: Mapping[str, Any] = {"sequence_parallel": True, "causal": True, "zero": 1}
    source: str = ""


_SC21: dict[str, Any] = {
    "hardware": "a100", "others": {"recompute": "full", "scatter": True, "overlap": False},
    "source": "Narayanan et al., Megatron-LM, SC21",
}  # fmt: skip
RECIPES: Mapping[str, Recipe] = {
    "gpt3-175b": Recipe(tp=8, pp=8, batch=1536, **_SC21),
    "megatron-1.7b": Recipe(batch=512, **_SC21),
    "megatron-3.6b": Recipe(tp=2, batch=512, **_SC21),
    "megatron-7.5b": Recipe(tp=4, batch=512, **_SC21),
    "megatron-18b": Recipe(tp=8, **_SC21),
    "megatron-22b": Recipe(tp=8, batch=4, **_SC21),
    "megatron-39b": Recipe(tp=8, pp=2, batch=1536, **_SC21),
    "megatron-76b": Recipe(tp=8, pp=4, batch=1792, **_SC21),
    "megatron-146b": Recipe(tp=8, pp=8, batch=2304, **_SC21),
    "megatron-310b": Recipe(tp=8, pp=16, batch=2160, **_SC21),
    "megatron-530b": Recipe(tp=8, pp=35, batch=2520, **_SC21),
    "megatron-1t": Recipe(tp=8, pp=64, batch=3072, **_SC21),
    "llama3-405b": Recipe(
        tp=8, pp=16, batch=2048, interleave="all",
        others={"sequence_parallel": True, "causal": True, "zero": 2, "gradient_bytes": 4},
        source="Llama Team, arXiv 2407.21783, section 3.3 and table 4; chunks of one layer",
    ),
    "deepseek-v3": Recipe(
        pp=16, ep=64, batch=15360, hardware="h800", interleave="none",
        others={"schedule": "dualpipe", "causal": True, "zero": 1, "dispatch_bytes": 1, "order": "tp,cp,dp,pp"},
        source="DeepSeek-AI, arXiv 2412.19437, section 3.2",
    ),
}  # fmt: skip
"""Published runs by model."""


def recipe_of(model: Transformer) -> Recipe:
    """Return how a model was trained; for others what is usual: sequence parallelism, one attention kernel, ZeRO-1."""
    return RECIPES.get(model.name, Recipe())


def complete(model: Transformer, given: Mapping[str, Any], batch: int | None) -> tuple[Parallelism, int]:
    """Return the parallelism and batch from what is given; the rest is the recipe's.

    Degrees that are not given are 1. Without a schedule, layers are interleaved as in the recipe if the microbatches
    allow it; schedules that the recipe has but the numbers do not allow become 1F1B. Raises BadInput.
    """
    recipe = recipe_of(model)
    stated = {key: value for key, value in given.items() if value is not None}
    if str(stated.get("chunks", 1)) != "1":
        stated.setdefault("schedule", "interleaved")
    how = check(Parallelism, {**recipe.others, **stated}, model.name)
    batch = recipe.batch if batch is None else batch
    if how.tp == 1 and "sequence_parallel" not in stated:
        how = how.model_copy(update={"sequence_parallel": False})
    if "chunks" in stated or how.pp == 1 or stated.get("schedule", "interleaved") != "interleaved":
        return how, batch
    return how.model_copy(update=_schedule(model, how, recipe, how.microbatches(batch))), batch


def _schedule(model: Transformer, how: Parallelism, recipe: Recipe, microbatches: int) -> dict[str, Any]:
    """Return the schedule and chunks of a recipe, or 1F1B where the numbers do not allow them."""
    if how.schedule == "dualpipe" and (how.pp % 2 or microbatches % 2 or microbatches < 2 * how.pp):
        return {"schedule": "1f1b"}
    if how.schedule not in ("1f1b", "interleaved") or recipe.interleave == "none" or microbatches % how.pp:
        return {}
    spare = model.ends if -model.layers % how.pp else 0
    depth = (model.layers + spare) // how.pp
    fits = [chunks for chunks in range(2, depth + 1) if -model.layers % (how.pp * chunks) <= spare]
    if not fits:
        return {}
    return {"schedule": "interleaved", "chunks": fits[-1] if recipe.interleave == "all" else fits[0]}
