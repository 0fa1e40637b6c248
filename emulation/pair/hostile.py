"""Hostile frames: a pair at work is sent changed copies of frames under way, on top of its own packets.

An episode is a function of (seed, number). Copies have bits flipped, bytes overwritten, ends cut off or
added, or heads of other frames; of a part of them lengths and checksums are put right again, so that
they reach the engine. A copy that the parser refuses must leave every byte of the engine's tables as it
was. One that it takes may say anything an authentic peer could say: the engine's books must stay in
order, whatever became of the messages.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.pair.canon import OTHER, PACKET_BYTES, fold, other_at
from emulation.pair.drive import do
from emulation.pair.invariants import check
from emulation.pair.pair import Pair
from emulation.pair.snapshot import SEGMENT, STORE, restore, save, segments
from emulation.pair.state import (
    CLOSE,
    DELIVER,
    DROP,
    DUPLICATE,
    EXPIRE,
    PAIR_WORLD,
    POST,
    Violation,
    engine_of,
    flight_at,
    pair_at,
    path_at,
)
from uet.base.jit import World, WorldLayout, kernel
from uet.base.rng import below, draw
from uet.base.tables import Records, table
from uet.transport.record import PACKET, SES
from uet.transport.slots import SES_BYTES, slot_ses
from uet.transport.state import ROD, RUD
from uet.transport.wire.crc32c import crc32c
from uet.transport.wire.internet_checksum import ip_checksum
from uet.transport.wire.memory import copy_bytes, load8, load64, store8, store16, store32, swap32
from uet.transport.wire.parse import parse_frame

HOSTILE = table(
    "hostile",
    """
    seed i8 - seed of all episodes
    episode i8 - episode under way
    draws i8 - random numbers drawn in it
    guard i8 - address where the buffer ends in which each copy is parsed first
    frames i8 - copies sent
    refused i8 - of these refused by the parser
    failed i8 - what went wrong: a Violation, or CHANGED
    """,
)
HOSTILE_WORLD = WorldLayout("hostile_world", HOSTILE, SEGMENT, STORE, OTHER, PACKET, SES, PAIR_WORLD)
hostile_at = HOSTILE_WORLD.rows("hostile")
pair_world_of = HOSTILE_WORLD.rows("pair_world")
scratch_packet_at, scratch_ses_at = HOSTILE_WORLD.rows("packet"), HOSTILE_WORLD.rows("ses")

CHANGED = 100
"""A refused frame changed the engine's tables."""
_BY_SLOT = {"packet", "ses"}
_PASSED_ON = {"completion"}  # written only together with `core`, which tells
_MEDIUM = (1 << Violation.REFUSED) | (1 << Violation.DAMAGED)
_BOOKS = sum(
    1 << v
    for v in (
        Violation.WINDOW, Violation.IN_FLIGHT, Violation.LOST, Violation.OUT_OF_ORDER, Violation.NO_TIMER,
        Violation.SLOTS, Violation.IDLE,
    )
)  # fmt: skip
"""What no peer may cause, whatever it says."""
_MANY = 24
_ADDRESSES, _UDP_AT, _UET_AT, _CRC = 26, 34, 42, 4


def hostile_world(pair: Pair, seed: int, guard: int) -> World:
    """Return the world of episodes of a fresh pair; `guard` is where a buffer for the longest frame ends."""
    engine = pair.engine.world.tables
    counted = [t for name, t in engine.items() if name not in _BY_SLOT | _PASSED_ON and t.nbytes >= 8]
    found, others, hostile = segments(pair.world), OTHER.zeros(len(counted)), HOSTILE.zeros(1)
    others["address"], others["words"] = [t.ctypes.data for t in counted], [t.nbytes // 8 for t in counted]
    hostile["seed"], hostile["guard"] = seed, guard
    tables: dict[str, Records | World] = {
        "hostile": hostile,
        "segment": found,
        "store": STORE.zeros(int(found["bytes"].sum())),
        "other": others,
        "packet": PACKET.zeros(1),
        "ses": SES.zeros(1),
        "pair_world": pair.world,
    }
    world = World(HOSTILE_WORLD, tables)
    save(world.handle, 0)
    return world


@kernel
def run(x: Any, first: int, episodes: int, steps: int) -> int:
    """Run episodes of `steps` hostile frames each; return what went wrong, 0 if nothing."""
    w, state = pair_world_of(x, 0), hostile_at(x, 0)
    for episode in range(first, first + episodes):
        restore(x, 0)
        state["episode"], state["draws"] = episode, 0
        pair_at(w, 0)["mode"] = ROD if episode & 1 else RUD
        for _ in range(steps):
            _work(x, w)
            if pair_at(w, 0)["n_flight"] > 0:
                _attack(x, w)
            if state["failed"] != 0:
                return state["failed"]
    return 0


@kernel
def _roll(x: Any, n: int) -> int:
    """Draw a number below n."""
    state = hostile_at(x, 0)
    state["draws"] += 1
    return below(draw(state["seed"], state["episode"], state["draws"]), n)


@kernel
def _work(x: Any, w: Any) -> None:
    """Let the pair go on: mostly a few packets are under way afterwards."""
    pair = pair_at(w, 0)
    if _roll(x, 100) == 0:
        do(w, CLOSE, _roll(x, engine_of(w, 0)["n_pdc"]), 0)
    while pair["n_flight"] > _MANY:
        do(w, DROP, _roll(x, pair["n_flight"]), 0)
    if pair["n_flight"] > 0 and _roll(x, 2) == 0:
        do(w, DELIVER, _roll(x, pair["n_flight"]), 0)
    if (pair["n_flight"] == 0 or _roll(x, 16) == 0) and do(w, POST, _roll(x, 2), _roll(x, 100)) < 0:
        do(w, EXPIRE, 0, 0)


@kernel
def _attack(x: Any, w: Any) -> None:
    """Deliver a changed copy of a frame under way."""
    pair, state, k = pair_at(w, 0), hostile_at(x, 0), _roll(x, pair_at(w, 0)["n_flight"])
    if do(w, DUPLICATE, k, 0) == 0:
        return
    last = pair["n_flight"] - 1
    slot = np.int64(flight_at(w, last)["slot"])
    do(w, DROP, last, 0)
    before = _digest(x, w, slot)
    do(w, DUPLICATE, k, 0)  # into the same slot
    item, frame = flight_at(w, last), w["frame"] + slot * pair["room_bytes"]
    item["length"] = _change(x, w, frame, np.int64(item["length"]))
    refused = _is_refused(x, w, frame, np.int64(item["length"]))
    item["damaged"] = 1 if refused else 0
    pair["violation"] = 0
    do(w, DELIVER, last, 0)
    state["frames"] += 1
    wrong = pair["violation"]
    if _MEDIUM >> wrong & 1:
        state["failed"] = wrong
    elif refused:
        state["refused"] += 1
        if _digest(x, w, slot) != before:
            state["failed"] = CHANGED
    else:
        pair["violation"] = 0
        wrong = check(w)
        if _BOOKS >> wrong & 1:
            state["failed"] = wrong


@kernel
def _is_refused(x: Any, w: Any, frame: int, length: int) -> bool:
    """Parse a frame that ends where its buffer ends; tell whether it is refused."""
    copy = hostile_at(x, 0)["guard"] - length
    copy_bytes(copy, frame, length)
    return parse_frame(path_at(w, 0), copy, length, scratch_packet_at(x, 0), scratch_ses_at(x, 0), path_at(w, 2)) < 0


@kernel
def _digest(x: Any, w: Any, slot: int) -> np.uint64:
    """Return a hash of all bytes of the engine's tables but those that belong to a slot."""
    e, h = engine_of(w, 0), np.uint64(1)
    for k in range(x["n_other"]):
        h = _fold(h, other_at(x, k)["address"], other_at(x, k)["words"] * 8)
    h = _fold(h, e["packet"], slot * PACKET_BYTES)
    h = _fold(h, e["packet"] + (slot + 1) * PACKET_BYTES, (e["n_packet"] - slot - 1) * PACKET_BYTES)
    row = slot_ses(e, slot)
    h = _fold(h, e["ses"], row * SES_BYTES)
    return _fold(h, e["ses"] + (row + 1) * SES_BYTES, (e["n_ses"] - row - 1) * SES_BYTES)


@kernel
def _fold(h: np.uint64, address: int, n_bytes: int) -> np.uint64:
    for at in range(address, address + n_bytes, 8):
        h = fold(h, load64(at))
    return h


@kernel
def _change(x: Any, w: Any, frame: int, n: int) -> int:
    """Change a frame and return its new length."""
    kind, right = _roll(x, 6), _roll(x, 3) == 0
    first = _UET_AT if right else 0  # what is put right below UET would undo the change
    if kind == 0:
        n = first + _roll(x, n - first + 1)
    elif kind == 1:
        longer = n + _roll(x, pair_at(w, 0)["room_bytes"] - n + 1)
        for at in range(frame + n, frame + longer):
            store8(at, _roll(x, 256))
        n = longer
    elif kind == 2:
        other = flight_at(w, _roll(x, pair_at(w, 0)["n_flight"] - 1))
        head = _roll(x, min(n, np.int64(other["length"])) + 1)
        copy_bytes(frame, w["frame"] + np.int64(other["slot"]) * pair_at(w, 0)["room_bytes"], head)
    else:
        for _ in range(1 + _roll(x, 4)):
            at = frame + first + _roll(x, n - first)
            store8(at, _other_byte(x, kind, load8(at)))
    if right and n >= _UET_AT + _CRC:
        _put_right(frame, n)
    return n


@kernel
def _other_byte(x: Any, kind: int, byte: int) -> int:
    """Return a byte with a bit flipped, another one, or one at the edge of what a field can say."""
    if kind == 3:
        return byte ^ (1 << _roll(x, 8))
    if kind == 4:
        return _roll(x, 256)
    edge = _roll(x, 5)
    return (0x00, 0x01, 0x7F, 0x80, 0xFF)[edge]


@kernel
def _put_right(frame: int, n: int) -> None:
    """Write lengths, IP checksum and CRC that fit a frame over IPv4 and UDP without tags."""
    store16(frame + 16, n - 14)
    store16(frame + 24, 0)
    store16(frame + 24, ip_checksum(frame + 14, 20))
    store16(frame + _UDP_AT + 4, n - _UDP_AT)
    store16(frame + _UDP_AT + 6, 0)
    store32(frame + n - _CRC, swap32(crc32c(frame + _ADDRESSES, n - _CRC - _ADDRESSES)))
