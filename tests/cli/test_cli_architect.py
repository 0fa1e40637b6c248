"""What an architect asks: cost and its owner's side, comparison, placement, resilience, failures everywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from asking import Capture, ask_json, ask_text

from uet.cli.main import run

MESH = "hammingmesh:board=2x2,grid=4x4"


def test_show_has_bisection_and_paths(capsys: Capture) -> None:
    shown = ask_json(capsys, "topology", "show", "hyperx:dims=4x4,p=2")
    assert shown["bisection"] == {"lower": 1, "upper": 1, "method": "closed form", "least_found": 1}
    assert shown["paths"]["minimal"] == {"least": 1, "mean": pytest.approx(1.6), "most": 2}
    assert shown["failed"] is None


def test_show_after_failures(capsys: Capture) -> None:
    shown = ask_json(capsys, "topology", "show", MESH, "--fail", "board 1,2; switch p1.rowleaf0; random links=3")
    assert (shown["hosts"], shown["switches"], shown["seed"]) == (60, 7, 1)  # rows share a box, and so do columns
    assert shown["failed"]["accelerators"] == 4
    assert shown["links"] == sum(shown["link_classes"].values()) == 768 - shown["failed"]["links"]
    assert shown["bisection"]["lower"] <= shown["bisection"]["upper"]
    assert "cut off" in ask_text(capsys, "topology", "show", "fat-tree:hosts=8,radix=8", "--fail", "switch leaf0")


def test_cost_lists_cables_and_what_owning_takes(capsys: Capture, tmp_path: Path) -> None:
    target = tmp_path / "cables.csv"
    priced = ask_json(capsys, "cost", MESH, "--cabling-csv", str(target), "--years", "2", "--catalogue",
                   "ethernet-400g-2024")  # fmt: skip
    with target.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(priced["cables"].values()) == priced["cabling_list"]["cables"]
    assert {"from_rack", "from_device", "from_port", "to_rack", "to_device", "to_port", "part", "length_m"} <= set(
        rows[0]
    )
    owned = priced["ownership"]
    assert owned["years"] == 2
    assert owned["total_usd"] == pytest.approx(owned["capital_usd"] + owned["spares_usd"] + owned["running_usd"])
    assert 0 < priced["cluster_share"] < 1
    assert priced["repair"] is None
    assert run(["cost", MESH, "--cabling-csv", str(target), "--json"]) == 2  # it exists
    capsys.readouterr()
    hall = tmp_path / "hall.toml"
    hall.write_text("accelerators_per_rack = 8\n")
    text = ask_text(capsys, "cost", MESH, "--racks", str(hall), "--cabling-csv", str(target), "--force",
                 "--fail", "switch rowleaf0")  # fmt: skip
    assert "cabling list" in text and "New parts" in text


def test_compare_fabrics_and_a_quote(capsys: Capture, tmp_path: Path) -> None:
    tree = "fat-tree:hosts=1024,planes=16"
    found = ask_json(capsys, "compare", "hammingmesh:board=2x2,grid=16x16", tree)
    assert (found["cost_usd_a"], found["cost_usd_b"]) == (5_411_840, 25_303_040)
    quote = tmp_path / "quote.toml"
    quote.write_text('hosts = 1024\ninjection_gbps = 6400\n[[line]]\npart = "box"\nkind = "switch"\ncount = 700\n'
                     "unit_usd = 20000\n")  # fmt: skip
    offered = ask_json(capsys, "compare", tree, str(quote))
    switches = next(line for line in offered["lines"] if line["kind"] == "switch")
    assert (switches["count_a"], switches["count_b"], switches["usd_b"]) == (768, 700, 14_000_000)
    assert "times A" in ask_text(capsys, "compare", tree, str(quote))
    quote.write_text("hosts = 1024\nline = 3\n")
    assert ask_json(capsys, "compare", tree, str(quote), code=2)["errors"]


def test_place_jobs_of_a_file(capsys: Capture, tmp_path: Path) -> None:
    jobs = tmp_path / "jobs.csv"
    jobs.write_text("name,size\none,16\ntwo,32\n")
    placed = ask_json(capsys, "place", MESH, "--jobs", str(jobs), "--fail", "board 0,0")
    assert [job["placed"] for job in placed["jobs"]] == [True, True]
    assert placed["working"] == 60
    assert "one" in ask_text(capsys, "place", MESH, "--jobs", str(jobs))
    jobs.write_text("size,arrival_h,duration_h\n16,0,1\n32,0.5,2\n64,1,1\n")
    stream = ask_json(capsys, "place", MESH, "--jobs", str(jobs))
    assert (stream["mix"], stream["jobs"]) == ("given", 3)
    jobs.write_text("size\n1000\n")
    assert "does not fit" in ask_json(capsys, "place", MESH, "--jobs", str(jobs), code=2)["errors"][0]


def test_place_a_mix(capsys: Capture) -> None:
    shared = ask_json(capsys, "place", MESH, "--mix", "small", "--count", "50", "--no-sort", "--fail", "random links=2")
    assert 0 < shared["flexibility"] <= shared["utilisation"] <= 1
    assert shared["options"]["sort"] is False
    assert "flexibility" in ask_text(capsys, "place", "torus:dims=4x4", "--mix", "odd", "--count", "20")
    assert ask_json(capsys, "place", MESH, code=2)["errors"] == ["say which jobs: either --jobs FILE or --mix NAME"]


def test_resilience(capsys: Capture) -> None:
    tree = "fat-tree:hosts=128"
    one = ask_json(capsys, "resilience", tree, "--trials", "20", "--failures", "1", "--rate", "switch=1")
    assert {p["kind"]: p["critical"] for p in one["parts"]} == {"accelerator": 128, "switch": 4, "dac": 128, "aoc": 0}
    assert one["interruptions_per_30_days"] > 4 * 30 / 365
    hurt = ask_json(capsys, "resilience", tree, "--trials", "20", "--failures", "1", "--fail", "switch leaf0")
    assert {p["kind"]: p["count"] for p in hurt["parts"]}["switch"] == 5
    two = ask_json(capsys, "resilience", tree, f"{tree},planes=2", "--trials", "20", "--failures", "1,10")
    assert two["fabrics"][1]["network_interruptions_per_30_days"] == 0
    assert [len(w["links"]) for w in two["fabrics"][1]["worst"]] == [1, 2, 1, 2]
    assert "Side by side" in ask_text(capsys, "resilience", tree, f"{tree},planes=2", "--trials", "20")


@pytest.mark.parametrize("command", ["topology show", "cost", "bandwidth", "resilience", "place --mix small --count 9"])
@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ("t=1us link host0-rowleaf0", "need a simulation"),
        ("link host0-rowleaf0 ber=1e-6", "need a simulation"),
        ("link host0-host99", "no node is called 'host99'"),
        ("bord 1,2", "did you mean 'board'"),
    ],
)
def test_one_failure_grammar_everywhere(capsys: Capture, command: str, events: str, complaint: str) -> None:
    errors = ask_json(capsys, *command.split(), MESH, "--fail", events, code=2)["errors"]
    assert len(errors) == 1 and complaint in errors[0]


@pytest.mark.parametrize("command", ["topology show", "cost", "bandwidth", "resilience --trials 5", "compare"])
def test_a_saved_design_is_a_spec(capsys: Capture, tmp_path: Path, command: str) -> None:
    saved = tmp_path / "design.json"
    assert run(["topology", "export", "fat-tree:hosts=16,radix=8", str(saved)]) == 0
    design = {"gap": 0, "fabric": json.loads(saved.read_text())}
    saved.write_text(json.dumps(design))
    topo = tmp_path / "tree.topo"
    assert run(["topology", "export", "fat-tree:hosts=16,radix=8", str(topo)]) == 0
    capsys.readouterr()
    for spec in (saved, topo):
        twice = [str(spec)] if command == "compare" else []
        assert ask_json(capsys, *command.split(), str(spec), *twice)
