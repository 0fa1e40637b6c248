"""uet design, verify and plot as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from uet.cli.main import run

WISH = """
name: small
accelerators: 64
injection_gbps: 1600
families: [torus, hammingmesh, hyperx, fat-tree]
alltoall: 0.3
allreduce: 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("design")
    (place / "wish.yaml").write_text(WISH)
    assert run(["design", str(place / "wish.yaml"), "--out", str(place / "run"), "--quiet"]) == 0
    return place


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_design_is_one_document_with_what_is_promised(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    code, told = answer(capsys, "design", str(folder / "wish.yaml"))
    assert code == 0 and told["schema"] == "uet.design/1" and told["status"] == "optimal" and told["gap"] == 0
    assert told["design"]["cost_usd"] > 0 and "spec" in told["design"] and told["conflicts"] == []
    assert told["runners_up"] and told["pareto"] and told["candidates"] > 100 and told["solved_exactly"] >= 0
    code, priced = answer(capsys, "cost", told["design"]["spec"])
    assert priced["cost_usd"] == told["design"]["cost_usd"]


def test_infeasible_ends_with_3_and_names_the_conflict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wish.yaml").write_text(WISH + "budget_usd: 1000\n")
    code, told = answer(capsys, "design", str(tmp_path / "wish.yaml"))
    assert code == 3 and told["status"] == "infeasible" and told["design"] is None
    assert {"budget_usd"} <= {c["requirement"] for c in told["conflicts"]}
    assert "budget_usd" in told["errors"][0]


def test_wrong_files_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wish.yaml").write_text("accelerators: 1\nfamilie: x\n")
    code, told = answer(capsys, "design", str(tmp_path / "wish.yaml"), "--out", str(tmp_path / "run"))
    assert code == 2 and len(told["errors"]) == 3
    assert not (tmp_path / "run").exists()


def test_the_folder_holds_a_page_that_needs_no_network(folder: Path) -> None:
    page = (folder / "run" / "report.html").read_text()
    assert 'src="http' not in page and "Pareto front" in page and "If prices were different" in page
    for kind in ("pareto", "breakdown", "profile"):
        for suffix in (".png", ".svg", ".csv"):
            assert (folder / "run" / "figures" / f"{kind}{suffix}").stat().st_size > 50


def test_a_certificate_holds_until_it_is_changed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = answer(capsys, "verify", str(folder / "run"))
    assert code == 0 and told["holds"] and len(told["checks"]) >= 4
    path = folder / "run" / "certificate.json"
    true = json.loads(path.read_text())
    for change in (lambda d: d["winner"].update(cost_usd=1.0), lambda d: d["specification"].update(alltoall="0.99"),
                   lambda d: d["candidates"].update(torus=1)):  # fmt: skip
        false = json.loads(json.dumps(true))
        change(false)
        path.write_text(json.dumps(false))
        code, told = answer(capsys, "verify", str(folder / "run"))
        assert code == 4 and not told["holds"]
    path.write_text(json.dumps(true))


def test_figures_are_drawn_again(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("pareto", "breakdown", "profile"):
        code, told = answer(capsys, "plot", kind, str(folder / "run"), "--out", str(tmp_path / f"{kind}.svg"))
        assert code == 0 and Path(told["file"]).stat().st_size > 1000
    code, told = answer(capsys, "plot", "pareto", str(tmp_path))
    assert code == 2 and "not a run folder" in told["errors"][0]
    code, told = answer(capsys, "verify", str(tmp_path))
    assert code == 2 and "certificate" in told["errors"][0]


def test_ctrl_c_keeps_the_best_and_marks_the_folder(tmp_path: Path) -> None:
    (tmp_path / "wish.yaml").write_text(
        "accelerators: 2048\ninjection_gbps: 800\ncatalogue: ethernet-800g-2024\ncabling: published\n"
        "families: [clos, jellyfish]\nalltoall: 0.9\n"
    )
    code = "import sys; from uet.cli.main import run; sys.exit(run(sys.argv[1:]))"
    arguments = ["design", str(tmp_path / "wish.yaml"), "--out", str(tmp_path / "run"), "--json", "--verbose"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("looking at" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        told = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 130 and told["interrupted"] and "interrupted" in told["errors"][0]
    assert told["status"] in ("feasible", "optimal") and told["design"]["family"] == "clos"
    assert told["bound"] <= told["design"]["cost_usd"]
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["status"] == "partial"
