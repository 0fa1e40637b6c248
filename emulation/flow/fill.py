"""Max-min fair rates by progressive filling, found again only where something has changed.

An allocation is max-min fair if and only if every channel has a bottleneck: a full resource on which no
channel is faster (Bertsekas and Gallager 1992, "Data Networks", section 6.5.2). Channels that started
form a region; the region is filled with what the others leave, and whoever has lost its bottleneck by
that, on the resources touched, joins the region, until nobody has. Shares do not matter for fairness:
channels that share a bottleneck have equal rates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from emulation.flow.state import channel_at, clock_at, entry_at, levels_of, region_at, resource_at, touch_at
from emulation.flow.times import expect
from uet.base.heap import heap_at, pop, push
from uet.base.jit import kernel

LEVEL_SCALE = 2.0**50
"""Levels are sorted as whole numbers: 1e-15 B/ps to 8,000 B/ps."""

NEAR = 1e-9
"""Relative difference up to which rates count as equal and resources as full."""


@kernel
def touch(f: Any, resource: int) -> None:
    """Note that the channels of a resource may be affected."""
    r = resource_at(f, resource)
    if r["touched"] == 0:
        clock = clock_at(f, 0)
        r["touched"] = 1
        touch_at(f, clock["n_touched"])["resource"] = resource
        clock["n_touched"] += 1


@kernel
def join(f: Any, channel: int) -> None:
    """Take a channel into the region: its load is no longer given."""
    clock, c = clock_at(f, 0), channel_at(f, channel)
    c["marked"] = 1
    region_at(f, clock["n_region"])["channel"] = channel
    clock["n_region"] += 1
    for k in range(c["first"], c["first"] + c["n"]):
        entry = entry_at(f, k)
        resource_at(f, np.int64(entry["resource"]))["load"] -= entry["share"] * c["rate"]
        touch(f, np.int64(entry["resource"]))
    if c["bottleneck"] >= 0:
        resource_at(f, np.int64(c["bottleneck"]))["n_bound"] -= 1


@kernel
def activate(f: Any, channel: int) -> None:
    """Let a channel without a rate take part: list it at its resources and take it into the region."""
    clock, c = clock_at(f, 0), channel_at(f, channel)
    clock["n_active"] += 1
    c["rate"], c["bottleneck"] = 0.0, -1
    for k in range(c["first"], c["first"] + c["n"]):
        entry = entry_at(f, k)
        r = resource_at(f, np.int64(entry["resource"]))
        entry["next"], entry["before"] = r["head"], -1
        if r["head"] >= 0:
            entry_at(f, np.int64(r["head"]))["before"] = k
        r["head"] = k
    join(f, channel)


@kernel
def deactivate(f: Any, channel: int) -> None:
    """Take a channel, which is not in the region, off its resources."""
    clock, c = clock_at(f, 0), channel_at(f, channel)
    clock["n_active"] -= 1
    resource_at(f, np.int64(c["bottleneck"]))["n_bound"] -= 1
    for k in range(c["first"], c["first"] + c["n"]):
        entry = entry_at(f, k)
        r = resource_at(f, np.int64(entry["resource"]))
        following, before = np.int64(entry["next"]), np.int64(entry["before"])
        if before >= 0:
            entry_at(f, before)["next"] = following
        else:
            r["head"] = following
        if following >= 0:
            entry_at(f, following)["before"] = before
        r["load"] = r["load"] - entry["share"] * c["rate"] if r["head"] >= 0 else 0.0
        touch(f, np.int64(entry["resource"]))
    c["rate"], c["bottleneck"], c["due_ps"] = 0.0, -1, -1


@kernel
def settle(f: Any, now: int) -> None:
    """Find the rates that changed since the last time, and when the messages concerned will have left."""
    clock = clock_at(f, 0)
    _fill(f)
    while _widen(f):
        _fill(f)
    clock["fills"] += 1
    clock["rerated"] += clock["n_region"]
    for i in range(clock["n_region"]):
        _apply(f, np.int64(region_at(f, i)["channel"]), now)
    for i in range(clock["n_touched"]):
        resource_at(f, np.int64(touch_at(f, i)["resource"]))["touched"] = 0
    clock["n_region"], clock["n_touched"] = 0, 0


@kernel
def _fill(f: Any) -> None:
    """Fill the region: freeze the channels of the resource that is full first, and so on."""
    clock, levels = clock_at(f, 0), levels_of(f, 0)
    for i in range(clock["n_touched"]):
        r = resource_at(f, np.int64(touch_at(f, i)["resource"]))
        r["left"], r["weight"], r["level"], r["n_open"] = r["capacity"] - r["load"], 0.0, -1.0, 0
    for i in range(clock["n_region"]):
        c = channel_at(f, np.int64(region_at(f, i)["channel"]))
        c["frozen"] = 0
        for k in range(c["first"], c["first"] + c["n"]):
            r = resource_at(f, np.int64(entry_at(f, k)["resource"]))
            r["weight"] += entry_at(f, k)["share"]
            r["n_open"] += 1
    n = 0
    for i in range(clock["n_touched"]):
        resource = np.int64(touch_at(f, i)["resource"])
        if resource_at(f, resource)["n_open"] > 0:
            push(levels, n, _level(f, resource), resource)
            n += 1
    while n > 0:
        resource, before = heap_at(levels, 0)["item"], heap_at(levels, 0)["time_ps"]
        pop(levels, n)
        n -= 1
        if resource_at(f, resource)["n_open"] > 0:
            level = _level(f, resource)
            if level > before + before // 10**12 + 1:  # others have frozen at lower levels meanwhile
                push(levels, n, level, resource)
                n += 1
            else:
                _freeze(f, resource)


@kernel
def _level(f: Any, resource: int) -> int:
    """Return the rate at which a resource would be full, as a whole number."""
    r = resource_at(f, resource)
    return np.int64(max(r["left"], 0.0) / r["weight"] * LEVEL_SCALE)


@kernel
def _freeze(f: Any, resource: int) -> None:
    """Fix the rates of a resource's channels, as far as they are open, so that it is full."""
    r = resource_at(f, resource)
    level = max(r["left"], 0.0) / r["weight"]
    r["level"] = level
    at = np.int64(r["head"])
    while at >= 0:
        entry = entry_at(f, at)
        c = channel_at(f, np.int64(entry["channel"]))
        if c["marked"] == 1 and c["frozen"] == 0:
            c["frozen"], c["fresh"], c["bottleneck"] = 1, level, resource
            for k in range(c["first"], c["first"] + c["n"]):
                other = resource_at(f, np.int64(entry_at(f, k)["resource"]))
                other["left"] -= entry_at(f, k)["share"] * level
                other["weight"] -= entry_at(f, k)["share"]
                other["n_open"] -= 1
        at = np.int64(entry["next"])


@kernel
def _widen(f: Any) -> bool:
    """Let the channels join that have lost their bottleneck; tell whether there were any."""
    clock = clock_at(f, 0)
    before = clock["n_region"]
    for i in range(clock["n_touched"]):  # those that join touch more resources, which the next round looks at
        resource = np.int64(touch_at(f, i)["resource"])
        r = resource_at(f, resource)
        full = r["left"] <= NEAR * r["capacity"]
        if r["n_bound"] > 0 or r["level"] >= 0.0:
            _join_unbound(f, resource, _limit(f, resource) if full else np.inf)
    return clock["n_region"] > before


@kernel
def _limit(f: Any, resource: int) -> float:
    """Return the highest rate on a full resource."""
    highest = 0.0
    at = np.int64(resource_at(f, resource)["head"])
    while at >= 0:
        entry = entry_at(f, at)
        c = channel_at(f, np.int64(entry["channel"]))
        highest = max(highest, c["fresh"] if c["frozen"] == 1 else c["rate"])
        at = np.int64(entry["next"])
    return highest


@kernel
def _join_unbound(f: Any, resource: int, limit: float) -> None:
    """Let channels join that a resource limited but that are below its limit now, or above those it froze."""
    r = resource_at(f, resource)
    at = np.int64(r["head"])
    while at >= 0:
        entry = entry_at(f, at)
        channel = np.int64(entry["channel"])
        c = channel_at(f, channel)
        if c["marked"] == 0:
            below = c["bottleneck"] == resource and c["rate"] < limit * (1.0 - NEAR)
            if below or (r["level"] >= 0.0 and c["rate"] > r["level"] * (1.0 + NEAR)):
                join(f, channel)
        at = np.int64(entry["next"])


@kernel
def _apply(f: Any, channel: int, now: int) -> None:
    """Give a channel of the region its new rate, which takes it out of the region."""
    c = channel_at(f, channel)
    if abs(c["fresh"] - c["rate"]) > NEAR * c["fresh"]:
        c["left"] = max(c["left"] - c["rate"] * (now - c["at_ps"]), 0.0)
        c["at_ps"], c["rate"] = now, c["fresh"]
        expect(f, channel)
    for k in range(c["first"], c["first"] + c["n"]):
        resource_at(f, np.int64(entry_at(f, k)["resource"]))["load"] += entry_at(f, k)["share"] * c["rate"]
    resource_at(f, np.int64(c["bottleneck"]))["n_bound"] += 1
    c["marked"], c["frozen"] = 0, 0
