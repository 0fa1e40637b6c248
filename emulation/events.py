"""The event queue: a time wheel of packed chunks, a sorted current bucket and a heap beyond the horizon.

An event is 32 bits (kind and index, the carrier's own). The wheel has `buckets` buckets of
2**width_bits ps; a bucket is a chain of 64-byte chunks of seven keys. When its turn comes, a bucket
is sorted by time; ties keep their order of insertion, so runs repeat bit for bit. A binary heap
would cost five to seven times as much, mostly in cache misses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.bitops import ONE, ZERO, trailing_zeros
from uet.base.heap import HEAP, heap_at, pop, push
from uet.base.jit import World, WorldLayout, kernel, prefetch
from uet.base.tables import Records, table

WHEEL = table(
    "wheel",
    """
    width_bits i8 - a bucket spans 2**width_bits ps
    start_ps i8 ps start of the current bucket
    bucket i8 - number of the current bucket
    pending i8 - events in the wheel and in the current bucket
    position i8 - next event of the current bucket
    end i8 - events in the current bucket
    free_chunk i8 - head of the list of chunks given back
    used_chunks i8 - chunks ever taken
    n_later i8 - events beyond the horizon
    rows i8 - address of the table that events below `n_rows` index, to load ahead; 0 none
    row_bytes i8 bytes size of its rows
    n_rows i8 - how many it has
    processed i8 - events taken so far
    """,
)
BUCKET = table(
    "bucket",
    """
    first i4 - oldest chunk, -1 if the bucket is empty
    last i4 - newest chunk
    """,
)
CELL = table("cell", "key i8 - one of a chunk's eight words: seven keys (time in bucket << 32 | event) and its link")
OCCUPIED = table("occupied", "bits u8 - 64 buckets, set if not empty")
READY = table("ready", "key i8 - sorted keys of the current bucket")
MERGE = table("merge", "key i8 - scratch for sorting a large bucket")
EVENTS = WorldLayout("events", WHEEL, BUCKET, CELL, OCCUPIED, READY, MERGE, HEAP)
KEYS_PER_CHUNK, CELLS_PER_CHUNK = 7, 8
"""The link of a full chunk is the next chunk of its bucket; that of the newest one counts its keys."""

wheel_at = EVENTS.rows("wheel")
bucket_at = EVENTS.rows("bucket")
cell_at = EVENTS.rows("cell")
occupied_at = EVENTS.rows("occupied")
ready_at = EVENTS.rows("ready")
merge_at = EVENTS.rows("merge")

NONE = -1
SORT_FEW = 32


def event_queue(width_ps: float, horizon_ps: int, capacity: int, rows: Records | None = None) -> World:
    """Return an empty queue.

    Buckets are about `width_ps` wide (a power of two at most that, unless more than 2**17 buckets
    would be needed to span `horizon_ps`); at most `capacity` events may wait. Events 0..len(rows)-1
    will touch that row of `rows`, which the queue loads into the cache ahead of time.
    """
    width_bits = max(int(max(width_ps, 1)).bit_length() - 1, (horizon_ps >> 17).bit_length())
    n_buckets = max(1 << (horizon_ps >> width_bits).bit_length(), 64)
    tables = {
        "wheel": WHEEL.zeros(1),
        "bucket": BUCKET.zeros(n_buckets),
        "cell": CELL.zeros((capacity + 1) * CELLS_PER_CHUNK),
        "occupied": OCCUPIED.zeros(n_buckets // 64),
        "ready": READY.zeros(capacity + 1),
        "merge": MERGE.zeros(capacity + 1),
        "heap": HEAP.zeros(capacity + 1),
    }
    tables["wheel"]["width_bits"], tables["wheel"]["free_chunk"] = width_bits, NONE
    tables["bucket"]["first"] = NONE
    if rows is not None:
        wheel = tables["wheel"]
        wheel["rows"], wheel["row_bytes"], wheel["n_rows"] = rows.ctypes.data, rows.dtype.itemsize, len(rows)
    return World(EVENTS, tables)


@kernel
def schedule(q: Any, time: int, event: int) -> None:
    """Add an event at `time`, which must not lie before the current event's."""
    wheel = wheel_at(q, 0)
    ahead = (time - wheel["start_ps"]) >> wheel["width_bits"]
    if ahead <= 0:
        wheel["pending"] += 1
        _insert_ready(q, ((time - wheel["start_ps"]) << 32) | event)
    elif ahead < q["n_bucket"]:
        wheel["pending"] += 1
        _insert_bucket(q, wheel["bucket"] + ahead, time, event)
    else:
        push(q, wheel["n_later"], time, event)
        wheel["n_later"] += 1


@kernel
def _insert_ready(q: Any, key: int) -> None:
    """Insert a key into what is left of the sorted current bucket, after those of the same time."""
    wheel = wheel_at(q, 0)
    i, time = wheel["end"], key >> 32
    while i > wheel["position"] and ready_at(q, i - 1)["key"] >> 32 > time:
        ready_at(q, i)["key"] = ready_at(q, i - 1)["key"]
        i -= 1
    ready_at(q, i)["key"] = key
    wheel["end"] += 1


@kernel
def _insert_bucket(q: Any, number: int, time: int, event: int) -> None:
    """Append a key to the bucket with that absolute number."""
    wheel, index = wheel_at(q, 0), number & (q["n_bucket"] - 1)
    bucket = bucket_at(q, index)
    if bucket["first"] < 0:
        chunk = _take_chunk(q)
        bucket["first"], bucket["last"] = chunk, chunk
        cell_at(q, chunk * CELLS_PER_CHUNK + KEYS_PER_CHUNK)["key"] = 0
        word = occupied_at(q, index >> 6)
        word["bits"] = word["bits"] | (ONE << np.uint64(index & 63))
    start = np.int64(bucket["last"]) * CELLS_PER_CHUNK
    link = cell_at(q, start + KEYS_PER_CHUNK)
    fill = link["key"]
    if fill == KEYS_PER_CHUNK:
        chunk = _take_chunk(q)
        link["key"], bucket["last"] = chunk, chunk
        start, fill = chunk * CELLS_PER_CHUNK, 0
        link = cell_at(q, start + KEYS_PER_CHUNK)
    offset = time & ((1 << wheel["width_bits"]) - 1)
    cell_at(q, start + fill)["key"] = (offset << 32) | event
    link["key"] = fill + 1


@kernel
def _take_chunk(q: Any) -> int:
    wheel = wheel_at(q, 0)
    chunk = wheel["free_chunk"]
    if chunk < 0:
        chunk = wheel["used_chunks"]
        wheel["used_chunks"] = chunk + 1
        return chunk
    wheel["free_chunk"] = cell_at(q, chunk * CELLS_PER_CHUNK + KEYS_PER_CHUNK)["key"]
    return chunk


@kernel
def next_time(q: Any) -> int:
    """Return the time of the next event [ps], or 2**62 if there is none; makes its bucket current."""
    wheel = wheel_at(q, 0)
    if wheel["position"] == wheel["end"] and not _advance(q):
        return 2**62
    return wheel["start_ps"] + (ready_at(q, wheel["position"])["key"] >> 32)


@kernel
def upcoming(q: Any, ahead: int) -> int:
    """Return the event `ahead` places after the next one if the current bucket holds it, else -1."""
    wheel = wheel_at(q, 0)
    i = wheel["position"] + ahead
    return ready_at(q, i)["key"] & 0xFFFFFFFF if i < wheel["end"] else -1


@kernel
def take(q: Any) -> int:
    """Remove the event that `next_time` saw and return it."""
    wheel = wheel_at(q, 0)
    event = ready_at(q, wheel["position"])["key"] & 0xFFFFFFFF
    wheel["position"] += 1
    wheel["pending"] -= 1
    wheel["processed"] += 1
    if wheel["position"] == wheel["end"]:
        wheel["position"], wheel["end"] = 0, 0
    return event


@kernel
def _advance(q: Any) -> bool:
    """Make the next bucket that holds an event current; False if no event is left."""
    wheel = wheel_at(q, 0)
    wheel["position"], wheel["end"] = 0, 0
    if wheel["pending"] == 0:
        if wheel["n_later"] == 0:
            return False
        _move_to(q, heap_at(q, 0)["time_ps"] >> wheel["width_bits"])
        _fetch_later(q)
    else:
        _move_to(q, _next_occupied(q, wheel["bucket"] + 1))
        _fetch_later(q)
    _load_bucket(q)
    return True


@kernel
def _move_to(q: Any, number: int) -> None:
    wheel = wheel_at(q, 0)
    wheel["bucket"] = number
    wheel["start_ps"] = number << wheel["width_bits"]


@kernel
def _next_occupied(q: Any, number: int) -> int:
    """Return the absolute number of the first bucket from `number` on that holds an event (one does)."""
    mask = q["n_bucket"] - 1
    bits = occupied_at(q, (number & mask) >> 6)["bits"] >> np.uint64(number & 63)
    while bits == ZERO:
        number = (number | 63) + 1
        bits = occupied_at(q, (number & mask) >> 6)["bits"]
    return number + trailing_zeros(bits)


@kernel
def _fetch_later(q: Any) -> None:
    """Move events that have come within the horizon from the heap into the wheel."""
    wheel = wheel_at(q, 0)
    limit = (wheel["bucket"] + q["n_bucket"]) << wheel["width_bits"]
    while wheel["n_later"] > 0 and heap_at(q, 0)["time_ps"] < limit:
        time, event = heap_at(q, 0)["time_ps"], heap_at(q, 0)["item"]
        pop(q, wheel["n_later"])
        wheel["n_later"] -= 1
        wheel["pending"] += 1
        _insert_bucket(q, time >> wheel["width_bits"], time, event)


@kernel
def _load_bucket(q: Any) -> None:
    """Empty the current bucket into the sorted array."""
    wheel = wheel_at(q, 0)
    index = wheel["bucket"] & (q["n_bucket"] - 1)
    bucket = bucket_at(q, index)
    chunk, last, n = np.int64(bucket["first"]), np.int64(bucket["last"]), 0
    if chunk < 0:
        return
    while True:
        link = cell_at(q, chunk * CELLS_PER_CHUNK + KEYS_PER_CHUNK)
        following = link["key"]
        for k in range(following if chunk == last else KEYS_PER_CHUNK):
            ready_at(q, n)["key"] = cell_at(q, chunk * CELLS_PER_CHUNK + k)["key"]
            n += 1
        link["key"] = wheel["free_chunk"]
        wheel["free_chunk"] = chunk
        if chunk == last:
            break
        chunk = following
    bucket["first"] = NONE
    word = occupied_at(q, index >> 6)
    word["bits"] = word["bits"] & ~(ONE << np.uint64(index & 63))
    wheel["end"] = n
    if n <= SORT_FEW:
        _sort_few(q, n)
    else:
        _sort_many(q, n)
    if wheel["rows"] != 0 and wheel["pending"] > n:
        _load_ahead(q)


@kernel
def _load_ahead(q: Any) -> None:
    """Prefetch what the events of the bucket after the next will touch, and the keys of the one behind it."""
    wheel, mask = wheel_at(q, 0), q["n_bucket"] - 1
    number = _occupied_nearby(q, _occupied_nearby(q, wheel["bucket"] + 1) + 1)
    bucket = bucket_at(q, number & mask)
    if bucket["first"] < 0:
        return
    chunk, last = np.int64(bucket["first"]), np.int64(bucket["last"])
    while True:
        link = cell_at(q, chunk * CELLS_PER_CHUNK + KEYS_PER_CHUNK)["key"]
        for k in range(link if chunk == last else KEYS_PER_CHUNK):
            event = cell_at(q, chunk * CELLS_PER_CHUNK + k)["key"] & 0xFFFFFFFF
            if event < wheel["n_rows"]:
                prefetch(wheel["rows"] + event * wheel["row_bytes"])
        if chunk == last:
            break
        chunk = link
    following = bucket_at(q, _occupied_nearby(q, number + 1) & mask)
    if following["first"] >= 0:
        prefetch(q["cell"] + np.int64(following["first"]) * CELLS_PER_CHUNK * 8)


@kernel
def _occupied_nearby(q: Any, number: int) -> int:
    """Return the first bucket from `number` on that holds an event, or one within 64 that may hold none."""
    word = (number & (q["n_bucket"] - 1)) >> 6
    bits = occupied_at(q, word)["bits"] >> np.uint64(number & 63)
    return number + min(trailing_zeros(bits), 63)


@kernel
def _sort_few(q: Any, n: int) -> None:
    """Insertion sort: best for the handful of events a bucket usually holds."""
    for i in range(1, n):
        key = ready_at(q, i)["key"]
        time, j = key >> 32, i
        while j > 0 and ready_at(q, j - 1)["key"] >> 32 > time:
            ready_at(q, j)["key"] = ready_at(q, j - 1)["key"]
            j -= 1
        ready_at(q, j)["key"] = key


@kernel
def _run_end(q: Any, i: int, n: int) -> int:
    """Return the end of the ascending run that starts at i."""
    i += 1
    while i < n and ready_at(q, i - 1)["key"] >> 32 <= ready_at(q, i)["key"] >> 32:
        i += 1
    return i


@kernel
def _merge(q: Any, start: int, middle: int, end: int) -> None:
    """Merge two adjacent runs, ties from the first one first."""
    for i in range(start, middle):
        merge_at(q, i)["key"] = ready_at(q, i)["key"]
    i, j, out = start, middle, start
    while i < middle:
        left = merge_at(q, i)["key"]
        if j < end and ready_at(q, j)["key"] >> 32 < left >> 32:
            ready_at(q, out)["key"] = ready_at(q, j)["key"]
            j += 1
        else:
            ready_at(q, out)["key"] = left
            i += 1
        out += 1


@kernel
def _sort_many(q: Any, n: int) -> None:
    """Natural merge sort: clumps, such as thousands of flows in step, consist of a few long runs."""
    while _run_end(q, 0, n) < n:
        start = 0
        while start < n:
            middle = _run_end(q, start, n)
            if middle == n:
                break
            end = _run_end(q, middle, n)
            _merge(q, start, middle, end)
            start = end
