"""`uet workload transform`: what it says, what it writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import Capture, ask_json, ask_text

from uet.cli.main import run

WORK = "allreduce:size=1MiB"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_allreduce_is_replaced_and_written(capsys: Capture) -> None:
    found = ask_json(capsys, "workload", "transform", WORK, "--ranks", "8", "--topk", "0.0625", "--out", "a.goal")
    pairs = 8 * 2**18 // 16 // 8  # of an eighth of the chosen elements
    assert (found["ranks"], found["algorithm"], found["file"]) == (8, "ok-topk", "a.goal")
    assert found["bytes_before"] == 8 * 14 * 2**17
    assert found["bytes_after"] == 8 * 7 * (2 * pairs + 4)
    assert found["factor"] == found["bytes_before"] / found["bytes_after"]
    assert ask_json(capsys, "workload", "check", "a.goal")["ok"] is True
    assert ask_json(capsys, "workload", "show", "a.goal")["total_bytes"] == found["bytes_after"]
    both = ask_json(capsys, "workload", "transform", WORK, "--ranks", "8", "--topk", "0.0625", "--quantize", "8")
    assert both["max_sent_after"] == 7 * (2 * (5 * pairs // 8 + 4 * 2) + 4)


def test_messages_of_a_file_shrink(capsys: Capture) -> None:
    assert (
        run(["workload", "make", "collective", "--op", "alltoall", "--ranks", "4", "--size", "64KiB", "--out", "b.bin"])
        == 0
    )
    capsys.readouterr()
    found = ask_json(
        capsys, "workload", "transform", "b.bin", "--quantize", "4", "--word-bytes", "2", "--out", "c.bin"
    )  # fmt: skip
    assert (found["algorithm"], found["bytes_before"]) == ("messages", 12 * 2**14)
    assert found["bytes_after"] == 12 * (2**13 // 2 + 4 * 8)
    assert ask_json(capsys, "workload", "check", "c.bin")["ok"] is True
    kept = ask_json(capsys, "workload", "transform", "b.bin", "--prune", "0.5", "--min-bytes", "1MiB")
    assert kept["bytes_after"] == kept["bytes_before"]
    assert "times less" in ask_text(capsys, "workload", "transform", "b.bin", "--prune", "0.5")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing is asked for"),
        (["--topk", "2"], "a density of 2"),
        (["--topk", "0.1", "--algorithm", "best"], "unknown sparse algorithm"),
        (["--quantize", "8", "--algorithm", "ok-topk"], "is for sparse vectors"),
        (["--prune", "1"], "pruning by 1"),
        (["--topk", "0.1", "--out", "x.txt"], "cannot tell the format"),
    ],
)
def test_what_makes_no_sense_ends_with_2(capsys: Capture, options: list[str], said: str) -> None:
    assert run(["workload", "transform", WORK, "--ranks", "8", *options]) == 2
    assert said in capsys.readouterr().err
    assert list(Path().iterdir()) == []
