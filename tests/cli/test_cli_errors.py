"""Every way to end badly: one sentence per problem, the right exit code, and one JSON document on request."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uet.base.errors import CheckFailed, NoAnswer, Unavailable
from uet.cli.main import run

Capture = pytest.CaptureFixture[str]
SIMULATE = ["simulate", "permutation:size=1KiB", "--on", "fat-tree:hosts=4"]


def _fails(capsys: Capture, code: int, *arguments: str) -> str:
    """Run a command twice, for people and for programs, and return the sentences of its only complaint."""
    assert run(arguments) == code
    plain = capsys.readouterr()
    assert plain.out == ""
    assert run([*arguments, "--json"]) == code
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["schema"] == "uet.error/1"
    assert document["exit_code"] == code
    assert document["versions"]["uet"]
    assert document["seed"] is None
    assert captured.err.strip() == ""
    assert "".join(f"uet: {message}\n" for message in document["errors"]) == plain.err.lstrip()
    return plain.err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["topology", "show", "fattree:hosts=4"], "did you mean 'fat-tree'?"),
        (["topology", "show", "fat-tree:hots=4"], "unknown key 'hots'; did you mean 'hosts'?"),
        (["topology", "show", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["topology", "draw", "fat-tree:hosts=4", "x.gif"], "cannot tell the format from '.gif'"),
        (["topology", "draw", "fat-tree:hosts=4", "no/where/x.png"], "its folder does not exist"),
        (["cost", "fat-tree:hosts=4", "--catalogue", "dear"], "no catalogue is called 'dear'"),
        (["cost", "fat-tree:hosts=4", "--include", "yacht"], "has no part 'yacht'"),
        (["simulate", "permutation", "--on", "fat-tree:hosts=4"], "key 'size' is missing"),
        (["simulate", "parade:size=1", "--on", "fat-tree:hosts=4"], "unknown work 'parade'"),
        ([*SIMULATE, "--set", "lb"], "write key=value"),
        ([*SIMULATE, "--set", "lb.entropy=1"], "did you mean 'lb.entropies'?"),
        ([*SIMULATE, "--set", "rto.init_us=x"], "is not a number"),
        ([*SIMULATE, "--end", "5"], "is not a time"),
        ([*SIMULATE, "--cc", "zzz"], "no controller is called"),
        ([*SIMULATE, "--profile", "zz"], "no profile is called"),
        (["workload", "show", "allreduce:size=1KiB,algorithm=rig", "--ranks", "4"], "did you mean 'ring'?"),
        (["wire", "decode", "xyz"], "is not hexadecimal"),
        (["wire", "describe", "pds.akc"], "did you mean 'pds.ack'?"),
        (["wire", "encode", "nowhere.json"], "cannot be read"),
        (["tour", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["catalogue", "show", "nowhere.toml"], "cannot be read"),
        (["parameters", "--profile", "zz"], "no profile is called 'zz'"),
        (["nonsense"], "No such command 'nonsense'"),
        (["topology", "show"], "Missing argument 'SPEC'"),
        (["topology", "show", "fat-tree:hosts=4", "--colour"], "No such option"),
        ([*SIMULATE, "--seed", "-1"], "Invalid value for '--seed'"),
        (["completion", "tcsh"], "is not one of"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_exit_code_2(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if "--json" in arguments or arguments[0] == "completion":
        assert run(arguments) == 2
        assert complaint in capsys.readouterr().err
        return
    told = _fails(capsys, 2, *arguments)
    assert complaint in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_every_problem_of_a_spec_is_told_at_once(capsys: Capture) -> None:
    told = _fails(capsys, 2, "topology", "show", "hammingmesh:bored=2x2,planes=0,radix=x")
    assert told.count("\n") == 4  # unknown key, missing grid, planes, radix


def test_a_run_folder_that_cannot_be_written_is_refused_before_any_work(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("uet.api.work.run_schedule", lambda *_: pytest.fail("work was done"))
    (tmp_path / "file").write_text("")
    work = [*SIMULATE, "--out"]
    assert "cannot be written" in _fails(capsys, 2, *work, str(tmp_path / "file" / "run"))
    (tmp_path / "run").mkdir()
    assert "already exists" in _fails(capsys, 2, *work, str(tmp_path / "run"))
    (tmp_path / "run" / "precious").write_text("")
    assert "is not overwritten" in _fails(capsys, 2, *work, str(tmp_path / "run"), "--force")


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (NoAnswer("no path"), 3, "no path"),
        (CheckFailed("wrong bytes"), 4, "wrong bytes"),
        (Unavailable("no namespaces"), 5, "no namespaces"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("oh"), 1, "internal error: ZeroDivisionError: oh; this is a bug in uet"),
    ],
)
def test_exit_codes(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, complaint: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr("uet.api.show.build", fail)
    assert complaint in _fails(capsys, code, "topology", "show", "fat-tree:hosts=4")


def test_the_traceback_of_a_bug_is_shown_on_request(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("uet.api.show.build", fail)
    assert run(["topology", "show", "fat-tree:hosts=4", "--verbose"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_no_arguments_show_the_help(capsys: Capture) -> None:
    assert run([]) == 2
    assert "Usage: uet" in capsys.readouterr().err


def test_the_variable_asks_for_json_too(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UET_JSON", "1")
    assert run(["nonsense"]) == 2
    assert json.loads(capsys.readouterr().out)["errors"]
