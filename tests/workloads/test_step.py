from pathlib import Path

import numpy as np
import pytest

from uet.base.errors import BadInput
from uet.workloads import compute
from uet.workloads.hardware import HARDWARE, find_hardware
from uet.workloads.memory import memory
from uet.workloads.models.presets import PRESETS
from uet.workloads.parallelism import Parallelism
from uet.workloads.published import published_runs
from uet.workloads.recipes import RECIPES, complete
from uet.workloads.step import StepModel
from uet.workloads.volumes import FORWARD, Communication


def test_published_steps_that_nothing_was_fitted_to() -> None:
    held_out = published_runs()[1::2]
    errors = np.array([run.predicted_s() / run.seconds - 1 for run in held_out])
    assert len(held_out) == 13
    assert np.abs(errors).mean() <= 0.10 and np.abs(errors).max() <= 0.20


def test_parts_add_up_and_the_bubble_is_that_of_the_schedule() -> None:
    model, how = PRESETS["gpt3-175b"].model_copy(update={"vocabulary": 0}), Parallelism(tp=8, pp=8, dp=4)
    found = StepModel(model, how, HARDWARE["a100"]).step(128)
    assert found.total_s == pytest.approx(
        found.compute_s + found.bubble_s + found.optimizer_s + sum(found.exposed_s.values())
    )
    assert found.exposed_s["pp"] > 0
    assert found.bubble_fraction == pytest.approx(7 / (32 + 7))


def test_a_long_pipeline_is_timed_like_a_short_one() -> None:
    model = StepModel(PRESETS["megatron-39b"], Parallelism(tp=8, pp=4), HARDWARE["a100"])
    short, long = (model.step(m) for m in (1200, 2400))
    assert long.compute_s == pytest.approx(2 * short.compute_s)
    assert long.bubble_s == pytest.approx(short.bubble_s, rel=1e-6)


@pytest.mark.parametrize("what", ["peak_tflops", "memory_gbps", "island_gbps", "network_gbps"])
def test_better_hardware_is_not_slower(what: str) -> None:
    usual = HARDWARE["h100"]
    better = usual.model_copy(update={what: 2 * getattr(usual, what)})
    how = Parallelism(tp=8, pp=4, dp=8, zero=1, overlap=False)
    old, new = (StepModel(PRESETS["llama3-70b"], how, h).step(128).total_s for h in (usual, better))
    assert new < old


def test_a_ring_leaves_an_island_over_all_its_network_links() -> None:
    how, hardware = Parallelism(dp=64), HARDWARE["h100"].model_copy(update={"latency_us": 0.0})
    model = StepModel(PRESETS["llama3-8b"], how, hardware)
    ring = Communication("dp", "replica", "allreduce", 64_000_000, 64, FORWARD)
    shares = hardware.efficiency
    fastest = min(8 * 400 * shares.network, 3600 * shares.island) * 1e9 / 8
    assert model.seconds(ring) == pytest.approx(2 * 63 * 1_000_000 / fastest)


def test_gradients_hide_behind_the_last_backward_pass() -> None:
    model, hardware = PRESETS["llama3-8b"], HARDWARE["h100"]
    hidden, seen = (StepModel(model, Parallelism(dp=64, overlap=o), hardware).step(64) for o in (True, False))
    assert hidden.exposed_s["dp"] < seen.exposed_s["dp"]


def test_recipes_deal_what_they_name() -> None:
    for name, recipe in RECIPES.items():
        dp = max(recipe.ep, 1)
        batch = recipe.batch - recipe.batch % dp
        how, _ = complete(PRESETS[name], {"tp": recipe.tp, "pp": recipe.pp, "ep": recipe.ep, "dp": dp}, batch)
        assert StepModel(PRESETS[name], how, HARDWARE[recipe.hardware]).step(batch).total_s > 0


def test_llama_405b_interleaves_chunks_of_one_layer_unless_told() -> None:
    model, deal = PRESETS["llama3-405b"], {"tp": 8, "pp": 16, "dp": 128}
    how, batch = complete(model, deal, None)
    assert (how.schedule, how.chunks, batch) == ("interleaved", 8, 2048)
    how, _ = complete(model, {**deal, "schedule": "1f1b"}, None)
    assert (how.schedule, how.chunks) == ("1f1b", 1)
    how, _ = complete(model, {**deal, "chunks": 4}, None)
    assert (how.schedule, how.chunks) == ("interleaved", 4)


def test_a_file_describes_hardware_by_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("like: h100\nnetwork_gbps: 800\nefficiency: {matmul: 0.5}\n")
    mine = find_hardware(file)
    assert mine.network_gbps == 800 and mine.efficiency.matmul == 0.5 and mine.peak_tflops == 989
    file.write_text("like: h100\nnetwork_gbps: -1\n")
    with pytest.raises(BadInput, match="network_gbps=-1"):
        find_hardware(file)
    with pytest.raises(BadInput, match="did you mean 'h100'"):
        find_hardware("h10")


def test_memory_equals_calculon() -> None:
    """Its 175B case of 64 A100 (commit caa4b11): full recomputation, three chunks on each of eight stages."""
    model = PRESETS["gpt3-175b"].model_copy(update={"vocabulary": 0, "bias": False})
    how = Parallelism(tp=8, pp=8, chunks=3, schedule="interleaved", recompute="full")
    steps = StepModel(model, how, HARDWARE["a100"])
    found = memory(model, how, steps.table(64))
    assert found.parameters == 5_436_997_632 and found.optimizer == 32_621_985_792
    working = compute.kept_bytes(model, how, 0) + compute.score_bytes(model, how)
    assert found.activations - 2048 * working == 6_241_124_352


def test_zero_shares_out_memory() -> None:
    model, found = PRESETS["llama3-8b"], []
    for zero in range(4):
        how = Parallelism(dp=8, zero=zero)
        found.append(memory(model, how, StepModel(model, how, HARDWARE["h100"]).table(1)))
    whole, eighth = 2 * model.parameters, model.parameters // 4
    assert [m.parameters for m in found] == [whole, whole, whole, eighth]
    assert [m.gradients for m in found] == [whole, whole, eighth, eighth]
    assert [m.optimizer for m in found] == [6 * whole, 6 * eighth, 6 * eighth, 6 * eighth]
