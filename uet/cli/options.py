"""Options that several commands share; a command takes those it honours, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from uet.base.errors import BadInput

Function = TypeVar("Function", bound=Callable[..., Any])


def _json() -> Any:
    return click.option("--json", "as_json", is_flag=True, envvar="UET_JSON", help="Print one JSON document.")


def _out() -> Any:
    return click.option("--out", metavar="DIR", envvar="UET_OUT", help="Write a run folder there.")


def _seed() -> Any:
    seed = click.IntRange(0, 2**63 - 1)
    text = "Seed of all randomness."
    return click.option("--seed", metavar="N", type=seed, default=1, show_default=True, envvar="UET_SEED", help=text)


def _set() -> Any:
    text = "Change a setting (repeatable); 'uet parameters' lists them."
    return click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help=text)


def _quiet() -> Any:
    return click.option("--quiet", is_flag=True, envvar="UET_QUIET", help="No remarks and no progress on stderr.")


def _force() -> Any:
    return click.option("--force", is_flag=True, envvar="UET_FORCE", help="Overwrite an existing run folder or file.")


def _dry_run() -> Any:
    return click.option("--dry-run", is_flag=True, help="Check everything, say what would be done, and stop.")


def _fail() -> Any:
    text = "Take parts out first, such as 'board 3,4; link leaf0-spine1; random links=10'."
    return click.option("--fail", metavar="EVENTS", default="", help=text)


def _verbose() -> Any:
    text = "Say more on stderr, and show the traceback of an internal error."
    return click.option("--verbose", is_flag=True, envvar="UET_VERBOSE", help=text)


catalogue_option = click.option(
    "--catalogue",
    metavar="NAME",
    default="hammingmesh-2022",
    show_default=True,
    help="A name of 'uet catalogue list' or a .toml file.",
)
_include_option = click.option(
    "--include", metavar="KIND,...", help="Price nic or accelerator too, by kind or by name of the part."
)
_cabling_option = click.option(
    "--cabling", type=click.Choice(["published", "rack"]), help="How cables are chosen [the catalogue's]."
)


def pricing(function: Function) -> Function:
    """Add the options that say how something is priced."""
    return catalogue_option(_include_option(_cabling_option(function)))


def words(text: str | None) -> list[str]:
    """Return the words of an option's list with commas."""
    return [word.strip() for word in text.split(",")] if text else []


SHARED = {
    "json": _json, "out": _out, "seed": _seed, "set": _set, "quiet": _quiet, "force": _force, "dry-run": _dry_run,
    "fail": _fail,
    "verbose": _verbose,
}  # fmt: skip


def shared(*names: str) -> Callable[[Function], Function]:
    """Add shared options to a command, shown in the order given."""

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            function = SHARED[name]()(function)
        return function

    return decorate


def parse_settings(pairs: tuple[str, ...], option: str = "--set", example: str = "lb.entropies=64") -> dict[str, str]:
    """Return the key -> value of `--set` options. Raises BadInput for text without '=' and for doubled keys."""
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise BadInput(f"{option} {pair}: write key=value, such as {example}")
        if key.strip() in settings:
            raise BadInput(f"{option} {key.strip()} stands twice; keep one")
        settings[key.strip()] = value.strip()
    return settings
