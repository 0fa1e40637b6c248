from pathlib import Path

import pytest

from solvers.design.workloads import Network, Workload, step_time
from uet.base.errors import BadInput
from uet.base.spec import check


def test_a_dense_step_in_closed_form() -> None:
    """GPT-3 on 1,024 accelerators, tensor 8, pipeline 8: the sums of the module, on the network alone."""
    work, net = Workload(model="gpt-3", batch=1536), Network(1024, 800.0, 400.0)
    found, layers, vector = step_time(work, net), 12, 2 * 2048 * 12288
    ring = 400e9 / 8 * 2 * 1023 / 1024
    micro = 1536 // 16
    allreduces = 4 * layers + 1  # a layer has four, embedding or head one
    tensor = allreduces * micro * 2 * 7 / 8 * vector / ring
    assert found.tensor_s == pytest.approx(tensor, rel=1e-9)
    assert found.bubble_s == pytest.approx(found.compute_s * 7 / micro)
    assert found.expert_s == 0 and found.total_s > found.compute_s


def test_nvlink_of_a_server_carries_tensor_parallelism() -> None:
    work = Workload(model="llama3-70b", tensor=8, pipeline=1, batch=1024)
    apart, joined = (step_time(work, Network(1024, 800.0, 400.0, island, 7200.0)) for island in (1, 8))
    assert joined.tensor_s < apart.tensor_s / 5 and joined.compute_s == apart.compute_s


@pytest.mark.parametrize("model", ["gpt-3", "moe", "llama3-405b", "mixtral-8x7b"])
def test_a_step_falls_with_bandwidth(model: str) -> None:
    work = Workload(model=model, batch=16384)
    slow, fast = (step_time(work, Network(16384, gbps, gbps)).total_s for gbps in (100.0, 200.0))
    assert work.misfit(16384) is None and fast < slow


def test_a_file_of_sizes_is_a_model(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("like: llama3-8b\nlayers: 16\n")
    work = Workload(model=str(file), tensor=1, pipeline=4, batch=64)
    assert work.misfit(64) is None and step_time(work, Network(64, 400.0, 400.0)).total_s > 0
    assert "cannot be dealt to pp=3" in str(Workload(model=str(file), pipeline=3, batch=64).misfit(192))
    with pytest.raises(BadInput, match="did you mean 'gpt-3'"):
        check(Workload, {"model": "gpt-33"}, "workload")
