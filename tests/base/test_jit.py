"""Worlds, rows and hooks, compiled in this process and as plain Python in another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from uet.base import jit
from uet.base.jit import Hook, World, WorldLayout, kernel
from uet.base.tables import table

ITEM = table("item", "count i8 - a\nkind u1 - b\nweight f8 - c")
TOTAL = table("total", "sum i8 - a")
LAYOUT = WorldLayout("test", ITEM, TOTAL)
item_at, total_at = LAYOUT.rows("item"), LAYOUT.rows("total")
STEP = Hook("step", 1, 2)
call_step = STEP.call


@kernel
def _add(w, limit):
    total = total_at(w, 0)
    for i in range(limit):
        total["sum"] += item_at(w, i)["count"]
    return total["sum"]


@kernel
def _scale(item, factor, offset):
    item["count"] = item["count"] * factor + offset
    return item["count"]


@kernel
def _apply(w, address, n):
    last = 0
    for i in range(n):
        last = call_step(address, item_at(w, i), 3, i)
    return last


def _world() -> World:
    items, totals = ITEM.zeros(4), TOTAL.zeros(1)
    items["count"] = [1, 2, 3, 4]
    return World(LAYOUT, {"item": items, "total": totals})


def test_kernels_see_rows_by_reference() -> None:
    world = _world()
    assert _add(world.handle, 4) == 10
    assert world.tables["total"]["sum"][0] == 10
    world.tables["item"]["count"][0] = 100
    assert _add(world.handle, 1) == 110


def test_hooks_call_a_function_by_address() -> None:
    world = _world()
    address = STEP.address(_scale.py_func if jit.JIT else _scale, ITEM.dtype)
    assert _apply(world.handle, address, 4) == 15
    assert world.tables["item"]["count"].tolist() == [3, 7, 11, 15]
    with pytest.raises(ValueError, match="takes 1 records"):
        STEP.address(_scale)


def test_worlds_refuse_the_wrong_tables() -> None:
    with pytest.raises(ValueError, match="do not match"):
        World(LAYOUT, {"item": ITEM.zeros(1)})
    with pytest.raises(ValueError, match="wrong type or is not contiguous"):
        World(LAYOUT, {"item": ITEM.zeros(4)[::2], "total": TOTAL.zeros(1)})
    with pytest.raises(ValueError, match="wrong type or is not contiguous"):
        World(LAYOUT, {"item": np.zeros(4, np.int64), "total": TOTAL.zeros(1)})


@pytest.mark.parametrize("setting", ["NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"])
def test_the_same_kernels_run_in_the_other_modes(setting: str) -> None:
    if os.environ.get(setting):
        pytest.skip(f"{setting} is already set")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_jit as t; "
        "t.test_kernels_see_rows_by_reference(); t.test_hooks_call_a_function_by_address(); "
        "w = t._world()\n"
        "try: t._add(w.handle, 5)\n"
        "except IndexError: print('out of range')"
    )
    command = [sys.executable, "-W", "error", "-c", program, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, setting: "1"}, check=False)
    assert done.stdout == "out of range\n", done.stderr
