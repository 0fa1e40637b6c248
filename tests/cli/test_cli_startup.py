"""What `uet` imports before it knows what to do."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from uet.cli.main import COMMANDS

HEAVY = (
    "numba", "llvmlite", "matplotlib", "matplotlib.pyplot", "networkx", "numpy", "pandas", "pulp", "pyarrow",
    "pydantic", "rich", "scapy", "scapy.all", "scipy", "yaml", "highspy",
)  # fmt: skip


def _loaded(*arguments: str) -> list[str]:
    program = (
        "import json, sys\n"
        "from uet.cli.main import run\n"
        "code = run(sys.argv[1:])\n"
        "sys.stderr.write(json.dumps([code, sorted(sys.modules)]))"
    )
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, modules = json.loads(done.stderr)
    assert code == 0
    assert done.stdout.startswith("Usage: uet")
    return [name for name in HEAVY if name in modules]


def test_help_imports_nothing_heavy_and_no_command() -> None:
    assert _loaded("--help") == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_of_each_command_imports_nothing_heavy(name: str) -> None:
    assert _loaded(name, "--help") == []


def test_importing_uet_imports_nothing_heavy() -> None:
    program = (
        "import sys, uet; print([m for m in sys.modules if m.partition('.')[0] in ('numpy', 'numba', 'pydantic')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_pyplot_is_never_imported() -> None:
    program = (
        "import sys\n"
        "from emulation.figures.style import house_axes\n"
        "with house_axes() as (figure, axes): axes.plot([0, 1])\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
