"""The command reference docs/cli.md, written from the commands themselves: python -m uet.cli.reference."""

from __future__ import annotations

import sys

import click

from uet.cli.main import uet, walk

_INTRODUCTION = """# Commands

Written by `make docs`; a test keeps it true. Data go to standard output, talk and errors to standard
error. `--json` makes standard output hold exactly one JSON document, whatever the exit code: it
carries `schema`, `seed` and `versions`, `null` where something is absent, and `errors` after a failure.
Every option of a command can be set by a variable, `--seed` of `uet simulate` by `UET_SIMULATE_SEED`,
or, where one is shown, by a variable that holds for all commands.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a bug in uet |
| 2 | bad input or usage |
| 3 | a well-posed question without answer: unfinished flows, an unreachable host |
| 4 | it ran, but its own check of the result failed |
| 5 | a privilege or a kernel feature is missing |
| 130 | interrupted; the partial result was kept and marked |

A SPEC is `family:key=value,...` (`uet topology list`) or a `.yaml` or `.json` file with the same keys;
a WORK is a collective or pattern, such as `permutation:size=2MiB` or `allreduce:algorithm=ring,size=1MiB`.
Sizes: `B KB MB GB` are powers of 1000, `KiB MiB GiB` of 1024, a bare number is bytes. Times need a unit.
"""


def reference() -> str:
    """Return the Markdown text of docs/cli.md."""
    root = click.Context(uet, info_name="uet")
    sections = [_INTRODUCTION]
    for path, command, ctx in walk(uet, root):
        if not isinstance(command, click.Group):
            sections.append(_section(path, command, ctx))
    return "\n".join(sections)


def _section(path: str, command: click.Command, ctx: click.Context) -> str:
    usage = " ".join([path, *command.collect_usage_pieces(ctx)])
    text = [f"## {path}", "", f"    {usage}", "", _paragraphs(command.help or ""), ""]
    options = [p for p in command.params if isinstance(p, click.Option)]
    if options:
        text += ["| option | meaning | default | variable |", "|---|---|---|---|"]
        text += [_row(option, ctx) for option in options]
        text.append("")
    return "\n".join(text)


def _paragraphs(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _row(option: click.Option, ctx: click.Context) -> str:
    shown = ", ".join(option.opts)
    if not option.is_flag:
        shown += f" {option.make_metavar(ctx)}"
    default = str(option.default) if option.show_default and option.default is not None else ""
    variable = str(option.envvar or "")
    cells = (f"`{shown}`", option.help or "", default, f"`{variable}`" if variable else "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(reference())
