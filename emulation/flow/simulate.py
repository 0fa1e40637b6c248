"""Run a Schedule on a Fabric as fluids and return what happened as tables."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emulation.flow.channels import Channels
from emulation.flow.state import CHANNEL, CLOCK, ENTRY, FLOW, LEVELS, REGION, RESOURCE, TIMES, TOUCHED
from emulation.flow.traffic import merged_traffic, traffic_of
from emulation.flow.walker import Say
from emulation.operations import FINISHED, PAUSED, STUCK, TIME_UP
from emulation.packet.probe import longest_path
from emulation.packet.settings import resolve
from emulation.results import FLOW_FIELDS, Result, peak_rss_bytes, percentiles, unfinished
from topologies.fabric import Fabric
from uet.base.errors import BadInput, NoAnswer, nearest
from uet.base.heap import HEAP
from uet.base.jit import World
from uet.base.tables import Records
from uet.schedule.model import CALC, Schedule
from uet.schedule.works import EqualAllToAll
from uet.transport.settings import fill

EVENTS_PER_CALL = 100_000
"""Events between two looks at the clock and at Ctrl-C."""

NO_END_PS = 2**61

SPRAYING = ("mixed", "reps", "bitmap")
"""Balancers that keep away from full paths: at flow level their traffic spreads evenly over all of them."""

PORT_FIELDS = (("sent_bytes", "f8"), ("gbps", "f8"))


@dataclass(frozen=True)
class FlowSettings:
    """How to run: profile, balancer, seed, overrides of settings, end of simulated time."""

    profile: str = "uet-1.0"
    balancer: str = "mixed"
    seed: int = 1
    overrides: Mapping[str, float] = field(default_factory=dict)
    end_ps: int | None = None


class FlowSimulation:
    """One run, from tables to results; `advance` may be called until it returns True."""

    def __init__(
        self, fabric: Fabric, work: Schedule | EqualAllToAll, settings: FlowSettings, say: Say | None = None
    ) -> None:
        """Find the paths and build all state. Raises BadInput for settings that do not fit.

        The equal flows of an EqualAllToAll are merged where they spread over all paths and all hosts take part.
        """
        started = time.process_time()
        self.fabric, self.options = fabric, settings
        self.values = _values(fabric, settings)
        n_paths = path_count(settings.balancer, self.values)
        if isinstance(work, Schedule):
            self.traffic = traffic_of(fabric, work, self.values, n_paths, settings.seed, say)
        elif n_paths == 0 and work.n_ranks == fabric.n_hosts:
            self.traffic = merged_traffic(fabric, work, self.values, settings.seed, say)
        else:
            self.traffic = traffic_of(fabric, work.schedule(), self.values, n_paths, settings.seed, say)
        self.schedule = self.traffic.schedule
        self.world = world_of(self.traffic.channels, self.traffic.messages(self.values), self.traffic.operations())
        self.status = "running"
        self.cpu_s = time.process_time() - started

    def advance(self, max_events: int = EVENTS_PER_CALL) -> bool:
        """Simulate at most `max_events` more events and tell whether the run is over."""
        from emulation.flow import loop

        started = time.process_time()
        end_ps = self.options.end_ps if self.options.end_ps is not None else NO_END_PS
        code = int(loop.run(self.world.handle, end_ps, max_events))
        self.cpu_s += time.process_time() - started
        self.status = {FINISHED: "complete", TIME_UP: "unfinished", STUCK: "stuck"}.get(code, "running")
        return code != PAUSED

    @property
    def now_ps(self) -> int:
        """Simulated time reached so far."""
        return int(self.world.tables["clock"]["now_ps"][0])

    @property
    def progress(self) -> tuple[int, int]:
        """Operations done and in all."""
        total = len(self.schedule.operations)
        return total - int(self.world.tables["operations"].tables["runner"]["remaining"][0]), total

    @property
    def problem(self) -> NoAnswer | None:
        """Why a run that is over has no complete result, None if it has."""
        return unfinished(self.schedule, self.status, *self.progress)

    def result(self) -> Result:
        """Collect flows, ports and totals of what has happened so far."""
        flows = self._flows()
        done_ps = self.world.tables["operations"].tables["step"]["done_ps"].copy()
        return Result(flows, self._ports(), done_ps, self._totals(flows), self.status, self.values, None)

    def _flows(self) -> Records:
        messages, traffic = self.world.tables["message"], self.traffic
        begun = np.flatnonzero(messages["start_ps"] >= 0)
        mine, sends = messages[begun], traffic.sends[begun]
        rows = np.zeros(len(begun), dtype=[*FLOW_FIELDS, ("count", "i8")])
        rows["flow"], rows["bytes"] = sends, self.schedule.operations["bytes"][sends]
        rows["src"], rows["dst"] = traffic.channels.source[mine["channel"]], traffic.channels.target[mine["channel"]]
        rows["packets"], rows["count"] = traffic.packets(self.values)[begun], traffic.count[begun]
        rows["start_ps"], rows["finish_ps"] = mine["start_ps"], mine["finish_ps"]
        rows["fct_ps"] = np.where(mine["finish_ps"] >= 0, mine["finish_ps"] - mine["start_ps"], -1)
        return rows

    def _ports(self) -> Records:
        """Return the bytes that the messages which have arrived left on every port."""
        messages, c = self.world.tables["message"], self.traffic.channels
        wire = np.where(messages["arrive_ps"] >= 0, messages["wire_bytes"], 0)
        sent = np.bincount(messages["channel"], wire, len(c.source))
        loads = np.bincount(c.resource, c.share * np.repeat(sent, np.diff(c.first)), len(c.capacity))
        rows = np.zeros(len(self.fabric.ports), dtype=list(PORT_FIELDS))
        rows["sent_bytes"] = np.where(c.port_resource >= 0, np.append(loads, 0.0)[c.port_resource], 0.0)
        rows["gbps"] = self.fabric.links["gbps"][self.fabric.ports["link"]]
        return rows

    def _totals(self, flows: Records) -> dict[str, Any]:
        clock, done = self.world.tables["clock"][0], flows[flows["finish_ps"] >= 0]
        return {
            "flows": int(self.traffic.count.sum()),
            "finished": int(done["count"].sum()),
            "finish_us": percentiles(done["finish_ps"], done["count"]),
            "fct_us": percentiles(done["fct_ps"], done["count"]),
            "data_packets": int((flows["packets"] * flows["count"]).sum()),
            **dict.fromkeys(PACKET_ONLY),
            "channels": len(self.traffic.channels.source),
            "resources": len(self.traffic.channels.capacity),
            "events": int(clock["events"]),
            "fills": int(clock["fills"]),
            "base_rtt_us": self.values["cc.base_rtt_us"],
            "sim_us": self.now_ps / 1e6,
            "cpu_s": self.cpu_s,
            "peak_rss_bytes": peak_rss_bytes(),
        }


PACKET_ONLY = ("retransmissions", "trims", "drops", "ecn_marks", "pauses", "rto", "acks", "nacks", "packet_hops")
"""Totals of the packet simulator that fluids do not have."""


def path_count(balancer: str, values: Mapping[str, float]) -> int:
    """Return over how many drawn paths a pair's traffic goes, 0 for all; BadInput for balancers it knows nothing of."""
    entropies = int(values["lb.entropies"])
    if balancer == "ecmp" or entropies == 1:
        return 1
    if balancer == "oblivious":
        return entropies
    if balancer in SPRAYING:
        return 0
    raise BadInput(
        f"no load balancer of the flow level is called '{balancer}'; "
        f"{nearest(balancer, (*SPRAYING, 'oblivious', 'ecmp'))}"
    )


def _values(fabric: Fabric, settings: FlowSettings) -> dict[str, float]:
    """Return complete values of all settings, checked as those of the packet simulator."""
    values, _ = resolve(settings.profile, settings.overrides, longest_path(fabric, 4096))
    path_count(settings.balancer, values)
    fill(values, settings.seed, 0, 0)
    return values


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


def warm_up(fabric: Fabric, work: Schedule | EqualAllToAll) -> float:
    """Compile or load the kernels that a run on `fabric` needs and return the CPU seconds that took."""
    from topologies.registry import build

    started = time.process_time()
    _ = fabric.routes.address
    small, pair = EqualAllToAll("warm-up", 2, 8192), build("fat-tree:hosts=2,radix=2,levels=1")
    simulate_flows(pair, small.schedule() if isinstance(work, Schedule) else small)
    return time.process_time() - started


def simulate_flows(
    fabric: Fabric, work: Schedule | EqualAllToAll, settings: FlowSettings | None = None
) -> Result:  # fmt: skip
    """Run `work` on one plane of `fabric` at flow level and return flows, ports and totals.

    Raises NoAnswer if the schedule can never finish or does not finish before `settings.end_ps`.
    """
    simulation = FlowSimulation(fabric, work, settings or FlowSettings())
    while not simulation.advance():
        pass
    if simulation.problem is not None:
        raise simulation.problem
    return simulation.result()
