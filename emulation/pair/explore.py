"""Visit every state that a pair can reach while it posts given messages and the medium makes few faults.

Depth first on the engine itself: a state is put aside, one thing happens, and if the state reached was
never seen the search goes on from there. Any packet under way may be delivered next, lost, doubled or
trimmed, or the earliest timer may fire, or the next message is posted. Losing, doubling and trimming
are faults, and so is a timeout while packets are under way. States are told apart by a hash of 64
bits, so that of n states about n^2 / 2^65 are missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emulation.pair.canon import MASK, OTHER, fold, masks, others, state_hash
from emulation.pair.drive import do, finish
from emulation.pair.invariants import check
from emulation.pair.medium import violate
from emulation.pair.pair import Pair
from emulation.pair.snapshot import SEGMENT, STORE, restore, save, segments
from emulation.pair.state import (
    DELIVER,
    DROP,
    DUPLICATE,
    EXPIRE,
    PAIR_WORLD,
    POST,
    TRIM,
    Violation,
    engine_of,
    pair_at,
)
from uet.base.bitops import ZERO
from uet.base.jit import World, WorldLayout, kernel
from uet.base.rng import mix64
from uet.base.tables import Records, table
from uet.transport.state import core_at
from uet.transport.timers import NEVER, next_timer

EXPLORE = table(
    "explore",
    """
    states i8 - states visited
    steps i8 - things that happened
    ends i8 - of the states visited, those in which all is done
    finished i8 - of the states visited, those from which a run without faults was tried
    depth i8 - where the search stands: steps from the start
    deepest i8 - most it ever was
    cut i8 - states not followed because they lie too deep
    n_script i8 - messages to post
    faults i8 - faults the medium may make
    sample i8 - try a run without faults from one of so many states, a power of two
    """,
)
LEVEL = table(
    "level",
    """
    choice i4 - choice taken or to be taken next
    flight i4 - packets under way
    faults i4 - faults made so far
    """,
)
SCRIPT = table(
    "script",
    """
    src i8 - endpoint that posts
    bytes i8 bytes length
    """,
)
SEEN = table("seen", "hash u8 - of a state visited, 0 free")
EXPLORE_WORLD = WorldLayout("explore_world", EXPLORE, LEVEL, SCRIPT, SEEN, MASK, OTHER, SEGMENT, STORE, PAIR_WORLD)
explore_at = EXPLORE_WORLD.rows("explore")
level_at = EXPLORE_WORLD.rows("level")
script_at = EXPLORE_WORLD.rows("script")
seen_at = EXPLORE_WORLD.rows("seen")
pair_world_of = EXPLORE_WORLD.rows("pair_world")

FINISH_STEPS = 10_000
STUCK, ENDLESS = int(Violation.STUCK), int(Violation.ENDLESS)
ALL_SEEN, FULL, FOUND, MORE = range(4)
"""Why the search stopped: no state is left, the table is three quarters full, a violation, or its steps are over."""


def explore_world(
    pair: Pair, script: Sequence[tuple[int, int]], faults: int, max_states: int, max_depth: int = 400, sample: int = 256
) -> World:
    """Return the world of a search from a fresh `pair`, without wire, that posts (endpoint, bytes) in order."""
    found = segments(pair.world)
    explore, level, posts = EXPLORE.zeros(1), LEVEL.zeros(max_depth), SCRIPT.zeros(len(script))
    explore["n_script"], explore["faults"], explore["sample"] = len(script), faults, sample
    posts["src"], posts["bytes"] = [src for src, _ in script], [n_bytes for _, n_bytes in script]
    tables: dict[str, Records | World] = {
        "explore": explore,
        "level": level,
        "script": posts,
        "seen": SEEN.zeros(1 << (max_states * 4 // 3).bit_length()),
        "mask": masks(),
        "other": others(pair.engine.world),
        "segment": found,
        "store": STORE.zeros((max_depth + 1) * int(found["bytes"].sum())),
        "pair_world": pair.world,
    }
    world = World(EXPLORE_WORLD, tables)
    save(world.handle, 0)
    return world


@kernel
def explore(x: Any, max_steps: int) -> int:
    """Go on with the search for at most `max_steps` steps and return why it stopped."""
    state, w = explore_at(x, 0), pair_world_of(x, 0)
    for _ in range(max_steps):
        depth = state["depth"]
        level = level_at(x, depth)
        if level["choice"] > 4 * level["flight"] + 1:
            if depth == 0:
                return ALL_SEEN
            state["depth"] = depth - 1
            level_at(x, depth - 1)["choice"] += 1
            continue
        if level["choice"] == level["flight"] and level["faults"] == state["faults"]:
            level["choice"] = 4 * level["flight"]  # no fault is left
        restore(x, depth)
        faults = _happen(x, w, np.int64(level["choice"]), np.int64(level["flight"]))
        if faults < 0 or level["faults"] + faults > state["faults"]:
            level["choice"] += 1
            continue
        state["steps"] += 1
        if check(w) != 0 or _is_stuck(x, w):
            return FOUND
        made = np.int64(level["faults"]) + faults
        if not _is_new(x, mix64(fold(state_hash(x, w), np.uint64(made)))):
            level["choice"] += 1
            continue
        state["states"] += 1
        if 4 * state["states"] > 3 * x["n_seen"]:
            return FULL
        if not _descend(x, w, made):
            return FOUND
    return MORE


@kernel
def _happen(x: Any, w: Any, choice: int, flight: int) -> int:
    """Let choice number `choice` happen and return how many faults that is; -1 if it cannot happen."""
    pair, e, state = pair_at(w, 0), engine_of(w, 0), explore_at(x, 0)
    if choice < flight:
        do(w, DELIVER, choice, 0)
        return 0
    if choice < 2 * flight:
        do(w, DROP, choice - flight, 0)
        return 1
    if choice < 3 * flight:
        return 1 if do(w, DUPLICATE, choice - 2 * flight, 0) else -1
    if choice < 4 * flight:
        return 1 if do(w, TRIM, choice - 3 * flight, 0) else -1
    if choice == 4 * flight:
        before = core_at(e, 0)["timeouts"]
        if do(w, EXPIRE, 0, 0) == 0:
            return -1
        acted = core_at(e, 0)["timeouts"] > before or pair["n_flight"] > flight
        return 1 if flight > 0 and acted else 0
    if pair["n_posted"] >= state["n_script"]:
        return -1
    post = script_at(x, pair["n_posted"])
    return 0 if do(w, POST, post["src"], post["bytes"]) >= 0 else -1


@kernel
def _is_stuck(x: Any, w: Any) -> bool:
    """Note a violation if messages are open but nothing can happen any more."""
    pair = pair_at(w, 0)
    if pair["n_open"] > 0 and pair["n_flight"] == 0 and next_timer(engine_of(w, 0)) == NEVER:
        violate(w, STUCK, 0)
        return True
    return False


@kernel
def _is_new(x: Any, found: np.uint64) -> bool:
    """Put a hash among those seen; False if it was there."""
    if found == ZERO:
        found = np.uint64(1)
    mask = np.uint64(x["n_seen"] - 1)
    i = found & mask
    while True:
        entry = seen_at(x, np.int64(i))
        if entry["hash"] == found:
            return False
        if entry["hash"] == ZERO:
            entry["hash"] = found
            return True
        i = (i + np.uint64(1)) & mask


@kernel
def _descend(x: Any, w: Any, faults: int) -> bool:
    """Go on from the state reached, unless all is done there; False if a run from there without faults goes wrong."""
    state, pair = explore_at(x, 0), pair_at(w, 0)
    level = level_at(x, state["depth"])
    if pair["n_open"] == 0 and pair["n_flight"] == 0 and pair["n_posted"] == state["n_script"]:
        state["ends"] += 1
        level["choice"] += 1
        return True
    if state["depth"] + 1 >= x["n_level"]:
        state["cut"] += 1
        level["choice"] += 1
        return True
    state["depth"] += 1
    state["deepest"] = max(state["deepest"], state["depth"])
    below = level_at(x, state["depth"])
    below["choice"], below["flight"], below["faults"] = 0, pair["n_flight"], faults
    save(x, state["depth"])
    if state["states"] & (state["sample"] - 1) == 0:
        state["finished"] += 1
        outcome = finish(w, FINISH_STEPS)
        if outcome < 0:
            violate(w, STUCK if outcome == -1 else ENDLESS, 0)
        return check(w) == 0
    return True


def path(world: World) -> list[str]:
    """Return what happened from the start to where the search stands, for a violation found there."""
    levels = world.tables["level"][: int(world.tables["explore"]["depth"][0]) + 1]
    verbs = ("deliver", "drop", "duplicate", "trim")
    steps = []
    for level in levels:
        choice, flight = int(level["choice"]), int(level["flight"])
        if choice < 4 * flight:
            steps.append(f"{verbs[choice // flight]} {choice % flight}")
        else:
            steps.append("expire" if choice == 4 * flight else "post")
    return steps
