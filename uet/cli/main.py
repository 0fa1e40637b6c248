"""The `uet` command: a group whose sub-commands are imported when they are asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from uet.base.errors import Interrupted, UetError

COMMANDS = {
    "bandwidth": ("uet.cli.bandwidth", "Say what a traffic pattern gets per accelerator of a fabric."),
    "catalogue": ("uet.cli.catalogue", "Price lists: parts with price, power and source."),
    "compare": ("uet.cli.compare", "Compare the bills of A and B: fabrics, or files with a seller's quote."),
    "completion": ("uet.cli.completion", "Print the completion script of a shell."),
    "cost": ("uet.cli.cost", "Price a fabric and print its bill of materials."),
    "design": (
        "uet.cli.design",
        "Find the cheapest fabric that carries a demand, or the best for a budget.",
    ),
    "doctor": ("uet.cli.doctor", "Say what this machine can do and what is missing."),
    "nccl": ("uet.cli.nccl", "What NCCL would do: algorithm, protocol, channels, threads, time."),
    "new": ("uet.cli.new", "Write a file with a working congestion controller (cc) or load balancer (lb) of your own."),
    "parameters": (
        "uet.cli.parameters",
        "List all settings with unit and default.",
    ),
    "place": (
        "uet.cli.place",
        "Put jobs on a fabric and say what bandwidth they get.",
    ),
    "resilience": (
        "uet.cli.resilience",
        "Say how often failing parts interrupt a job on the whole machine.",
    ),
    "plot": ("uet.cli.plot", "Draw a figure of a design."),
    "simulate": (
        "uet.cli.simulate",
        "Run a workload on a fabric, packet by packet, at flow level, or message by message.",
    ),
    "racks": ("uet.cli.racks", "Place a fabric in racks so that its cables cost the least."),
    "sweep": ("uet.cli.sweep", "Design once for each of some budgets, sizes or demands."),
    "testbed": ("uet.cli.testbed", "Real frames between namespaces, checked to the last byte."),
    "topology": ("uet.cli.topology", "Fabrics: list, show, export, draw."),
    "tour": ("uet.cli.tour", "Design, price, simulate, move and report one specification."),
    "tradeoff": ("uet.cli.tradeoff", "Compare fabrics in bandwidth, cost, flexibility and resilience."),
    "verify": ("uet.cli.verify", "Re-check the certificate of a design, without the optimizer."),
    "wire": ("uet.cli.wire", "Packets as bytes: decode, encode, describe."),
    "workload": ("uet.cli.workload", "Collectives, traffic patterns and schedule files."),
}
"""Name -> module that defines the command of the same name, and its one-line help."""

EPILOG = """\b
Exit codes: 0 done; 1 our bug; 2 bad input or usage; 3 no answer; 4 own check failed;
5 privilege or kernel feature missing; 130 interrupted.
\b
A SPEC is family:key=value,... or a .yaml, .json or .topo file. Every option NAME of COMMAND can
be set by the variable UET_COMMAND_NAME, common ones by UET_NAME; NO_COLOR is honoured."""


class LazyGroup(click.Group):
    """A group that imports the module of a command only when that command runs or is described."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names without importing anything."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EPILOG)
@click.version_option(package_name="uet", message="%(prog)s %(version)s")
def uet() -> None:
    """Design, cost, simulate and try out Ultra Ethernet AI fabrics."""


def run(arguments: Sequence[str]) -> int:
    """Run the command line `arguments` and return the exit code; every error ends as one sentence per problem."""
    as_json = "--json" in arguments or bool(os.environ.get("UET_JSON"))
    try:
        code = uet.main(list(arguments), prog_name="uet", auto_envvar_prefix="UET", standalone_mode=False)
    except SystemExit as end:
        return int(end.code or 0)
    except NoArgsIsHelpError as error:
        error.show(file=sys.stderr)
        return 2
    except click.UsageError as error:
        hint = f"; see '{error.ctx.command_path} --help'" if error.ctx else ""
        return report([error.format_message().rstrip(".") + hint], 2, as_json)
    except click.ClickException as error:
        return report([error.format_message()], 2, as_json)
    except UetError as error:
        return report(error.messages, error.exit_code, as_json)
    except (KeyboardInterrupt, click.Abort):
        return report(["interrupted"], Interrupted.exit_code, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # keeps Python's flush at exit quiet
        return 1
    except Exception as error:
        return _report_bug(error, arguments, as_json)
    return code if isinstance(code, int) else 0


def report(messages: Sequence[str], code: int, as_json: bool) -> int:
    """Say what went wrong, on stderr or as a JSON document on stdout, and return `code`."""
    if as_json:
        from uet.cli.output import document, print_json

        print_json(document("error", {"errors": list(messages), "exit_code": code}))
    else:
        for message in messages:
            sys.stderr.write(f"uet: {message}\n")
    return code


def _report_bug(error: Exception, arguments: Sequence[str], as_json: bool) -> int:
    if "--verbose" in arguments or os.environ.get("UET_VERBOSE"):
        import traceback

        traceback.print_exc()
    text = " ".join(str(error).split()) or "no message"
    hint = "this is a bug in uet; set UET_VERBOSE=1 for the traceback and please report it"
    return report([f"internal error: {type(error).__name__}: {text}; {hint}"], 1, as_json)


def main() -> NoReturn:
    """Entry point of the `uet` script."""
    sys.exit(run(sys.argv[1:]))


def walk(command: click.Command, ctx: click.Context) -> list[tuple[str, click.Command, click.Context]]:
    """Return every command below `command` with its full name and context, in alphabetical order."""
    found: list[tuple[str, click.Command, click.Context]] = []
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            child: Any = command.get_command(ctx, name)
            inner = click.Context(child, info_name=name, parent=ctx)
            found.append((inner.command_path, child, inner))
            found += walk(child, inner)
    return found
