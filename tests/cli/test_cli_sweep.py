"""uet sweep: points, resuming, what is wrong."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from uet.cli.main import run

WISH = "accelerators: 16\ninjection_gbps: 1600\nfamilies: [torus, hammingmesh]\nalltoall: 0.3\n"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run(["sweep", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_points_are_kept_and_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wish, out = tmp_path / "wish.yaml", str(tmp_path / "out")
    wish.write_text(WISH)
    code, first = told(capsys, str(wish), "--vary", "alltoall=0.1,0.99", "--out", out)
    assert code == 0 and first["reused"] == 0
    assert [p["alltoall"] for p in first["points"]] == ["0.1", "0.99"]
    code, again = told(capsys, str(wish), "--vary", "alltoall=0.1,0.2,0.99", "--out", out, "--jobs", "2")
    assert code == 0 and again["reused"] == 2
    assert again["points"][0] == first["points"][0] and again["points"][2] == first["points"][1]
    costs = [p["design"]["cost_usd"] for p in again["points"] if p["design"]]
    assert costs == sorted(costs)


def test_wrong_values_end_before_any_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wish.yaml").write_text(WISH)
    code, answer = told(capsys, str(tmp_path / "wish.yaml"), "--vary", "alltoall=0.1,x", "--out", str(tmp_path / "o"))
    assert code == 2 and "alltoall" in answer["errors"][0] and not (tmp_path / "o").exists()
    code, answer = told(capsys, str(tmp_path / "wish.yaml"), "--vary", "alltoall", "--out", str(tmp_path / "o"))
    assert code == 2


@pytest.mark.skipif(importlib.util.find_spec("distributed") is not None, reason="Dask is installed here")
def test_without_dask_a_scheduler_is_unavailable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wish.yaml").write_text(WISH)
    arguments = ["--vary", "alltoall=0.1", "--out", str(tmp_path / "o"), "--scheduler", "tcp://127.0.0.1:1"]
    code, answer = told(capsys, str(tmp_path / "wish.yaml"), *arguments)
    assert code == 5 and "distributed" in answer["errors"][0]
