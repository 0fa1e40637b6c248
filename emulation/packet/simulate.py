"""`simulate`: run a Schedule on a Fabric packet by packet and return what happened as tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emulation.engines import engine_for
from emulation.events import event_queue
from emulation.operations import FINISHED, PAUSED, STUCK, TIME_UP, operations
from emulation.packet import loop
from emulation.packet.devices import Devices
from emulation.packet.edge import Edge
from emulation.packet.impair import Impairments, counts
from emulation.packet.probe import Paths, longest_path, port_latencies
from emulation.packet.settings import resolve
from emulation.packet.state import HOP, NETWORK, NO_EDGE, PAUSE_ROW, PORT, PORT_COUNT, SIM
from emulation.packet.wire import codec_edge
from emulation.results import FLOW_FIELDS, Result, peak_rss_bytes, percentiles, placed, unfinished
from topologies.fabric import Fabric
from uet.base.errors import BadInput, NoAnswer
from uet.base.jit import World
from uet.base.tables import Records
from uet.schedule.model import SEND, Schedule
from uet.transport.plugins import split_credit

EVENTS_PER_CALL = 2_000_000
"""Events between two looks at the clock and at Ctrl-C."""

NO_END_PS = 2**61


@dataclass(frozen=True)
class SimulationSettings:
    """How to run: profile, controller, balancer, seed, overrides of settings, end of simulated time."""

    profile: str = "uet-1.0"
    controller: str = "constant"
    balancer: str = "oblivious"
    seed: int = 1
    overrides: Mapping[str, float] = field(default_factory=dict)
    wire: bool = False
    end_ps: int | None = None
    placement: NDArray[np.int64] | None = None
    impairments: Impairments = field(default_factory=Impairments)


class Simulation:
    """One run, from tables to results; `advance` may be called until it returns True."""

    def __init__(
        self,
        fabric: Fabric,
        schedule: Schedule,
        settings: SimulationSettings,
        make_edge: Callable[[int], Edge] | None = None,
    ) -> None:
        """Build all state; `make_edge` returns the network's edge for a number of packet slots.

        Raises BadInput for settings and placements that do not fit.
        """
        started = time.process_time()
        self.fabric, self.schedule, self.options = fabric, schedule, settings
        self.devices = Devices(fabric)
        self.own, self.peer = _ends(schedule, self.devices, placed(fabric, schedule, settings.placement))
        paths = longest_path(fabric, 4096)
        self.values, self.network = resolve(
            settings.profile, settings.overrides, paths, split_credit(settings.controller)[1] > 0
        )
        self.engine = engine_for(
            schedule,
            self.own,
            self.peer,
            self.devices.n_endpoints,
            self.values,
            settings.seed,
            settings.controller,
            settings.balancer,
        )
        self.edge: Edge | None = None
        if settings.wire:
            self.edge = self._make_wire()
        if make_edge is not None:
            self.edge = make_edge(len(self.engine.table("packet")))
        self.world = self._build_world(paths)
        self.status = "running"
        self.cpu_s = time.process_time() - started

    def _make_wire(self) -> Edge:
        if not self.values["tss.enabled"]:
            return codec_edge()
        from emulation.packet.secured import secured_edge  # only now: it loads a library of cryptography

        return secured_edge(self.devices.n_endpoints, self.options.seed)

    def _build_world(self, paths: Paths) -> World:
        fabric, n_ops = self.fabric, len(self.schedule.operations)
        slots = len(self.engine.table("packet"))
        port_rows = _ports(fabric, self.devices, paths.host_gbps)
        ends = max(int(port_rows["latency_ps"].max()) + 2 * int(port_rows["ps_per_4k"].max()), 1000)
        width = 2.0**17 / max(fabric.n_hosts, 1) * 400 / paths.host_gbps
        calcs = int((self.schedule.operations["duration_ps"] > 0).sum())
        hops = HOP.zeros(slots)
        pauses = len(port_rows) if self.network.pfc else 0
        events = event_queue(width, ends, slots + len(port_rows) + calcs + pauses, hops)
        tables: dict[str, Records | World] = {
            "network": self._network_row(),
            "sim_port": port_rows,
            "port_count": PORT_COUNT.zeros(len(port_rows)),
            "pause": PAUSE_ROW.zeros(pauses),
            "hop": hops,
            "host": self.devices.rows(),
            "engine": self.engine.world,
            "route": fabric.routes.world,
            "events": events,
            "operations": operations(self.schedule, self.own, self.peer),
            "impair": self.options.impairments.row(self.options.seed, self._longest_hold_ps()),
            "edge_world": World(NO_EDGE, {}) if self.edge is None else self.edge.world,
        }
        if slots >= 1 << 29 or len(port_rows) >= 1 << 29 or n_ops >= 1 << 29:
            raise BadInput("the simulation has more than 2^29 packets, ports or operations; make it smaller")
        return World(SIM, tables)

    def _longest_hold_ps(self) -> int:
        """Return for how long a packet may be held back: a base round trip, as far as that can be drawn."""
        return min(round(self.values["cc.base_rtt_us"] * 1e6), 2**31 - 1)

    def _network_row(self) -> Records:
        row, n = NETWORK.zeros(1), self.network
        row["n_hosts"], row["seed"] = self.fabric.n_hosts, self.options.seed
        row["next_hop"] = self.fabric.routes.address
        if self.edge is not None:
            row["edge"], row["paced"] = self.edge.address, self.edge.paced
        row["queue_bytes"], row["control_bytes"] = n.queue_bytes, n.control_bytes
        row["ecn_low_bytes"], row["ecn_high_bytes"] = n.ecn_low_bytes, n.ecn_high_bytes
        row["pfc"], row["xoff_bytes"], row["xon_bytes"] = n.pfc, n.xoff_bytes, n.xon_bytes
        row["loss"] = round(n.link_loss * 2**32)
        row["trimming"], row["trim_bytes"], row["ecn_last_hop"] = n.trimming, n.trim_bytes, n.ecn_last_hop
        return row

    def advance(self, max_events: int = EVENTS_PER_CALL) -> bool:
        """Simulate at most `max_events` more events and tell whether the run is over."""
        started = time.process_time()
        end_ps = self.options.end_ps if self.options.end_ps is not None else NO_END_PS
        code = int(loop.run(self.world.handle, end_ps, max_events))
        self.cpu_s += time.process_time() - started
        if self.edge is not None and self.edge.guard is not None:
            self.edge.guard.check()
        self.status = {FINISHED: "complete", TIME_UP: "unfinished", STUCK: "stuck"}.get(code, "running")
        if code == STUCK and self._inner("operations").tables["runner"]["failed"][0]:
            self.status = "failed"
        return code != PAUSED

    @property
    def now_ps(self) -> int:
        """Simulated time reached so far."""
        return int(self._inner("operations").tables["runner"]["now_ps"][0])

    @property
    def progress(self) -> tuple[int, int]:
        """Operations done and in all."""
        runner = self._inner("operations").tables["runner"]
        total = len(self.schedule.operations)
        return total - int(runner["remaining"][0]), total

    def _inner(self, name: str) -> World:
        world: World = self.world.tables[name]
        return world

    @property
    def problem(self) -> NoAnswer | None:
        """Why a run that is over has no complete result, None if it has."""
        return unfinished(self.schedule, self.status, *self.progress)

    def result(self) -> Result:
        """Collect flows, ports and totals of what has happened so far."""
        flows = self._flows()
        done_ps = self._inner("operations").tables["step"]["done_ps"].copy()
        return Result(flows, self._port_rows(), done_ps, self._totals(flows), self.status, self.values, self.network)

    def _flows(self) -> Records:
        steps, messages = self._inner("operations").tables["step"], self.engine.table("message")
        sends = np.flatnonzero((steps["kind"] == SEND) & (steps["message"] >= 0))
        rows = np.zeros(len(sends), dtype=list(FLOW_FIELDS))
        mine, n_hosts = messages[steps["message"][sends]], self.fabric.n_hosts
        rows["flow"], rows["src"], rows["dst"] = sends, *(steps[end][sends] % n_hosts for end in ("rank", "peer"))
        rows["bytes"], rows["packets"], rows["retransmissions"] = mine["bytes"], mine["packets"], mine["retransmitted"]
        rows["start_ps"], rows["finish_ps"] = mine["posted_ps"], mine["done_ps"]
        rows["fct_ps"] = np.where(mine["done_ps"] >= 0, mine["done_ps"] - mine["posted_ps"], -1)
        return rows

    def _port_rows(self) -> Records:
        counts: Records = self.world.tables["port_count"]
        return counts

    def _totals(self, flows: Records) -> dict[str, Any]:
        network, counters = self.world.tables["network"][0], self.engine.counters()
        events = self._inner("events").tables["wheel"]
        finished = flows["finish_ps"] >= 0
        return {
            "flows": int((self.schedule.operations["kind"] == SEND).sum()),
            "finished": int(finished.sum()),
            "finish_us": percentiles(flows["finish_ps"][finished]),
            "fct_us": percentiles(flows["fct_ps"][finished]),
            "data_packets": counters["sent"],
            "retransmissions": counters["retransmitted"],
            "trims": int(network["trims"]),
            "drops": int(network["drops"]),
            "ecn_marks": int(network["marks"]),
            "losses": int(network["losses"]),
            **counts(self.world.tables["impair"][0]),
            "pauses": int(network["pauses"]),
            "paused_us": int(network["paused_ps"]) / 1e6,
            "rto": counters["timeouts"],
            "acks": counters["acks"],
            "nacks": counters["nacks"],
            "credits": counters["credits"],
            "credit_requests": counters["credit_requests"],
            "duplicates": counters["duplicates"],
            "wire_refusals": int(network["edge_losses"]) if self.options.wire else None,
            "tss": self.edge.guard.report() if self.edge is not None and self.edge.guard is not None else None,
            "packet_hops": int(network["hops"]),
            "events": int(events["processed"][0]),
            "packets_high_water": counters["used_packets"],
            "high_water": self.engine.high_water(),
            "reasons": self.engine.reasons(),
            "base_rtt_us": self.values["cc.base_rtt_us"],
            "sim_us": self.now_ps / 1e6,
            "cpu_s": self.cpu_s,
            "peak_rss_bytes": peak_rss_bytes(),
        }


def _ends(schedule: Schedule, devices: Devices, placement: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """Return the endpoint of every operation and that of its peer, -1 where there is none; both [n_operations]."""
    rank, peer = schedule.operations["rank"], schedule.operations["peer"]
    own = placement[rank]
    source, target = devices.of_pairs(own, placement[np.where(peer >= 0, peer, rank)])
    return np.where(peer >= 0, source, own), np.where(peer >= 0, target, -1)


def _ports(fabric: Fabric, devices: Devices, nic_gbps: float) -> Records:
    rows, ports = PORT.zeros(len(fabric.ports)), fabric.ports
    gbps = fabric.links["gbps"][ports["link"]]
    rows["ps_per_4k"] = np.rint(8_000 * 4_096 / gbps)
    rows["speed"] = np.clip(np.rint(gbps / nic_gbps), 1, 255)
    rows["latency_ps"] = port_latencies(fabric)
    rows["peer"] = ports["node"][ports["peer"]]
    rows["owner"] = devices.owners()
    for name in ("data_head", "data_tail", "control_head", "control_tail"):
        rows[name] = -1
    return rows


def simulate(
    fabric: Fabric,
    schedule: Schedule,
    settings: SimulationSettings | None = None,
    progress: Callable[[Simulation], None] | None = None,
) -> Result:
    """Run `schedule` on one plane of `fabric` and return flows, ports and totals.

    Raises NoAnswer if the schedule can never finish or does not finish before `settings.end_ps`.
    """
    simulation = Simulation(fabric, schedule, settings or SimulationSettings())
    while not simulation.advance():
        if progress is not None:
            progress(simulation)
    if simulation.problem is not None:
        raise simulation.problem
    return simulation.result()
