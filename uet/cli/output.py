"""What commands print: one JSON document or a table on stdout; talk and progress on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from uet.base.errors import UetError
from uet.base.runs import to_json, versions


def document(kind: str, body: Mapping[str, Any], seed: int | None = None) -> dict[str, Any]:
    """Return the JSON document of a command: schema `uet.<kind>/1`, seed, versions, then `body`."""
    return {"schema": f"uet.{kind}/1", "seed": seed, "versions": versions(), **body}


def print_json(content: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(to_json(content) + "\n")


def finish(
    kind: str, body: Mapping[str, Any], as_json: bool, seed: int | None = None, problem: UetError | None = None
) -> None:
    """Print `body` as the command's JSON document, if JSON is wanted, then end with `problem`'s exit code if any.

    An answer that ends with exit code 3 or 4 is still one document: the problem stands in `errors`.
    """
    if as_json:
        errors = {"errors": list(problem.messages)} if problem else {}
        print_json(document(kind, {**body, **errors}, seed))
        if problem:
            raise SystemExit(problem.exit_code)
    elif problem:
        raise problem


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> None:
    """Print a table on stdout; numbers (and text that starts like one) are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", caption=caption, caption_justify="left")
    cells = [[_cell(value) for value in row] for row in rows]
    for k, name in enumerate(columns):
        numeric = bool(cells) and all(row[k][:1].isdigit() or row[k] in ("", "-") for row in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*row)
    _console().print(table)


def print_facts(title: str, facts: Mapping[str, object]) -> None:
    """Print name and value pairs on stdout."""
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, _cell(value))
    console = _console()
    if title:
        console.print(title, style="italic")
    console.print(table)


def _say_line(message: str) -> None:
    sys.stderr.write(message + "\n")


Say = Callable[[str], None]


def working(quiet: bool = False, verbose: bool = False) -> AbstractContextManager[Say | None]:
    """Give the block a function for remarks on its progress, None if nobody is to hear them.

    They appear on stderr: line by line if `verbose`, else on a terminal beside a spinner after 2 s.
    """
    if verbose:
        return nullcontext(_say_line)
    if quiet or not sys.stderr.isatty():
        return nullcontext(None)
    from uet.cli.progress import Spinner

    return Spinner()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def _console() -> Any:
    from rich.console import Console

    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "120"))
    return Console(width=width, soft_wrap=False, highlight=False, markup=False)
