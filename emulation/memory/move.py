"""`move`: run a Schedule on real buffers through the transport engine, in memory and virtual time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emulation.data import data_world
from emulation.engines import engine_for
from emulation.events import event_queue
from emulation.memory import loop
from emulation.memory.state import MEDIUM, MEMORY, PAYLOAD
from emulation.operations import FINISHED, PAUSED, operations
from uet.base.errors import BadInput, NoAnswer
from uet.base.jit import World
from uet.base.tables import Records
from uet.base.units import PS_PER_US
from uet.schedule.execute import Buffers
from uet.schedule.model import Schedule
from uet.transport.settings import chosen, delay_targets

EVENTS_PER_CALL = 2_000_000


@dataclass(frozen=True)
class Faults:
    """Probabilities that a packet is lost, delivered twice, or delayed by up to one latency more."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0

    def __post_init__(self) -> None:
        """Raise BadInput for a probability outside [0, 1), or a loss so high that nothing gets through."""
        for name in ("drop", "duplicate", "reorder"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise BadInput(f"{name}={value} is no probability below 1; choose 0 <= {name} < 1")


@dataclass(frozen=True)
class MoveSettings:
    """How to run: transport settings by key, controller, balancer, faults, latency and seed."""

    profile: str = "uet-1.0"
    controller: str = "constant"
    balancer: str = "oblivious"
    seed: int = 1
    latency_ps: int = PS_PER_US
    faults: Faults = field(default_factory=Faults)
    overrides: Mapping[str, float] = field(default_factory=dict)


def move(
    schedule: Schedule,
    buffers: Buffers,
    settings: MoveSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Run `schedule` on `buffers`, in place, and return counters of the run.

    Every payload travels packet by packet: it is copied out of the sender's buffer when its packet is
    sent and into the receiver's when the engine accepts the packet as new. Raises NoAnswer if the run
    cannot finish (a peer failed after too many retries, or operations wait for each other).
    """
    started = time.process_time()
    options = settings or MoveSettings()
    world = _world(schedule, buffers, options)
    runner = world.tables["operations"].tables["runner"]
    total = len(schedule.operations)
    code = PAUSED
    while code == PAUSED:
        code = int(loop.run(world.handle, EVENTS_PER_CALL))
        if progress is not None:
            progress(total - int(runner["remaining"][0]), total)
    if code != FINISHED:
        failed = int(runner["failed"][0])
        why = f"{failed} messages ran out of retries" if failed else "operations wait for each other"
        raise NoAnswer(f"{schedule.name}: {int(runner['remaining'][0])} of {total} operations not done: {why}")
    return _report(world, time.process_time() - started)


def _report(world: World, cpu_s: float) -> dict[str, Any]:
    medium, core = world.tables["medium"][0], world.tables["engine"].tables["core"][0]
    return {
        "packets": int(medium["packets"]),
        "drops_injected": int(medium["dropped"]),
        "duplicated_injected": int(medium["duplicated"]),
        "reordered_injected": int(medium["reordered"]),
        "bytes_delivered": int(medium["delivered"]),
        "data_packets": int(core["sent"]),
        "retransmissions": int(core["retransmitted"]),
        "acks": int(core["acks"]),
        "duplicates": int(core["duplicates"]),
        "rto": int(core["timeouts"]),
        "sim_us": int(world.tables["operations"].tables["runner"]["now_ps"][0]) / PS_PER_US,
        "cpu_s": cpu_s,
    }


def _world(schedule: Schedule, buffers: Buffers, options: MoveSettings) -> World:
    values = _values(options)
    own, peer = (schedule.operations[end].astype(np.int64) for end in ("rank", "peer"))
    engine = engine_for(
        schedule, own, peer, schedule.n_ranks, values, options.seed, options.controller, options.balancer
    )
    slots = len(engine.table("packet"))
    payload_bytes = int(values["mtu.payload_bytes"])
    calcs = int((schedule.operations["duration_ps"] > 0).sum())
    tables: dict[str, Records | World] = {
        "medium": _medium(options, payload_bytes),
        "payload": PAYLOAD.zeros(slots * payload_bytes),
        "engine": engine.world,
        "events": event_queue(1000, 4 * options.latency_ps, slots + calcs),
        "operations": operations(schedule, own, peer),
        "data": data_world(schedule, buffers),
    }
    return World(MEMORY, tables)


def _values(options: MoveSettings) -> dict[str, float]:
    """Return complete transport settings: the medium has no rate, so the window is a fixed 64 packets."""
    settled = chosen(options.profile, options.overrides)
    if options.faults != Faults() and "rto.max_retries" not in options.overrides:
        settled["rto.max_retries"] = -1
    window = 64 * (settled["mtu.payload_bytes"] + settled["mtu.overhead_bytes"])
    derived = {
        "cc.base_rtt_us": 2 * options.latency_ps / PS_PER_US,
        "cc.line_gbps": 400.0,
        "cc.window_bytes": window,
        "rccc.max_bytes": window,
        "rto.init_us": 8 * options.latency_ps / PS_PER_US,
        **delay_targets(settled, settled.get("cc.base_rtt_us", 2 * options.latency_ps / PS_PER_US), False),
    }
    return derived | settled


def _medium(options: MoveSettings, payload_bytes: int) -> Records:
    row = MEDIUM.zeros(1)
    row["latency_ps"], row["jitter_ps"], row["seed"] = options.latency_ps, options.latency_ps, options.seed
    for name in ("drop", "duplicate", "reorder"):
        row[name] = round(getattr(options.faults, name) * 2**32)
    row["payload_bytes"] = payload_bytes
    return row
