"""Compiled kernels are found again exactly when nothing they were compiled from has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from uet.base import jit, kernel_cache

PROGRAM = """
from uet import callers, others
answers = callers.scaled(3), others.doubled(3)
print(*answers, sum(callers.scaled.stats.cache_hits.values()), sum(others.doubled.stats.cache_hits.values()))
"""
SOURCES = {
    "constants.py": "FACTOR = 5\n",
    "callees.py": "from uet.base.jit import kernel\nfrom uet.constants import (\n    FACTOR,\n)\n\n"
    "@kernel\ndef scale(x):\n    return FACTOR * x\n",
    "callers.py": "from uet import callees\nfrom uet.base.jit import kernel\n\nscale = callees.scale\n\n"
    "@kernel\ndef scaled(x):\n    return scale(x)\n",
    "others.py": "from uet.base.jit import kernel\n\n@kernel\ndef doubled(x):\n    return 2 * x\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package uet of its own with the real base and four small modules."""
    base = tmp_path / "uet" / "base"
    base.mkdir(parents=True)
    for source in Path(jit.__file__).parent.glob("*.py"):
        (base / source.name).write_bytes(source.read_bytes())
    (tmp_path / "uet" / "__init__.py").touch()
    for name, text in SOURCES.items():
        (tmp_path / "uet" / name).write_text(text)
    return tmp_path


def _run(package: Path, **settings: str) -> list[int]:
    """Return the two kernels' answers and how often each was found in the cache."""
    environment = {**os.environ, "PYTHONPATH": str(package), "NUMBA_CACHE_DIR": str(package / "cache"), **settings}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, cwd=package, check=True
    )
    return [int(word) for word in done.stdout.split()]


@pytest.mark.skipif(not jit.JIT, reason="nothing is compiled with NUMBA_DISABLE_JIT")
def test_an_edit_recompiles_what_depends_on_it_and_nothing_else(package: Path) -> None:
    assert _run(package) == [15, 6, 0, 0]
    assert _run(package) == [15, 6, 1, 1]
    for name, text in SOURCES.items():
        (package / "uet" / name).write_text(text)  # same content, another time
    assert _run(package) == [15, 6, 1, 1]
    (package / "uet" / "constants.py").write_text("FACTOR = 7\n")
    assert _run(package) == [21, 6, 0, 1]
    assert _run(package) == [21, 6, 1, 1]
    assert _run(package, NUMBA_BOUNDSCHECK="1") == [21, 6, 0, 0]
    assert _run(package) == [21, 6, 1, 1]


def test_kernels_of_plug_ins_are_cached_and_other_files_left_alone(tmp_path: Path) -> None:
    def function() -> None: ...

    mine, theirs = tmp_path / "mine.py", tmp_path / "theirs.py"
    mine.write_text("from uet.base.jit import kernel\n")
    theirs.write_text("import numba\n")
    locator = kernel_cache.ContentLocator.from_function(function, str(mine))
    assert locator is not None
    assert Path(locator.get_cache_path()).is_relative_to(kernel_cache.DIRECTORY)
    assert kernel_cache.ContentLocator.from_function(function, str(theirs)) is None
    assert kernel_cache.ContentLocator.from_function(function, "<string>") is None


def test_versions_of_processes_that_write_at_once_are_never_mixed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (kernel_cache.VersionFiles(str(tmp_path), "kernel-1", "stamp") for _ in range(2))
    with monkeypatch.context() as unaware:
        unaware.setattr(other, "_load_index", dict)  # it read the index before the first had written it
        one.save("int64", "for int64")
        other.save("float64", "for float64")
    assert one.load("float64") == "for float64"
    assert one.load("int64") is None
    one.save("int64", "for int64")
    assert [one.load(k) for k in ("int64", "float64")] == ["for int64", "for float64"]
    edited = kernel_cache.VersionFiles(str(tmp_path), "kernel-1", "later stamp")
    edited.save("int64", "after the edit")
    assert edited.load("int64") == "after the edit" and one.load("int64") is None
    assert len(list(tmp_path.glob("*.nbc"))) == 1
