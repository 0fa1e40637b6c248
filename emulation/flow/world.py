"""The state of a flow-level run before its first event."""

from __future__ import annotations

import numpy as np

from emulation.flow.channels import Channels
from emulation.flow.state import CHANNEL, CLOCK, ENTRY, FLOW, LEVELS, REGION, RESOURCE, TIMES, TOUCHED
from uet.base.heap import HEAP
from uet.base.jit import World
from uet.base.tables import Records
from uet.schedule.model import CALC


def world_of(channels: Channels, messages: Records, todo: World) -> World:
    """Return the state before the first event."""
    first = np.concatenate([[0], np.cumsum(channels.binding)])[channels.first]
    n, n_entries = len(channels.source), int(channels.binding.sum())
    rows = CHANNEL.zeros(n)
    rows["first"], rows["n"] = first[:-1], np.diff(first)
    rows["due_ps"] = rows["head"] = rows["tail"] = rows["bottleneck"] = -1
    rows["there_ps"], rows["back_ps"] = channels.there_ps, channels.back_ps
    rows["rest_ps_per_byte"] = channels.rest_ps_per_byte
    entries = ENTRY.zeros(n_entries)
    entries["share"], entries["resource"] = channels.share[channels.binding], channels.resource[channels.binding]
    entries["channel"], entries["next"], entries["before"] = np.repeat(np.arange(n), np.diff(first)), -1, -1
    resources = RESOURCE.zeros(len(channels.capacity))
    resources["capacity"], resources["head"], resources["level"] = channels.capacity, -1, -1.0
    waits = int((todo.tables["step"]["kind"] == CALC).sum())
    return World(
        FLOW,
        {
            "clock": CLOCK.zeros(1),
            "channel": rows,
            "entry": entries,
            "resource": resources,
            "message": messages,
            "region": REGION.zeros(n),
            "touch": TOUCHED.zeros(len(resources)),
            "times": World(TIMES, {"heap": HEAP.zeros(2 * (n + len(messages) + waits) + 1)}),
            "levels": World(LEVELS, {"heap": HEAP.zeros(len(resources) + 1)}),
            "operations": todo,
        },
    )
