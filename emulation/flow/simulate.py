"""Run a Schedule on a Fabric as fluids and return what happened as tables."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from emulation.flow.channels import port_loads
from emulation.flow.options import PACKET_ONLY, FlowSettings, complete_values, path_count
from emulation.flow.ring import RingSimulation
from emulation.flow.traffic import merged_traffic, traffic_of
from emulation.flow.walker import Say
from emulation.flow.world import world_of
from emulation.operations import FINISHED, PAUSED, STUCK, TIME_UP
from emulation.results import FLOW_FIELDS, Result, peak_rss_bytes, percentiles, statistics, unfinished
from topologies.fabric import Fabric
from uet.base.errors import NoAnswer
from uet.base.tables import Records
from uet.schedule.equal import EqualAllToAll, EqualRing
from uet.schedule.model import Schedule

EVENTS_PER_CALL = 100_000
"""Events between two looks at the clock and at Ctrl-C."""

NO_END_PS = 2**61

Todo = Schedule | EqualAllToAll | EqualRing


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
        self.values = complete_values(fabric, settings)
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
        flows, messages = self._flows(), self.world.tables["message"]
        wire = np.where(messages["arrive_ps"] >= 0, messages["wire_bytes"], 0)
        channels = self.traffic.channels
        sent = np.bincount(messages["channel"], wire, len(channels.source)).astype(np.float64)
        done_ps = self.world.tables["operations"].tables["step"]["done_ps"].copy()
        return Result(
            flows, port_loads(self.fabric, channels, sent), done_ps, self._totals(flows), self.status, self.values, None
        )

    def _flows(self) -> Records:
        messages, traffic = self.world.tables["message"], self.traffic
        begun = np.flatnonzero(messages["start_ps"] >= 0)
        mine, sends = messages[begun], traffic.sends[begun]
        rows = np.zeros(len(begun), dtype=[*FLOW_FIELDS, ("count", "i8"), ("alone_ps", "i8")])
        rows["flow"], rows["bytes"] = sends, self.schedule.operations["bytes"][sends]
        rows["src"], rows["dst"] = traffic.channels.source[mine["channel"]], traffic.channels.target[mine["channel"]]
        rows["packets"], rows["count"] = traffic.packets(self.values)[begun], traffic.count[begun]
        rows["start_ps"], rows["finish_ps"] = mine["start_ps"], mine["finish_ps"]
        rows["alone_ps"] = traffic.alone_ps(self.values)[begun]
        rows["fct_ps"] = np.where(mine["finish_ps"] >= 0, mine["finish_ps"] - mine["start_ps"], -1)
        return rows

    def _totals(self, flows: Records) -> dict[str, Any]:
        clock, done = self.world.tables["clock"][0], flows[flows["finish_ps"] >= 0]
        return {
            "flows": int(self.traffic.count.sum()),
            "finished": int(done["count"].sum()),
            "finish_us": percentiles(done["finish_ps"], done["count"]),
            "fct_us": percentiles(done["fct_ps"], done["count"]),
            "slowdown": statistics(done["fct_ps"] / done["alone_ps"], done["count"]),
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


def flow_simulation(
    fabric: Fabric, work: Todo, settings: FlowSettings, say: Say | None = None
) -> FlowSimulation | RingSimulation:  # fmt: skip
    """Return the run of a work, before its first event; see `FlowSimulation` and `RingSimulation`."""
    if isinstance(work, EqualRing):
        return RingSimulation(fabric, work, settings, say)
    return FlowSimulation(fabric, work, settings, say)


def warm_up(fabric: Fabric, work: Todo) -> float:
    """Compile or load the kernels that a run on `fabric` needs and return the CPU seconds that took."""
    from topologies.registry import build

    started = time.process_time()
    _ = fabric.routes.address
    pair, name = build("fat-tree:hosts=2,radix=2,levels=1"), "warm-up"
    if isinstance(work, EqualRing):
        simulate_flows(pair, EqualRing(name, 2, 8192, 2))
    else:
        small = EqualAllToAll(name, 2, 8192)
        simulate_flows(pair, small if isinstance(work, EqualAllToAll) else small.schedule())
    return time.process_time() - started


def simulate_flows(
    fabric: Fabric, work: Todo, settings: FlowSettings | None = None
) -> Result:  # fmt: skip
    """Run `work` on one plane of `fabric` at flow level and return flows, ports and totals.

    Raises NoAnswer if the schedule can never finish or does not finish before `settings.end_ps`.
    """
    simulation = flow_simulation(fabric, work, settings or FlowSettings())
    while not simulation.advance():
        pass
    if simulation.problem is not None:
        raise simulation.problem
    return simulation.result()
