from pathlib import Path

import pytest

from uet.base.errors import BadInput
from uet.workloads.models.presets import ALIASES, PRESETS, find_model


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("megatron-1.7b", 1.65), ("megatron-18b", 18.45), ("megatron-146b", 145.62), ("megatron-530b", 529.6),
        ("megatron-1t", 1008.04), ("llama3-8b", 8.03), ("llama3-70b", 70.55), ("llama3-405b", 405.85),
        ("mixtral-8x7b", 46.70), ("deepseek-v3", 671.03),
    ],
)  # fmt: skip
def test_parameters_of_published_models(name: str, billions: float) -> None:
    assert PRESETS[name].parameters / 1e9 == pytest.approx(billions, abs=0.01)


def test_gpt_parameters_and_operations_follow_the_equations_of_megatron() -> None:
    m = PRESETS["gpt3-175b"]
    h, layers, s, v, batch = m.hidden, m.layers, m.sequence, m.vocabulary, 1536
    equation_2 = 12 * layers * h**2 * (1 + 13 / (12 * h) + (v + s) / (12 * layers * h))
    assert m.parameters == pytest.approx(equation_2, rel=1e-6)  # the final norm's 2 h aside
    equation_3 = 96 * batch * s * layers * h**2 * (1 + s / (6 * h) + v / (16 * layers * h))
    assert m.step_flop(batch * s, recomputed=True) == pytest.approx(equation_3, rel=1e-12)
    plain = 72 * batch * s * layers * h**2 * (1 + s / (6 * h) + v / (12 * layers * h))
    assert m.step_flop(batch * s) == pytest.approx(plain, rel=1e-12)


def test_active_parameters_of_models_with_experts() -> None:
    assert PRESETS["mixtral-8x7b"].active_parameters / 1e9 == pytest.approx(12.9, abs=0.05)
    assert PRESETS["deepseek-v3"].active_parameters / 1e9 == pytest.approx(37, abs=1)
    assert PRESETS["llama3-8b"].active_parameters == PRESETS["llama3-8b"].parameters


def test_a_model_with_fewer_layers_keeps_their_sizes() -> None:
    whole = PRESETS["deepseek-v3"]
    small = whole.with_layers(2)
    assert (small.layers, small.moe_layers) == (2, 1)
    assert small.layer_parameters(1) == whole.layer_parameters(60)


def test_every_alias_names_a_model() -> None:
    assert {find_model(name).name for name in ALIASES} <= set(PRESETS)


def test_a_file_describes_a_model_by_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("like: llama3-8b\nlayers: 4\nvocabulary: 0\n")
    mine = find_model(file)
    assert mine.name == "llama3-8b" and mine.layers == 4 and mine.head_parameters == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("layers: 4\n", "key 'hidden' is missing"),
        ("like: llama3-8b\nlayers: 0\n", "layers=0"),
        ("like: llama3-8b\nkv_heads: 5\n", "kv_heads=5 must divide heads=32"),
        ("like: mixtral-8x7b\ntop_k: 9\n", "top_k=9 must lie in 1..8"),
        ("like: llama3-8b\ntop_k: 2\n", "need experts"),
        ("like: llama3-8b\nhiden: 4\n", "did you mean 'hidden'"),
        ("like: llama9\n", "unknown model 'llama9'"),
        ("hidden: [\n", "mine.yaml"),
    ],
)  # fmt: skip
def test_wrong_model_files_are_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(BadInput, match=says.replace("[", r"\[")):
        find_model(file)
