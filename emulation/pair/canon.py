"""A hash of what matters of a pair's state: equal for states that differ only in the time or in row numbers.

Times count from now. Packets under way count as a set, whatever their slots; so do timers and messages
being received. Statistics, free lists, rows behind the end of a list, and what a controller and a
balancer without memory never look at do not count. Of tables unknown here every byte counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.pair.state import engine_of, flight_at, goods_at, pair_at
from uet.base.bitops import ZERO
from uet.base.heap import heap_at
from uet.base.jit import World, WorldLayout, kernel
from uet.base.rng import mix64
from uet.base.tables import Records, Table, table
from uet.transport.bits import has, words_for
from uet.transport.record import PACKET
from uet.transport.state import PDC, core_at, endpoint_at, inbox_at, pdc_at, sent_at, settings_at, word_at
from uet.transport.timers import RTO, STATE
from uet.transport.wire.memory import load64

MASK = table("mask", "bits u8 - bits that count of an eight-byte word: the words of a packet, then those of a PDC")
OTHER = table(
    "other",
    """
    address i8 - of a table whose every byte counts
    words i8 - its eight-byte words
    """,
)
_ANY = WorldLayout("any", MASK, OTHER)
mask_at, other_at = _ANY.rows("mask"), _ANY.rows("other")

PACKET_BYTES, PDC_BYTES = PACKET.dtype.itemsize, PDC.dtype.itemsize
PACKET_WORDS, PDC_WORDS = PACKET_BYTES // 8, PDC_BYTES // 8
_KNOWN = {
    "core", "settings", "packet", "slot", "ses", "endpoint", "pdc", "sent", "word", "message", "inbox", "completion",
    "heap", "directory", "cc_event", "cc_state", "lb_state", "reason_count", "trace", "order", "move",
}  # fmt: skip
_TIMES = ("since_ps", "rto_ps", "hold_ps", "answer_ps", "probe_ps")
_FACTOR, _UP, _DOWN = np.uint64(0x9FB21C651E98DF25), np.uint64(27), np.uint64(37)


def masks() -> Records:
    """Return the words that select what counts of a packet and of a PDC."""
    rows = MASK.zeros(PACKET_WORDS + PDC_WORDS)
    rows["bits"][:PACKET_WORDS] = _mask(PACKET, ("time_ps",))
    rows["bits"][PACKET_WORDS:] = _mask(PDC, ("inbox", "ring", "tx_words", "rx_words", *_TIMES))
    return rows


def _mask(layout: Table, ignored: tuple[str, ...]) -> Any:
    """Return the mask as words in the order in which `load64` reads them: most significant byte first."""
    counted = np.zeros(layout.dtype.itemsize, np.uint8)
    for f in layout.fields:
        dtype, offset = layout.dtype.fields[f.name][:2]  # type: ignore[index]
        counted[offset : offset + dtype.itemsize] = 0 if f.name in ignored else 0xFF
    return counted.view(">u8")


def others(engine: World) -> Records:
    """Return the engine's tables that this file does not know field by field."""
    found = [rows for name, rows in engine.tables.items() if name not in _KNOWN and rows.nbytes >= 8]
    listed = OTHER.zeros(len(found))
    listed["address"], listed["words"] = [t.ctypes.data for t in found], [t.nbytes // 8 for t in found]
    return listed


@kernel
def fold(h: np.uint64, word: np.uint64) -> np.uint64:
    """Mix one more word into a hash."""
    return (((h << _UP) | (h >> _DOWN)) ^ word) * _FACTOR


@kernel
def _fold_masked(x: Any, h: np.uint64, address: int, first: int, words: int) -> np.uint64:
    for i in range(words):
        h = fold(h, load64(address + 8 * i) & mask_at(x, first + i)["bits"])
    return h


@kernel
def state_hash(x: Any, w: Any) -> np.uint64:
    """Return the hash of the state of pair `w`; `x` is a world with the tables `mask` and `other`."""
    pair, e = pair_at(w, 0), engine_of(w, 0)
    now, total = pair["now_ps"], ZERO
    for k in range(pair["n_flight"]):
        slot = np.int64(flight_at(w, k)["slot"])
        total += mix64(_fold_masked(x, np.uint64(1), e["packet"] + slot * PACKET_BYTES, 0, PACKET_WORDS))
    for k in range(core_at(e, 0)["n_timers"]):
        timer = heap_at(e, k)
        total += mix64(fold(fold(np.uint64(2), np.uint64(timer["time_ps"] - now)), np.uint64(timer["item"])))
    for k in range(core_at(e, 0)["used_inbox"]):
        box = inbox_at(e, k)
        if box["bytes"] > 0 and _is_live(e, k):
            message = np.uint64(np.int64(box["pdc"]) << 16 | np.int64(box["message_id"]))
            total += mix64(fold(fold(np.uint64(3), message), np.uint64(box["bytes"])))
    h = total
    for k in range(pair["n_posted"]):
        goods = goods_at(w, k)
        h = fold(fold(h, goods["arrived"]), np.uint64(np.int64(goods["sent"]) << 8 | np.int64(goods["received"])))
    h = fold(h, np.uint64(pair["n_posted"]))
    for endpoint in range(2):
        h = fold(h, np.uint64(endpoint_at(e, endpoint)["control_run"]))
    h = _fold_pdcs(x, e, h, now)
    for k in range(x["n_other"]):
        other = other_at(x, k)
        for i in range(other["words"]):
            h = fold(h, load64(other["address"] + 8 * i))
    return mix64(h)


@kernel
def _is_live(e: Any, wanted: int) -> bool:
    """Tell whether an inbox row is in use: the rows given back are linked through `pdc`."""
    row = core_at(e, 0)["free_inbox"]
    while row >= 0 and row != wanted:
        row = np.int64(inbox_at(e, row)["pdc"])
    return row < 0


@kernel
def _fold_set(e: Any, h: np.uint64, first: int, n: int) -> np.uint64:
    for i in range(first, first + n):
        h = fold(h, word_at(e, i)["bits"])
    return h


@kernel
def _fold_pdcs(x: Any, e: Any, h: np.uint64, now: int) -> np.uint64:
    window = settings_at(e, 0)["window_packets"]
    for row in range(e["n_pdc"]):
        p = pdc_at(e, row)
        h = _fold_masked(x, h, e["pdc"] + row * PDC_BYTES, PACKET_WORDS, PDC_WORDS)
        timers = np.int64(p["timers"])
        h = fold(h, np.uint64(p["rto_ps"] - now if timers & 1 << RTO else 0))
        h = fold(h, np.uint64(now - p["since_ps"] if timers & 1 << STATE else 0))
        h = fold(h, np.uint64(max(p["hold_ps"] - now, 0)))
        h = fold(h, np.uint64(max(p["answer_ps"] - now, 0)))
        if p["rx_words"] >= 0:
            h = _fold_set(e, h, np.int64(p["rx_words"]), words_for(window))
        if p["ring"] < 0:
            continue
        h = _fold_set(e, h, np.int64(p["tx_words"]), 3 * words_for(window))
        for number in range(p["tx_cack"], p["tx_next"]):
            sent = sent_at(e, p["ring"] + (number & (window - 1)))
            h = fold(h, np.uint64(np.int64(sent["tries"]) << 8 | np.int64(sent["timeouts"])))
            if has(e, np.int64(p["tx_words"]), window, number):
                h = fold(h, np.uint64(sent["time_ps"] - now))
    return h
