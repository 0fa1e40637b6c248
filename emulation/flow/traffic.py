"""What flows: a schedule's sends, each on its channel, and what they weigh on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emulation.flow.channels import Channels, build_channels
from emulation.flow.merged import merged_alltoall
from emulation.flow.state import MESSAGE
from emulation.flow.walker import Ints, Say
from emulation.operations import operations
from emulation.results import placed
from topologies.fabric import Fabric
from uet.base.jit import World
from uet.base.tables import Records
from uet.schedule.equal import EqualAllToAll
from uet.schedule.model import SEND, Schedule, ScheduleBuilder


@dataclass(frozen=True, eq=False)
class Traffic:
    """A schedule with the host of each rank [n_ranks]; of its sends [n_sends] the number of the operation, the
    channel, and for how many equal flows it stands.
    """

    schedule: Schedule
    host: Ints
    channels: Channels
    sends: Ints
    channel: Ints
    count: Ints

    def operations(self) -> World:
        """Return the run state of the schedule; sends know their message, which has their place among the sends."""
        ops = self.schedule.operations
        peer = np.where(ops["peer"] >= 0, self.host[np.maximum(ops["peer"], 0)], -1)
        todo = operations(self.schedule, self.host[ops["rank"]], peer)
        todo.tables["step"]["message"][self.sends] = np.arange(len(self.sends))
        return todo

    def messages(self, values: Mapping[str, float]) -> Records:
        """Return the message of each send: payload in packets, each with its overhead."""
        rows = MESSAGE.zeros(len(self.sends))
        size = self.schedule.operations["bytes"][self.sends]
        rows["channel"], rows["step"], rows["next"] = self.channel, self.sends, -1
        overhead = values["mtu.overhead_bytes"]
        rows["wire_bytes"] = size + self.packets(values) * overhead
        # a short last packet waits behind a full one, so it takes as long
        rows["tail_bytes"] = np.minimum(size, values["mtu.payload_bytes"]) + overhead
        rows["start_ps"] = rows["arrive_ps"] = rows["finish_ps"] = -1
        return rows

    def alone_ps(self, values: Mapping[str, float]) -> Ints:
        """Return how long each send would take alone, from its start to the sender's last ACK [ps]."""
        rows, c = self.messages(values), self.channels
        leaving = rows["wire_bytes"] / c.alone[self.channel] + rows["tail_bytes"] * c.rest_ps_per_byte[self.channel]
        return np.rint(leaving).astype(np.int64) + (c.there_ps + c.back_ps)[self.channel]

    def packets(self, values: Mapping[str, float]) -> Ints:
        """Return the packets of each send."""
        size = self.schedule.operations["bytes"][self.sends]
        packets: Ints = np.maximum(-(-size // int(values["mtu.payload_bytes"])), 1)
        return packets


def traffic_of(
    fabric: Fabric, schedule: Schedule, values: Mapping[str, float], n_paths: int, seed: int, say: Say | None
) -> Traffic:  # fmt: skip
    """Return the traffic of a schedule, rank k on host k, spread over `n_paths` drawn paths (0: all)."""
    host, ops = placed(fabric, schedule), schedule.operations
    sends = np.flatnonzero(ops["kind"] == SEND)
    source, target = (host[ops[end][sends]] for end in ("rank", "peer"))
    pairs, channel = np.unique(source * fabric.n_hosts + target, return_inverse=True)
    source, target = np.divmod(pairs, fabric.n_hosts)
    channels = build_channels(fabric, source, target, int(values["mtu.ack_bytes"]), n_paths, seed, say)
    return Traffic(schedule, host, channels, sends, channel, np.ones(len(sends), np.int64))


def merged_traffic(
    fabric: Fabric, work: EqualAllToAll, values: Mapping[str, float], seed: int, say: Say | None
) -> Traffic:  # fmt: skip
    """Return the traffic of an all-to-all between all hosts, spread over all paths, with equal flows merged."""
    channels, count = merged_alltoall(fabric, int(values["mtu.ack_bytes"]), seed, say)
    builder = ScheduleBuilder(work.name, fabric.n_hosts, work.message_bytes)
    sends, _ = builder.transfer(channels.source, channels.target, work.message_bytes)
    return Traffic(builder.build(), np.arange(fabric.n_hosts), channels, sends, np.arange(len(sends)), count)
