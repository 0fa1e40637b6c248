"""`uet workload make llm|pipeline`, from options to exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import Capture, ask_json

from uet.cli.main import run

LLM = ["workload", "make", "llm", "--model"]


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_step_of_16384_ranks_is_reported(capsys: Capture) -> None:
    deal = ["--tp", "8", "--pp", "16", "--dp", "128", "--global-batch", "2048"]
    found = ask_json(capsys, *LLM, "llama3-405b", *deal)
    assert found["ranks"] == 16384 and found["microbatches"] == 16 and found["file"] is None
    assert set(found["bytes_by"]) == {"tp", "pp", "dp", "ep", "cp", "embedding"}
    assert found["total_bytes"] == sum(found["bytes_by"].values())
    assert 5 < found["step_time_s"] < 8 and found["parallelism"]["schedule"] == "interleaved"
    plain = ask_json(capsys, *LLM, "llama3-405b", *deal, "--schedule", "1f1b")
    assert plain["bubble_fraction"] == pytest.approx(15 / 31, abs=0.03)  # the head makes the last stage longer
    assert plain["step_time_s"] > found["step_time_s"]


def test_a_small_step_becomes_a_file_that_runs(capsys: Capture) -> None:
    deal = ["--tp", "2", "--pp", "2", "--dp", "2", "--layers", "2", "--microbatches", "2"]
    made = ask_json(capsys, *LLM, "llama3-8b", *deal, "--out", "a.bin")
    shown = ask_json(capsys, "workload", "show", "a.bin")
    assert (made["ranks"], made["messages"], made["total_bytes"]) == (8, shown["messages"], shown["total_bytes"])
    assert ask_json(capsys, "workload", "check", "a.bin")["ok"] is True
    ran = ask_json(capsys, "simulate", "a.bin", "--backend", "loggops")
    assert ran["all_ops_executed"] is True and ran["max_ns"] > made["compute_s"] * 1e9
    assert run([*LLM, "llama3-8b", *deal, "--out", "a.bin"]) == 2
    assert "already exists" in capsys.readouterr().err


def test_ranks_give_dp(capsys: Capture) -> None:
    assert ask_json(capsys, *LLM, "gpt3-175b", "--tp", "8", "--pp", "8", "--ranks", "512")["parallelism"]["dp"] == 8


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["llama4"], "unknown model 'llama4'"),
        (["gpt3-175b", "--tp", "8", "--ranks", "100"], "make 96, not 100; change a degree"),
        (["gpt3-175b", "--tp", "8", "--dp", "2", "--ranks", "32"], "make 16, not 32"),
        (["gpt3-175b", "--pp", "7"], "cannot be dealt to pp=7"),
        (["gpt3-175b", "--tp", "0"], "0 is not in the range"),
        (["gpt3-175b", "--dp", "5000000"], "dp=5000000"),
        (["gpt3-175b", "--dp", "7", "--global-batch", "100"], "nearest: 98"),
        (["gpt3-175b", "--schedule", "chimaera"], "did you mean 'chimera'"),
        (["gpt3-175b", "--hardware", "h9"], "unknown hardware 'h9'"),
        (["gpt3-175b", "--layers", "97"], "has 96 layers"),
        (["gpt3-175b", "--algorithm", "allreduce=rign"], "did you mean 'ring'"),
        (["gpt3-175b", "--algorithm", "bcast=ring"], "no collective 'bcast'"),
        (["gpt3-175b", "--set", "overlaps=false"], "did you mean 'overlap'"),
        (["gpt3-175b", "--out", "a.txt"], "end the name in .goal or .bin"),
        (["llama3-405b", "--tp", "8", "--pp", "16", "--dp", "2048", "--out", "a.bin"], "layers and microbatches"),
        (["none.yaml"], "cannot be read"),
        (["gpt3-175b", "--dp", "3000", "--global-batch", "3000", "--layers", "1", "--out", "a.bin"], "few steps"),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(capsys: Capture, arguments: list[str], says: str) -> None:
    assert run([*LLM, *arguments]) == 2
    err = capsys.readouterr().err
    assert says in err and "Traceback" not in err
    assert not list(Path().glob("*.bin"))


def test_a_pipeline_in_slots(capsys: Capture) -> None:
    make = ["workload", "make", "pipeline", "--schedule"]
    found = ask_json(capsys, *make, "chimera", "--stages", "8", "--microbatches", "16")
    assert found["makespan_slots"] == len(found["table"]) == 2 * 16 + 8 - 2
    assert found["bubble_fraction"] == pytest.approx(6 / 38)
    assert {len(row) for row in found["table"]} == {8}
    slow = ask_json(capsys, *make, "1f1b", "--stages", "4", "--microbatches", "8", "--backward-slots", "2")
    assert slow["makespan_slots"] == 3 * (8 + 3)
    assert run([*make, "chimera", "--stages", "3", "--microbatches", "16"]) == 2
    assert "even number of stages" in capsys.readouterr().err
    assert run([*make, "gpipe", "--stages", "2", "--microbatches", "2"]) == 0
    assert "0b" in capsys.readouterr().out
