"""Which receive takes which message: first come, first served within a bucket (receiver, source, tag).

A receive from any source or with any tag has a bucket of that kind; a message is then listed in up to
four buckets and passed over in the others once it has been taken from one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.loggops.queue import operation_at, run_at
from emulation.loggops.state import DELIVERED, LAYOUT
from uet.base.jit import kernel

bucket_at = LAYOUT.rows("bucket")
listing_at = LAYOUT.rows("listing")


@kernel
def post_receive(w: Any, op: int) -> None:
    """Append a receive to the posted ones of its bucket."""
    run = run_at(w, 0)
    operation_at(w, op)["number"] = run["posts"]
    run["posts"] += 1
    place = op * run["n_ways"]
    listing = listing_at(w, place)
    bucket = bucket_at(w, listing["bucket"])
    listing["next"] = -1
    if bucket["first_recv"] < 0:
        bucket["first_recv"] = place
    else:
        listing_at(w, bucket["last_recv"])["next"] = place
    bucket["last_recv"] = place


@kernel
def take_receive(w: Any, message: int) -> int:
    """Remove and return the earliest posted receive that a message meets, -1 if there is none."""
    ways = run_at(w, 0)["n_ways"]
    best: Any = -1
    best_number, best_bucket = 0, -1
    for way in range(ways):
        bucket = listing_at(w, message * ways + way)["bucket"]
        if bucket >= 0 and bucket_at(w, bucket)["first_recv"] >= 0:
            recv = bucket_at(w, bucket)["first_recv"] // ways
            number = operation_at(w, recv)["number"]
            if best < 0 or number < best_number:
                best, best_number, best_bucket = recv, number, bucket
    if best >= 0:
        bucket_at(w, best_bucket)["first_recv"] = listing_at(w, best * ways)["next"]
    return best


@kernel
def store_message(w: Any, message: int) -> None:
    """Keep a message for receives to come, in every bucket where it is listed."""
    ways = run_at(w, 0)["n_ways"]
    for place in range(message * ways, (message + 1) * ways):
        listing = listing_at(w, place)
        if listing["bucket"] >= 0:
            bucket = bucket_at(w, listing["bucket"])
            listing["next"] = -1
            if bucket["first_message"] < 0:
                bucket["first_message"] = place
            else:
                listing_at(w, bucket["last_message"])["next"] = place
            bucket["last_message"] = place


@kernel
def take_message(w: Any, recv: int) -> int:
    """Remove and return the earliest message that a receive meets, -1 if there is none."""
    ways = run_at(w, 0)["n_ways"]
    bucket = bucket_at(w, listing_at(w, recv * ways)["bucket"])
    place = np.int64(bucket["first_message"])
    while place >= 0 and operation_at(w, place // ways)["state"] != DELIVERED:
        place = np.int64(listing_at(w, place)["next"])  # taken by way of another bucket
    if place < 0:
        bucket["first_message"] = -1
        return -1
    bucket["first_message"] = listing_at(w, place)["next"]
    return place // ways
