"""A ring of equal messages, all its ranks step by step: for rings that have too many messages for an event each.

Rank r sends the message of step k to rank r + 1 once that of step k - 1 has come from rank r - 1 and its own one
has left:

    leave(k, r) = max(arrive(k - 1, r - 1), leave(k - 1, r)) + sending(r)        arrive = leave + behind(r)

`sending` is the time at the max-min fair rate with a message of every rank under way. So this is exact where
neighbours share no link (as on trees that are not tapered). Where they do it is up to 2 % longer than event by
event on HammingMesh, Dragonfly and Jellyfish.

Where all ranks take equally long to send, nobody ever waits for its own last message, and a message of step k has
come from rank r - k without a stop: arrive(k, r) is a sum over k + 1 ranks.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from emulation.flow import loop
from emulation.flow.channels import port_loads
from emulation.flow.fill import settle
from emulation.flow.options import PACKET_ONLY, FlowSettings, complete_values, path_count
from emulation.flow.traffic import traffic_of
from emulation.flow.walker import Ints, Say
from emulation.flow.world import world_of
from emulation.results import FLOW_FIELDS, Result, peak_rss_bytes, percentiles
from topologies.fabric import Fabric
from uet.base.errors import BadInput, NoAnswer
from uet.base.jit import kernel
from uet.schedule.equal import EqualRing
from uet.schedule.model import ScheduleBuilder

MESSAGES_PER_CALL = 50_000_000
"""Messages between two looks at Ctrl-C."""

SAMPLES = 2_048
"""Ranks drawn at random, and steps at even distances, whose times are kept for percentiles.

First, mean and last finish are exact, and the FCTs where they do not differ between steps.
"""


class RingSimulation:
    """One run; `advance` may be called until it returns True."""

    def __init__(self, fabric: Fabric, work: EqualRing, settings: FlowSettings, say: Say | None = None) -> None:
        """Find the paths and rates. Raises BadInput for an end of simulated time and settings that do not fit."""
        started = time.process_time()
        self.fabric, self.work = fabric, work
        self.values = complete_values(fabric, settings)
        if settings.end_ps is not None:
            raise BadInput(f"{work.name}: a ring of so many messages runs to its end; leave out the end time")
        ranks = np.arange(work.n_ranks)
        builder = ScheduleBuilder(work.name, work.n_ranks, work.message_bytes)
        builder.transfer(ranks, (ranks + 1) % work.n_ranks, work.message_bytes)
        n_paths = path_count(settings.balancer, self.values)
        self.traffic = traffic_of(fabric, builder.build(), self.values, n_paths, settings.seed, say)
        self.times = self._times()
        n = work.n_ranks
        self.every = -(-work.steps // SAMPLES)
        drawn = np.random.default_rng(settings.seed).choice(n, min(n, SAMPLES), replace=False)
        self.kept_ranks = np.sort(drawn)
        spans = np.arange(0, work.steps, self.every)
        self.kept_steps = np.minimum(spans + self.every // 2, work.steps - 1)
        self.kept = np.zeros((2, len(spans), len(drawn)), np.int64)  # finish and FCT
        self.now = np.zeros((3, n), np.int64)  # when the last message left and arrived, and its FCT
        self.arrivals = np.zeros(2)  # sums of the times of all arrivals, and of those of the last step
        self.step, self.status = 0, "running"
        self.cpu_s = time.process_time() - started

    def _times(self) -> Ints:
        """Return per rank how long a message takes to leave, how long after that it arrives, and its ACK's way [ps]."""
        traffic, channels = self.traffic, self.traffic.channels
        messages = traffic.messages(self.values)
        world = world_of(channels, messages, traffic.operations())
        loop.run(world.handle, 0, 0)
        settle(world.handle, 0)
        rate = world.tables["channel"]["rate"]
        sending = np.ceil(messages["wire_bytes"] / rate)
        behind = channels.there_ps + np.rint(messages["tail_bytes"] * channels.rest_ps_per_byte)
        return np.stack([sending, behind, channels.back_ps]).astype(np.int64)

    def advance(self, max_messages: int = MESSAGES_PER_CALL) -> bool:
        """Go on by about `max_messages` messages and tell whether the run is over."""
        started = time.process_time()
        last = min(self.step + max(max_messages // self.work.n_ranks, 1), self.work.steps)
        if self._is_steady:
            last = self.work.steps
            self._pass_on()
        else:
            _go_on(self.step, last, self.times, self.now, self.kept_steps, self.kept_ranks, self.kept, self.arrivals)
        self.step = last
        self.status = "complete" if last == self.work.steps else "running"
        self.cpu_s += time.process_time() - started
        return last == self.work.steps

    @property
    def _is_steady(self) -> bool:
        """Whether all ranks send equally long, so that messages take equally long in every step."""
        return bool(np.all(self.times[0] == self.times[0, 0]))

    def _pass_on(self) -> None:
        """Compute the kept steps and the last one for ranks that never wait for their own last message."""
        n, steps = self.work.n_ranks, self.work.steps
        hop, back = self.times[0] + self.times[1], self.times[2]
        before = np.concatenate([[0], np.cumsum(np.tile(hop, 2))])
        ends = np.arange(n, 2 * n) + 1

        def arrivals(step: int) -> Ints:
            turns, rest = divmod(step + 1, n)
            return turns * before[n] + before[ends] - before[ends - rest]

        for row, step in enumerate(self.kept_steps.tolist()):
            self.kept[:, row] = (arrivals(step) + back)[self.kept_ranks], (hop + back)[self.kept_ranks]
        self.now[1], self.now[2] = arrivals(steps - 1), hop + back
        self.now[0] = self.now[1] - self.times[1]
        self.arrivals[:] = float(before[n]) * steps * (steps + 1) / 2, float(before[n]) * steps

    @property
    def now_ps(self) -> int:
        """When the last message so far had left."""
        return int(self.now[0].max())

    @property
    def progress(self) -> tuple[int, int]:
        """Messages done and in all."""
        return self.step * self.work.n_ranks, self.work.steps * self.work.n_ranks

    @property
    def problem(self) -> NoAnswer | None:
        """None: a ring always gets round."""
        return None

    def result(self) -> Result:
        """Return a row per rank with its last message, counted as often as it sent, ports and totals."""
        channels, n = self.traffic.channels, self.work.n_ranks
        rows = np.zeros(n, dtype=[*FLOW_FIELDS, ("count", "i8")])
        rows["flow"], rows["bytes"] = np.arange(n), self.work.message_bytes
        rows["src"], rows["dst"] = channels.source, channels.target
        rows["packets"], rows["count"] = self.traffic.packets(self.values), self.step
        rows["finish_ps"], rows["fct_ps"] = self.now[1] + self.times[2], self.now[2]
        rows["start_ps"] = rows["finish_ps"] - rows["fct_ps"]
        wire = self.traffic.messages(self.values)["wire_bytes"]
        ports = port_loads(self.fabric, channels, wire * self.step)
        return Result(rows, ports, self.now[1].copy(), self._totals(rows), self.status, self.values, None)

    def _totals(self, flows: Any) -> dict[str, Any]:
        done, total = self.progress
        kept = self.kept[:, self.kept_steps < self.step]
        spans = np.minimum(self.every, self.work.steps - np.arange(kept.shape[1]) * self.every)
        counts = np.repeat(spans, kept.shape[2])
        finish, fct = (percentiles(times.reshape(-1), counts) for times in kept)
        if self._is_steady:
            fct = percentiles(flows["fct_ps"])
        if done:
            back, last = self.step * float(self.times[2].sum()), np.append(kept[1], flows["fct_ps"])
            finish |= _us(self.times.sum(axis=0).min(), (self.arrivals[0] + back) / done, flows["finish_ps"].max())
            fct |= _us(last.min(), (self.arrivals[1] + back) / done, last.max())
        return {
            "flows": total,
            "finished": done,
            "finish_us": finish,
            "fct_us": fct,
            "slowdown": None,
            "data_packets": int((flows["packets"] * flows["count"]).sum()),
            **dict.fromkeys(PACKET_ONLY),
            "channels": self.work.n_ranks,
            "resources": len(self.traffic.channels.capacity),
            "events": done,
            "fills": 1,
            "base_rtt_us": self.values["cc.base_rtt_us"],
            "sim_us": float(flows["finish_ps"].max()) / 1e6,
            "cpu_s": self.cpu_s,
            "peak_rss_bytes": peak_rss_bytes(),
        }


def _us(first_ps: float, mean_ps: float, max_ps: float) -> dict[str, float | None]:
    return {"first": float(first_ps) / 1e6, "mean": float(mean_ps) / 1e6, "max": float(max_ps) / 1e6}


@kernel
def _go_on(
    first: int, last: int, times: Any, now: Any, kept_steps: Ints, kept_ranks: Ints, kept: Any, arrivals: Any
) -> None:  # fmt: skip
    """Compute steps `first` to `last` - 1; see the module for the rule."""
    sending, behind, back = times[0], times[1], times[2]
    leave, arrive, fct = now[0], now[1], now[2]
    n, row = len(leave), np.searchsorted(kept_steps, first)
    for k in range(first, last):
        before, total = (arrive[n - 1] if k > 0 else 0), 0.0
        for r in range(n):
            begin = before
            before = arrive[r] if k > 0 else 0
            leave[r] = max(begin, leave[r]) + sending[r]
            arrive[r] = leave[r] + behind[r]
            fct[r] = arrive[r] + back[r] - begin
            total += arrive[r]
        arrivals[0] += total
        arrivals[1] = total
        if row < len(kept_steps) and k == kept_steps[row]:
            for i in range(len(kept_ranks)):
                r = kept_ranks[i]
                kept[0, row, i], kept[1, row, i] = arrive[r] + back[r], fct[r]
            row += 1
