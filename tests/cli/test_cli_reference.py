"""The command reference is the commands."""

from __future__ import annotations

from pathlib import Path

import click

from uet.api import FUNCTIONS
from uet.cli.main import COMMANDS, uet, walk
from uet.cli.reference import reference

ROOT = Path(__file__).parents[2]


def _commands() -> list[tuple[str, click.Command]]:
    return [(path, c) for path, c, _ in walk(uet, click.Context(uet, info_name="uet"))]


def test_the_written_reference_is_up_to_date() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), "run make docs"


def test_every_command_and_option_has_help() -> None:
    for path, command in _commands():
        assert command.help, path
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{path} {option.opts}"


def test_the_list_of_commands_tells_the_same_as_the_commands() -> None:
    for path, command in _commands():
        if path.count(" ") == 1:
            assert (command.help or "").splitlines()[0].startswith(COMMANDS[path.removeprefix("uet ")][1].rstrip("."))


def test_every_command_takes_json_except_those_that_print_scripts() -> None:
    for path, command in _commands():
        if not isinstance(command, click.Group) and path != "uet completion":
            assert any("--json" in p.opts for p in command.params), path


def test_every_public_function_is_documented_and_exported() -> None:
    import uet as package

    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert sorted(FUNCTIONS) == package.__all__
    for name in package.__all__:
        function = getattr(package, name)
        assert function.__doc__, name
        assert f"`uet.{name}(" in text, name
