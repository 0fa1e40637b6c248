"""`uet workload` and the loggops backend, from files to exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from asking import Capture, ask_json

from uet.cli.main import run

MISMATCH = "num_ranks 2\nrank 0 {\n/* not\nthis */ recv 10b from 1 tag 1\n}\nrank 1 {\na: send 10b to 0 tag 2\n}\n"
DOUBLED = "num_ranks 1\nrank 0 {\na: calc 5\na: calc 6\nb: calc 1\nb requires a\n}\n"
CIRCLE = "num_ranks 1\nrank 0 {\na: calc 5\nb: calc 6\nb requires a\na requires b\n}\n"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mismatch.goal").write_text(MISMATCH)
    Path("doubled.goal").write_text(DOUBLED)
    Path("circle.goal").write_text(CIRCLE)


MAKE = ["workload", "make", "collective", "--op", "allreduce", "--ranks", "8", "--size", "1KiB"]


def test_a_collective_becomes_a_file_that_runs(capsys: Capture) -> None:
    made = ask_json(capsys, *MAKE, "--algorithm", "ring", "--out", "a.goal")
    assert (made["ranks"], made["messages"], made["steps"], made["total_bytes"]) == (8, 112, 14, 112 * 128)
    assert ask_json(capsys, "workload", "convert", "a.goal")["file"] == "a.bin"
    assert ask_json(capsys, "workload", "convert", "a.bin", "b.goal")["bytes"] == Path("b.goal").stat().st_size
    shown = ask_json(capsys, "workload", "show", "b.goal")
    assert {k: v for k, v in shown.items() if k != "name"} | {"schema": "", "file": "a.goal"} == {
        k: v for k, v in made.items() if k != "name"
    } | {"schema": "", "seed": 1}
    assert ask_json(capsys, "workload", "check", "b.goal")["ok"] is True
    loggops = ["--backend", "loggops", "--loggops", "L=2500,o=1500,g=1000,G=6,O=0,S=65535"]
    ran = ask_json(capsys, "simulate", "a.bin", *loggops, "--out", "run")
    assert (ran["ranks"], ran["sends"], ran["recvs"], ran["calcs"], ran["events"]) == (8, 112, 112, 56, 392)
    assert ran["finish_ns"] == [14 * (2 * 1500 + 2500 + 127 * 6)] * 8
    assert (ran["max_ns"], ran["all_ops_executed"], ran["unmatched"]) == (max(ran["finish_ns"]), True, [])
    assert min(ran[k] for k in ("cpu_s", "startup_s", "compile_s")) >= 0
    assert json.loads(Path("run/summary.json").read_text())["max_ns"] == ran["max_ns"]
    spec = ["simulate", "allreduce:algorithm=ring,size=1KiB", "--ranks", "8"]
    assert ask_json(capsys, *spec, *loggops)["finish_ns"] == ran["finish_ns"]
    packets = ask_json(capsys, "simulate", "a.goal", "--on", "fat-tree:hosts=8,radix=8,levels=2")
    assert (packets["flows"], packets["finished"]) == (112, 112)


def test_a_collective_on_a_fabric_has_its_bound_beside_it(capsys: Capture) -> None:
    fabric = "fat-tree:hosts=8,radix=8,levels=2"
    work, on = "allreduce:algorithm=ring,size=1MiB", ["--on", fabric]
    least_us = 2 * 7 / 8 * 2**20 * 8 / 400_000
    bound = ask_json(capsys, "workload", "show", work, *on)["bound"]
    assert bound == pytest.approx({"cut_us": least_us, "spread_us": least_us, "fraction": 1.0})
    for backend in ("packet", "flow"):
        ran = ask_json(capsys, "simulate", work, "--backend", backend, *on)
        assert ran["bound"] == pytest.approx({"cut_us": least_us, "fraction": least_us / ran["sim_us"]})
        assert 0.5 < ran["bound"]["fraction"] < 1
    assert ask_json(capsys, "workload", "show", work, "--ranks", "8")["bound"] is None
    assert ask_json(capsys, "workload", "show", "permutation:size=1MiB", *on)["bound"] is None
    assert run(["workload", "show", work, *on, "--ranks", "9"]) == 2
    assert f"9 ranks do not fit on the 8 hosts of {fabric}" in capsys.readouterr().err
    assert run(["workload", "show", work, *on]) == 0
    assert "100.0% of the bound" in capsys.readouterr().out


def test_keys_of_a_collective(capsys: Capture) -> None:
    arguments = [*MAKE, "--key", "dtype=uint8", "--reduce-ps-per-byte", "1000", "--out", "a.goal"]
    assert ask_json(capsys, *arguments)["max_calc_us"] == 7 * 0.128
    assert run([*MAKE, "--key", "dtype", "--out", "b.goal"]) == 2
    assert "--key dtype: write key=value, such as root=3" in capsys.readouterr().err


def test_a_deadlock_exits_3_and_names_ranks_operations_and_lines(capsys: Capture) -> None:
    found = ask_json(capsys, "simulate", "mismatch.goal", "--backend", "loggops", code=3)
    assert found["all_ops_executed"] is False and found["status"] == "deadlock"
    assert [(u["rank"], u["operation"], u["kind"], u["peer"], u["tag"], u["line"]) for u in found["unmatched"]] == [
        (0, 0, "recv", 1, 1, 4),
        (1, 0, "send", 0, 2, 7),
    ]
    assert "rank 0 operation 0 (line 4) recv 10 bytes from rank 1 tag 1" in found["errors"][0]
    assert run(["simulate", "mismatch.goal", "--backend", "loggops"]) == 3
    assert capsys.readouterr().err.startswith("uet: mismatch.goal: deadlock")
    circle = ask_json(capsys, "simulate", "circle.goal", "--backend", "loggops", code=3)
    assert "rank 0 operation 1 (line 4) calc -> rank 0 operation 0 (line 3) calc -> rank 0" in circle["errors"][1]


def test_check_tells_problems_and_warnings(capsys: Capture) -> None:
    found = ask_json(capsys, "workload", "check", "mismatch.goal", code=3)
    assert found["ok"] is False and len(found["problems"]) == 2 and "(line 7) send" in found["problems"][0]
    assert "circle" in ask_json(capsys, "workload", "check", "circle.goal", code=3)["problems"][0]
    doubled = ask_json(capsys, "workload", "check", "doubled.goal")
    assert doubled["ok"] and "doubled.goal:4:1: the label is defined above already" in doubled["warnings"][0]
    wild = "num_ranks 2\nrank 0 {\nrecv 1b from -1\nrecv 1b from -1\n}\nrank 1 {\nsend 1b to 0\n}\n"
    Path("wild.goal").write_text(wild)
    assert (
        "rank 0 operation 1 (line 4) recv" in ask_json(capsys, "workload", "check", "wild.goal", code=3)["problems"][0]
    )
    assert ask_json(capsys, "workload", "show", "wild.goal")["steps"] is None


def test_jobs_are_merged_and_slow_each_other(capsys: Capture) -> None:
    Path("jobs.yaml").write_text(
        "hosts: 9\nplacement: round-robin\njobs:\n"
        "  - {name: a, work: 'allreduce:size=64KiB', ranks: 4}\n"
        "  - {name: b, work: 'alltoall:size=64KiB', ranks: 3, start: 3us}\n"
        "  - {work: mismatch.goal, hosts: '1,8'}\n"
    )
    assert run(["workload", "merge", "jobs.yaml", "--out", "m.goal"]) == 0
    assert "9 ranks" in capsys.readouterr().out
    assert run(["workload", "check", "m.goal"]) == 3
    capsys.readouterr()
    text = Path("jobs.yaml").read_text().replace("  - {work: mismatch.goal, hosts: '1,8'}\n", "")
    Path("jobs.yaml").write_text(text)
    ran = ask_json(capsys, "simulate", "jobs.yaml", "--on", "fat-tree:hosts=16,radix=8,levels=2", "--out", "run")
    a, b = ran["jobs"]
    assert (a["name"], a["ranks"], a["start_us"]) == ("a", 4, 0)
    assert (b["name"], b["ranks"], b["start_us"]) == ("b", 3, 3)
    for job in (a, b):
        assert job["duration_us"] == job["finish_us"] - job["start_us"]
        assert job["slowdown"] == job["duration_us"] / job["isolated_us"] >= 0.99
    assert run(["simulate", "jobs.yaml", "--on", "fat-tree:hosts=16,radix=8,levels=2"]) == 0
    assert "slowdown" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["workload", "make", "collective", "--op", "reduse", *MAKE[5:], "--out", "x.goal"], "did you mean 'reduce'?"),
        ([*MAKE, "--out", "x.txt"], "end the name in .goal or .bin"),
        ([*MAKE, "--out", "circle.goal"], "already exists"),
        (["workload", "convert", "jobs.yaml"], "is not a schedule that can be converted"),
        (["workload", "convert", "absent.goal"], "cannot be read"),
        (["workload", "show", "allreduce:size=1KiB"], "say on how many ranks it runs"),
        (["workload", "show", "broken.goal"], "broken.goal:3:6: expected a whole number"),
        (["workload", "show", "broken.bin"], "does not begin like a binary GOAL file"),
        (["workload", "check", "peer.goal"], "rank 0 sends to rank 7 but ranks are 0..0"),
        (["simulate", "own.goal", "--on", "fat-tree:hosts=4"], "its own rank, needs no network"),
        (["workload", "merge", "twins.yaml", "--out", "x.goal"], "two jobs have the same name"),
        (["workload", "merge", "tight.yaml", "--out", "x.goal"], "need 4 hosts but 3 of 4 are free"),
        (["workload", "merge", "range.yaml", "--out", "x.goal"], "write hosts as numbers and ranges"),
        (["simulate", "circle.goal"], "name it with --on SPEC"),
        (["simulate", "circle.goal", "--backend", "loggops", "--on", "fat-tree:hosts=4"], "for the packet and flow"),
        (["simulate", "circle.goal", "--on", "fat-tree:hosts=4", "--loggops", "L=1"], "--loggops is for the loggops"),
        (["simulate", "circle.goal", "--backend", "loggops", "--loggops", "X=1"], "unknown LogGOPS parameter 'X'"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence(capsys: Capture, arguments: list[str], complaint: str) -> None:
    Path("broken.goal").write_text("num_ranks 1\nrank 0 {\ncalc x\n}\n")
    Path("broken.bin").write_text("num_ranks 1\n")
    Path("peer.goal").write_text("num_ranks 1\nrank 0 {\nsend 1b to 7\n}\n")
    Path("own.goal").write_text("num_ranks 1\nrank 0 {\nsend 1b to 0\nrecv 1b from 0\n}\n")
    Path("twins.yaml").write_text("jobs: [{name: a, work: x}, {name: a, work: x}]\n")
    Path("tight.yaml").write_text(
        "hosts: 4\njobs: [{work: 'allreduce:size=8', ranks: 4}, {work: 'alltoall:size=8', hosts: [2]}]\n"
    )
    Path("range.yaml").write_text("jobs: [{work: x, hosts: 5-2}]\n")
    before = sorted(Path().iterdir())
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and complaint in told.err
    assert sorted(Path().iterdir()) == before
