"""Known transformers by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from uet.base.errors import BadInput, nearest
from uet.base.spec import check, is_file, read_mapping
from uet.workloads.models.transformer import Transformer

_MEGATRON = "Narayanan et al., Megatron-LM, SC21"
_SEQUENCE = "Korthikanti et al., arXiv 2205.05198"
_LLAMA = "Llama Team, The Llama 3 Herd of Models, arXiv 2407.21783"


def _gpt(name: str, layers: int, hidden: int, heads: int, source: str, **more: Any) -> Transformer:
    return Transformer(
        name=name, layers=layers, hidden=hidden, heads=heads, ffn=4 * hidden, vocabulary=51200, sequence=2048,
        bias=True, positions=True, source=source, **more,
    )  # fmt: skip


def _llama(name: str, layers: int, hidden: int, heads: int, ffn: int, ends: int = 0) -> Transformer:
    return Transformer(
        name=name, layers=layers, hidden=hidden, heads=heads, ffn=ffn, vocabulary=128256, sequence=8192, kv_heads=8,
        gated=True, rms_norm=True, tied=False, ends=ends, source=_LLAMA,
    )  # fmt: skip


_KNOWN = (
    _gpt("gpt3-13b", 40, 5140, 40, "Brown et al., arXiv 2005.14165, table 2.1", head_size=128),
    _gpt("gpt3-175b", 96, 12288, 96, "Brown et al., arXiv 2005.14165; vocabulary padded as by " + _MEGATRON),
    _gpt("megatron-1.7b", 24, 2304, 24, _MEGATRON),
    _gpt("megatron-3.6b", 30, 3072, 32, _MEGATRON),
    _gpt("megatron-7.5b", 36, 4096, 32, _MEGATRON),
    _gpt("megatron-18b", 40, 6144, 48, _MEGATRON),
    _gpt("megatron-22b", 48, 6144, 64, _SEQUENCE),
    _gpt("megatron-39b", 48, 8192, 64, _MEGATRON),
    _gpt("megatron-76b", 60, 10240, 80, _MEGATRON),
    _gpt("megatron-146b", 80, 12288, 96, _MEGATRON),
    _gpt("megatron-310b", 96, 16384, 128, _MEGATRON),
    _gpt("megatron-530b", 105, 20480, 128, _MEGATRON),
    _gpt("megatron-1t", 128, 25600, 160, _MEGATRON),
    _llama("llama3-8b", 32, 4096, 32, 14336),
    _llama("llama3-70b", 80, 8192, 64, 28672),
    _llama("llama3-405b", 126, 16384, 128, 53248, ends=2),
    Transformer(
        name="mixtral-8x7b", layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336, vocabulary=32000, sequence=4096,
        gated=True, rms_norm=True, tied=False, experts=8, top_k=2, expert_ffn=14336,
        source="Jiang et al., Mixtral of Experts, arXiv 2401.04088",
    ),
    Transformer(
        name="deepseek-v3", layers=61, hidden=7168, heads=128, ffn=18432, vocabulary=129280, sequence=4096, gated=True,
        rms_norm=True, tied=False, experts=256, top_k=8, expert_ffn=2048, shared_experts=1, dense_layers=3,
        head_size=192, kv_rank=512, query_rank=1536, rope_size=64, value_size=128, ends=3,
        source="DeepSeek-AI, DeepSeek-V3, arXiv 2412.19437; sizes recalled",
    ),
)  # fmt: skip

PRESETS: Mapping[str, Transformer] = {model.name: model for model in _KNOWN}
"""Known transformers by name."""

ALIASES: Mapping[str, str] = {
    "gpt-3": "gpt3-175b", "gpt3": "gpt3-175b", "moe": "deepseek-v3", "mixtral": "mixtral-8x7b",
    "turing-530b": "megatron-530b",
}  # fmt: skip
"""Other names of theirs."""


def find_model(name: str | Path) -> Transformer:
    """Return a known transformer, or the one that a YAML, JSON or TOML file describes by its sizes.

    A file may say `like:` and the name of a known one, and then what differs. Raises BadInput.
    """
    text = str(name)
    if not is_file(text):
        known = ALIASES.get(text.lower(), text.lower())
        if known not in PRESETS:
            legal = nearest(text, [*PRESETS, *ALIASES])
            raise BadInput(f"unknown model '{text}'; {legal}; or name a .yaml file of sizes")
        return PRESETS[known]
    sizes = read_mapping(text)
    like = sizes.pop("like", None)
    base = find_model(like).model_dump(exclude={"source"}) if isinstance(like, str) else {}
    return check(Transformer, {"name": Path(text).stem} | base | sizes, text)
