"""Random walks of a pair: episodes of faults of all kinds, each ended without faults, with all checks on the way.

An episode is a function of (seed, number): it draws its settings among the variants, how often each
fault befalls a packet, and what is posted when; afterwards every message must come to an end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.pair.drive import do, finish
from emulation.pair.invariants import check
from emulation.pair.medium import violate
from emulation.pair.pair import Pair
from emulation.pair.snapshot import SEGMENT, STORE, restore, save, segments
from emulation.pair.state import (
    CLOSE,
    CORRUPT,
    DELIVER,
    DROP,
    DUPLICATE,
    EXPIRE,
    MARK,
    PAIR_WORLD,
    POST,
    TRIM,
    Violation,
    engine_of,
    pair_at,
)
from uet.base.bitops import ZERO
from uet.base.jit import World, WorldLayout, kernel
from uet.base.rng import below, draw
from uet.base.tables import Records, table
from uet.transport.settings import SETTINGS_TABLE
from uet.transport.state import ROD, RUD
from uet.transport.wire.memory import copy_bytes

WALK = table(
    "walk",
    """
    seed i8 - seed of all episodes
    steps i8 - steps taken so far
    episode i8 - episode under way or finished last
    step i8 - step of it
    drop i8 - of 64 packets, how many are lost
    duplicate i8 - likewise doubled
    trim i8 - likewise trimmed
    mark i8 - likewise marked
    corrupt i8 - likewise damaged
    reorder i8 - of 64 packets, how many are taken out of turn
    hurry i8 - of 64 steps, how many let the earliest timer fire although packets are under way
    post i8 - of 64 steps, how many post a message
    close i8 - of 512 steps, how many close a PDC
    """,
)
WALK_WORLD = WorldLayout("walk_world", WALK, SEGMENT, STORE, SETTINGS_TABLE, PAIR_WORLD)
walk_at = WALK_WORLD.rows("walk")
pair_world_of = WALK_WORLD.rows("pair_world")

FINISH_STEPS = 200_000
STUCK, ENDLESS = int(Violation.STUCK), int(Violation.ENDLESS)
_SETTINGS_BYTES = SETTINGS_TABLE.dtype.itemsize
_LEVELS = np.array([0, 0, 1, 4, 16, 32], dtype=np.int64)


def walk_world(pair: Pair, variants: Records, seed: int) -> World:
    """Return the world of walks of a fresh pair; `variants` are rows of settings that fit its tables."""
    found = segments(pair.world)
    walk = WALK.zeros(1)
    walk["seed"] = seed
    tables: dict[str, Records | World] = {
        "walk": walk,
        "segment": found,
        "store": STORE.zeros(int(found["bytes"].sum())),
        "settings": variants,
        "pair_world": pair.world,
    }
    world = World(WALK_WORLD, tables)
    save(world.handle, 0)
    return world


@kernel
def walk(x: Any, first: int, episodes: int, steps: int) -> int:
    """Run `episodes` episodes of `steps` steps each from number `first` on; return the violation that ended it."""
    w = pair_world_of(x, 0)
    for episode in range(first, first + episodes):
        _begin(x, w, episode)
        state = walk_at(x, 0)
        for step in range(steps):
            state["step"] = step
            _step(x, w, draw(state["seed"], episode + 1, step))
            if check(w) != 0:
                return pair_at(w, 0)["violation"]
        state["steps"] += steps
        outcome = finish(w, FINISH_STEPS)
        if outcome < 0:
            violate(w, STUCK if outcome == -1 else ENDLESS, 0)
        state["steps"] += max(outcome, 0)
        if check(w) != 0:
            return pair_at(w, 0)["violation"]
    return 0


@kernel
def _begin(x: Any, w: Any, episode: int) -> None:
    """Bring back the fresh state and draw settings and rates."""
    restore(x, 0)
    state, e = walk_at(x, 0), engine_of(w, 0)
    state["episode"] = episode
    bits = draw(state["seed"], 0, episode)
    variant = below(bits, x["n_settings"])
    copy_bytes(e["settings"], x["settings"] + variant * _SETTINGS_BYTES, _SETTINGS_BYTES)
    levels = draw(state["seed"], -1, episode)
    state["drop"], state["duplicate"] = _level(levels, 0), _level(levels, 1)
    state["trim"], state["mark"], state["corrupt"] = _level(levels, 2), _level(levels, 3), _level(levels, 4)
    state["reorder"], state["hurry"], state["post"] = _level(levels, 5), _level(levels, 6) >> 2, _level(levels, 7) + 1
    pair = pair_at(w, 0)
    pair["mode"] = ROD if bits & np.uint64(1 << 40) else RUD
    state["close"] = 4 if bits & np.uint64(3 << 41) == ZERO else 0


@kernel
def _level(bits: np.uint64, k: int) -> int:
    """Return one of the levels by byte `k` of `bits`."""
    return _LEVELS[np.int64(bits >> np.uint64(8 * k) & np.uint64(255)) % 6]


@kernel
def _step(x: Any, w: Any, bits: np.uint64) -> None:
    """Take one step: post, let a timer fire, or decide the fate of a packet."""
    state, pair = walk_at(x, 0), pair_at(w, 0)
    what, how = np.int64(bits & np.uint64(63)), np.int64(bits >> np.uint64(6) & np.uint64(63))
    where = draw(np.int64(bits >> np.uint64(1)), 0, 0)
    wants_to_post = what < state["post"] or (pair["n_flight"] == 0 and pair["n_open"] == 0)
    if wants_to_post and do(w, POST, np.int64(bits >> np.uint64(12) & np.uint64(1)), _length(w, where)) >= 0:
        return
    if np.int64(bits >> np.uint64(20) & np.uint64(511)) < state["close"]:
        do(w, CLOSE, below(where, engine_of(w, 0)["n_pdc"]), 0)
        return
    if pair["n_flight"] == 0 or what >= 64 - state["hurry"]:
        do(w, EXPIRE, 0, 0)
        return
    k = 0
    if np.int64(bits >> np.uint64(13) & np.uint64(63)) < state["reorder"]:
        k = below(where, pair["n_flight"])
    if how < state["drop"]:
        do(w, DROP, k, 0)
        return
    fault = draw(np.int64(where >> np.uint64(1)), 1, 0)
    if np.int64(fault & np.uint64(63)) < state["duplicate"]:
        do(w, DUPLICATE, k, 0)
    if np.int64(fault >> np.uint64(6) & np.uint64(63)) < state["mark"]:
        do(w, MARK, k, 0)
    if np.int64(fault >> np.uint64(12) & np.uint64(63)) < state["trim"]:
        do(w, TRIM, k, np.int64(fault >> np.uint64(24) & np.uint64(1)))
    if np.int64(fault >> np.uint64(18) & np.uint64(63)) < state["corrupt"]:
        do(w, CORRUPT, k, np.int64(fault >> np.uint64(32)))
    do(w, DELIVER, k, 0)


@kernel
def _length(w: Any, bits: np.uint64) -> int:
    """Draw the length of a message: often a few packets, sometimes none, sometimes all that it may have."""
    most = pair_at(w, 0)["message_bytes"]
    kind = np.int64(bits & np.uint64(7))
    if kind == 0:
        return 0
    return below(bits, most if kind == 1 else min(most, 100)) + 1
