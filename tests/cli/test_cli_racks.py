"""`uet racks`: what it prints, what it leaves, how it ends, and that `uet verify` re-checks it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from asking import Capture, ask_json, ask_text

from uet.cli.main import run

SPEC = ("racks", "fat-tree:hosts=32,radix=16,levels=2", "--catalogue", "ethernet-800g-2024")


def test_racks_places_everything_and_verify_agrees(capsys: Capture, tmp_path: Path) -> None:
    told = ask_json(capsys, *SPEC, "--time-limit", "5", "--out", str(tmp_path / "run"))
    assert told["status"] in ("optimal", "feasible")
    assert told["bound_usd"] <= told["cost_usd"] <= told["cost_usd_before"]
    assert told["gap"] == (told["cost_usd"] - told["bound_usd"]) / told["cost_usd"]
    assert sum(c["total_usd"] for c in told["cables"]) == told["cost_usd"]
    assert sum(c["cables"] for c in told["cables"]) == 64
    hosts = [name for rack in told["racks"] for name in rack["hosts"]]
    switches = [name for rack in told["racks"] for name in rack["switches"]]
    assert sorted(hosts) == sorted(f"host{k}" for k in range(32))
    assert len(set(switches)) == len(switches) == 6
    with (tmp_path / "run" / "racks.csv").open() as file:
        assert {row["device"] for row in csv.DictReader(file)} == {*hosts, *switches}
    with (tmp_path / "run" / "cables.csv").open() as file:
        assert all(float(row["length_m"]) <= told["longest_m"] for row in csv.DictReader(file))
    checked = ask_json(capsys, "verify", str(tmp_path / "run"))
    assert checked["holds"] is True
    path = tmp_path / "run" / "certificate.json"
    wrong = json.loads(path.read_text())
    path.write_text(json.dumps({**wrong, "cost_usd": wrong["cost_usd"] - 1}))
    assert ask_json(capsys, "verify", str(tmp_path / "run"), code=4)["holds"] is False


def test_racks_says_which_limits_exclude_each_other(capsys: Capture) -> None:
    told = ask_json(capsys, *SPEC, "--max-racks", "1", "--rack-power-w", "20000", "--accelerator-w", "1000", code=3)
    assert told["status"] == "infeasible"
    assert {c["requirement"] for c in told["conflicts"]} == {"racks", "rack_power_w"}
    assert sum(c["cheapest"] for c in told["conflicts"]) >= 1
    assert "racks of 1" in told["errors"][0]


def test_racks_prints_a_table_and_refuses_wrong_input(capsys: Capture, tmp_path: Path) -> None:
    assert "of cables" in ask_text(capsys, *SPEC, "--time-limit", "2")
    for wrong in (["--max-racks", "0"], ["--racks", "missing.toml"], ["--rack-power-w", "9000"]):
        assert run([*SPEC, *wrong]) == 2
        assert capsys.readouterr().err.startswith("uet: ")
    hall = tmp_path / "hall.toml"
    hall.write_text("rack_units = 8\naccelerators_per_rack = 9\n")
    assert run([*SPEC, "--racks", str(hall)]) == 2
    assert "do not fit" in capsys.readouterr().err
