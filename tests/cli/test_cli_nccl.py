"""`uet nccl tune`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from uet.cli.main import run

SYSTEM = {
    "system": "a100_8gpu_node", "compcap": 80, "ranks": 32, "ring": {"channels": 16, "bw_intra": 20, "bw_inter": 20},
    "tree": {"channels": 16, "bw_intra": 20, "bw_inter": 20, "pattern": 1}, "net_latency_us": 0, "path_inter": "PXB",
    "cpu": "intel",
}  # fmt: skip


def _tune(capsys: pytest.CaptureFixture[str], path: Path, nodes: int, size: str) -> dict[str, object]:
    command = ["nccl", "tune", "--system", str(path), "--nodes", str(nodes), "--collective", "allreduce"]
    assert run([*command, "--bytes", size, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    assert run([*command, "--bytes", size]) == 0
    assert f"{found['channels']} channels of {found['threads']} threads" in capsys.readouterr().out
    return found


def test_ranks_are_those_of_the_nodes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "system.json"
    path.write_text(json.dumps(SYSTEM))
    four = _tune(capsys, path, 4, "128KiB")
    path.write_text(json.dumps({**SYSTEM, "nodes": 2, "ranks": 16, "path_inter": 4}))
    assert _tune(capsys, path, 4, "131072") == four
    assert (four["algorithm"], four["protocol"]) == ("Tree", "LL")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cpu": "arm"}, "cpu='arm': Input should be 'intel', 'amd' or 'other'"),
        ({"ranks": 30}, "30 ranks do not fill 4 nodes evenly"),
        ({"path_inter": 12}, "path_inter=12"),
        ({"ring": {"channels": 0, "bw_intra": 1, "bw_inter": 1}}, "ring.channels=0"),
    ],
)
def test_a_wrong_file_is_explained(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "system.json"
    path.write_text(json.dumps({**SYSTEM, **change}))
    assert (
        run(["nccl", "tune", "--system", str(path), "--nodes", "4", "--collective", "allreduce", "--bytes", "8"]) == 2
    )
    assert complaint in capsys.readouterr().err
