"""The tour, on fabrics small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import uet
from uet.base.errors import BadInput, CheckFailed
from uet.base.runs import read_manifest
from uet.cli.main import run

ROOT = Path(__file__).parents[2]
SPEC: dict[str, Any] = {
    "name": "small",
    "title": "16 accelerators",
    "fabrics": [
        {
            "name": "tree",
            "spec": "fat-tree:hosts=16,radix=64,levels=2,planes=4",
            "published": {"cost_usd": 4 * (2 * 14280 + 32 * 272 + 32 * 603), "source": "by hand: a leaf and a spine"},
        },
        {"name": "mesh", "spec": "hammingmesh:board=2x2,grid=2x2", "algorithm": "dual-rings"},
    ],
    "collective": {"size": "1MiB", "first_steps": 16, "about": "a gradient"},
    "permutation": {"size": "256KiB"},
    "move": {"ranks": 16, "size": "64KiB", "drop": 0.05, "duplicate": 0.05, "reorder": 0.1},
}


def _spec(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SPEC | changes))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tour")
    uet.tour(_spec(path), path / "run", seed=3)
    return path / "run"


def test_a_tour_leaves_results_pictures_and_a_page(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert (manifest["status"], manifest["seed"]) == ("complete", 3)
    figures = {p.name for p in (folder / "figures").iterdir()}
    named = {"cost", "completion", "bandwidth_cost", "permutation"}
    assert figures == {f"{n}.{suffix}" for n in named for suffix in ("png", "csv")} | {"fabric0.png", "fabric1.png"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 6
    assert "://" not in page
    summary = json.loads((folder / "summary.json").read_text())
    tree, mesh = summary["fabrics"]
    assert tree["topology"]["hosts"] == mesh["topology"]["hosts"] == 16
    assert tree["permutation"]["finished"] == 16
    for fabric in (tree, mesh):
        moved = fabric["moved"]
        assert moved["steps"] == 30
        assert moved["bytes"] == moved["bytes_delivered"] == 16 * 30 * 65536 // 16
        assert moved["drops_injected"] > 0
        assert moved["checked_bytes"] == 16 * 65536


def test_what_is_not_simulated_is_extrapolated_by_the_steady_steps(folder: Path) -> None:
    for fabric in json.loads((folder / "summary.json").read_text())["fabrics"]:
        c = fabric["collective"]
        assert (c["steps"], c["simulated_steps"], c["extrapolated"]) == (30, 16, True)
        assert c["whole_us"] == pytest.approx(c["simulated_us"] + 14 * c["step_us"])
        assert c["bound_us"] < c["simulated_us"]
        assert c["gbps_per_accelerator"] == pytest.approx(8 * 2**20 / c["whole_us"] / 1e3)
        assert 0 < c["fraction_of_peak"] < 1


def test_the_extrapolation_of_a_tour_is_near_the_whole_run(tmp_path: Path, folder: Path) -> None:
    whole = uet.tour(_spec(tmp_path, collective={"size": "1MiB"}), tmp_path / "whole", seed=3)
    part = json.loads((folder / "summary.json").read_text())
    for stop, fabric in zip(whole.stops, part["fabrics"], strict=True):
        assert not stop.collective["extrapolated"]
        assert fabric["collective"]["whole_us"] == pytest.approx(stop.collective["whole_us"], rel=0.05)


def test_equal_tours_leave_equal_files(tmp_path: Path, folder: Path) -> None:
    uet.tour(_spec(tmp_path), tmp_path / "again", seed=3)
    assert read_manifest(tmp_path / "again")["digests"] == read_manifest(folder)["digests"]


def test_a_cost_that_is_not_the_published_one_fails_the_tour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = {**SPEC["fabrics"][0], "published": {"cost_usd": 1, "source": "nobody"}}
    assert run(["tour", str(_spec(tmp_path, fabrics=[tree])), "--out", str(tmp_path / "run"), "--json"]) == 4
    assert "but 1 USD is published (nobody)" in json.loads(capsys.readouterr().out)["errors"][0]
    assert read_manifest(tmp_path / "run")["status"] == "invalid"


def test_bytes_that_differ_fail_the_tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import emulation.memory.move as memory

    def careless(schedule: Any, buffers: Any, settings: Any) -> dict[str, Any]:
        counters = carry(schedule, buffers, settings)
        buffers.data[3, 17] ^= 1
        return counters

    carry = memory.move
    monkeypatch.setattr(memory, "move", careless)
    with pytest.raises(CheckFailed, match="1 bytes of rank 3 are wrong, the first at offset 17"):
        uet.tour(_spec(tmp_path), tmp_path / "run")


def test_the_plan_of_a_tour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tour", str(_spec(tmp_path)), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["schema"] == "uet.tour.plan/1"
    assert [f["name"] for f in plan["fabrics"]] == ["tree", "mesh"]
    assert [p.name for p in tmp_path.iterdir()] == ["small.yaml"]
    assert run(["tour", str(_spec(tmp_path)), "--dry-run"]) == 0
    assert "allreduce by dual-rings" in capsys.readouterr().out


def test_every_mistake_in_a_tour_is_told_before_any_work(tmp_path: Path) -> None:
    wrong = _spec(tmp_path, colour="blue", fabrics=[], collective={"size": "much"})
    with pytest.raises(BadInput) as caught:
        uet.plan_tour(wrong)
    assert len(caught.value.messages) == 3
    for changes, complaint in (
        ({"fabrics": [SPEC["fabrics"][0]] * 2}, "two fabrics have the same name"),
        ({"fabrics": [{"name": "t", "spec": "fat-tree:hosts=16", "algorithm": "rig"}]}, "did you mean 'ring'?"),
        ({"fabrics": [{"name": "t", "spec": "fattree:hosts=16"}]}, "did you mean 'fat-tree'?"),
    ):
        with pytest.raises(BadInput, match=complaint.replace("?", r"\?")):
            uet.plan_tour(_spec(tmp_path, **changes))


def test_the_example_is_a_legal_tour_of_the_published_cluster() -> None:
    plan = uet.plan_tour(ROOT / "examples" / "hammingmesh-small.yaml")
    assert [f.published.cost_usd for f in plan.fabrics if f.published] == [25303040, 5411840]
    assert plan.collective.size == 4 * 452_984_832
