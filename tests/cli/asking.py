"""How tests ask commands: for one JSON document, or for text, without a word on standard error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from uet.cli.main import run

Capture = pytest.CaptureFixture[str]


def ask_json(capsys: Capture, *arguments: str, code: int = 0) -> dict[str, Any]:
    assert run([*arguments, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    document: dict[str, Any] = json.loads(captured.out)
    assert document["schema"].startswith("uet.")
    assert document["versions"]["python"]
    assert "seed" in document
    return document


def ask_text(capsys: Capture, *arguments: str) -> str:
    assert run(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out
