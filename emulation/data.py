"""The real numbers of a schedule: where an operation's bytes lie, and what moving or reducing them does.

Shared by the carriers that move payload. A message that comes before its receive has started waits aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emulation.apply import APPLY, VIEWS, apply_address
from emulation.operations import step_at
from uet.base.jit import World, WorldLayout, copy_bytes, kernel
from uet.base.tables import Records, table
from uet.schedule.model import OPERATION, RECV

if TYPE_CHECKING:
    from uet.schedule.execute import Buffers
    from uet.schedule.model import Schedule

NUMBERS = table(
    "numbers",
    """
    apply i8 - address of the kernel that reduces and copies
    data_bytes i8 bytes DATA of one rank
    scratch_bytes i8 bytes SCRATCH of one rank
    """,
)
EARLY = table("early", "byte u1 bytes messages that came before their receive started")
EARLY_PLACE = table("early_place", "first i8 - where in `early` the message of this operation goes")
DATA = WorldLayout("data", NUMBERS, EARLY, EARLY_PLACE, OPERATION, VIEWS)

numbers_at = DATA.rows("numbers")
early_place_at = DATA.rows("early_place")
operation_at = DATA.rows("operation")
views_of = DATA.rows("views")
_apply = APPLY.call


def data_world(schedule: Schedule, buffers: Buffers) -> World:
    """Return the data of a schedule's ranks for kernels; `buffers` are used in place."""
    ops = schedule.operations
    early_bytes = np.where(ops["kind"] == RECV, ops["bytes"], 0)
    places = EARLY_PLACE.zeros(len(ops))
    places["first"] = np.cumsum(early_bytes) - early_bytes
    numbers = NUMBERS.zeros(1)
    numbers["apply"] = apply_address(str(buffers.dtype))
    numbers["data_bytes"], numbers["scratch_bytes"] = schedule.data_bytes, schedule.scratch_bytes
    flat = {
        name: rows.reshape(-1).view(VIEWS.tables[name].dtype)
        for name, rows in (("data", buffers.data), ("scratch", buffers.scratch))
    }
    tables: dict[str, Records | World] = {
        "numbers": numbers,
        "early": EARLY.zeros(int(early_bytes.sum())),
        "early_place": places,
        "operation": ops,
        "views": World(VIEWS, flat),
    }
    return World(DATA, tables)


@kernel
def place(d: Any, step: int) -> int:
    """Return the address of an operation's bytes in its rank's buffers."""
    op, v = operation_at(d, step), views_of(d, 0)
    if op["buffer"]:
        return v["scratch"] + op["rank"] * numbers_at(d, 0)["scratch_bytes"] + op["offset"]
    return v["data"] + op["rank"] * numbers_at(d, 0)["data_bytes"] + op["offset"]


@kernel
def store(d: Any, o: Any, step: int, source: int, offset: int, n_bytes: int) -> None:
    """Copy new bytes to where their receive wants them, or aside if the receive has not started."""
    s = step_at(o, step)
    if s["started"] == 0:
        s["early"] = 1
    target = d["early"] + early_place_at(d, step)["first"] if s["early"] == 1 else place(d, step)
    copy_bytes(target + offset, source, n_bytes)


@kernel
def carry_out(d: Any, step: int) -> None:
    """Reduce or copy within a rank, or fetch a message that came early."""
    op, numbers = operation_at(d, step), numbers_at(d, 0)
    if op["kind"] == RECV:
        copy_bytes(place(d, step), d["early"] + early_place_at(d, step)["first"], op["bytes"])
        return
    rank = np.int64(op["rank"])
    _apply(numbers["apply"], views_of(d, 0), op, numbers["data_bytes"], numbers["scratch_bytes"], rank)
