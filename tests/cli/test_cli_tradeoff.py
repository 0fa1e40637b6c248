"""The comparison of fabrics, on some that are small enough for a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import uet
from uet.api.tradeoff_spec import read_tradeoff
from uet.base.errors import BadInput
from uet.cli.main import run

ROOT = Path(__file__).parents[2]
TREE_USD = 4 * (2 * 14280 + 32 * 272 + 32 * 603)  # by hand: a leaf and a spine in each plane
SPEC: dict[str, Any] = {
    "name": "small",
    "title": "16 accelerators",
    "sharing": {"jobs": 20},
    "systems": [
        {"name": "tree", "group": "A", "spec": "fat-tree:hosts=16,radix=64,planes=4",
         "published": {"cost_musd": round(TREE_USD / 1e6, 2), "alltoall": 0.9, "why": "we guessed"}, "profile": True},
        {"name": "mesh", "group": "A", "spec": "hammingmesh:board=2x2,grid=2x2"},
        {"name": "torus", "group": "B", "spec": "torus:dims=4x4"},
    ],
}  # fmt: skip


def _spec(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(SPEC | changes))
    return path


def test_a_tradeoff_leaves_rows_pictures_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert run(["tradeoff", str(_spec(tmp_path)), "--out", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    tree, mesh, torus = document["systems"]
    assert tree["cost_usd"] == TREE_USD and tree["alltoall"] == 1
    assert mesh["alltoall"] == pytest.approx(0.46875) and mesh["allreduce"] == 1
    assert torus["alltoall"] == pytest.approx(15 / 32)  # 15 others at a mean distance of 32/15, four links each
    assert all(0 < row["flexibility"] <= 1 and 0 < row["effective_training"] < 1 for row in document["systems"])
    assert [size for size, _, _ in tree["profile"]] == [2, 4, 16] and mesh["profile"] == []
    figures = {p.name for p in (folder / "figures").iterdir()}
    assert figures == {f"{n}.{s}" for n in ("tradeoff", "bars0", "bars1", "locality") for s in ("png", "csv")}
    page = (folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 4 and "we guessed" in page and "://" not in page
    uet.tradeoff(_spec(tmp_path), tmp_path / "again")
    assert (tmp_path / "again" / "summary.json").read_bytes() == (folder / "summary.json").read_bytes()
    assert run(["tradeoff", str(_spec(tmp_path)), "--out", str(folder)]) == 2


def test_a_cost_that_rounds_to_another_figure_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = SPEC["systems"][0] | {"published": {"cost_musd": 0.99}}
    assert run(["tradeoff", str(_spec(tmp_path, systems=[wrong])), "--out", str(tmp_path / "run")]) == 4
    assert "tree costs 0.2262 M$, but 0.99 M$ is published" in capsys.readouterr().err
    assert not (tmp_path / "run" / "report.html").exists()


def test_mistakes_are_told_before_any_work(tmp_path: Path) -> None:
    twice = [SPEC["systems"][1]] * 2
    for changes, message in (
        ({"systems": twice}, "two systems of a group have the same name"),
        ({"systems": []}, "systems"),
        ({"tolerance": 0}, "tolerance"),
        ({"colour": "red"}, "colour"),
        ({"systems": [{"name": "x", "spec": "tree:"}]}, "tree"),
    ):
        with pytest.raises(BadInput, match=message):
            uet.tradeoff(_spec(tmp_path, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_example_is_the_published_table() -> None:
    plan = read_tradeoff(ROOT / "examples" / "hammingmesh-table.yaml")
    assert len(plan.systems) == 16
    assert all(system.published.cost_musd is not None for system in plan.systems)
