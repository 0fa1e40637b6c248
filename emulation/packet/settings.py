"""Settings of the simulated network, and what is derived from the fabric when a user does not say.

Derivations are those of uet-htsim and of the UE specification's configuration tables: the bandwidth
delay product (BDP) is base RTT x NIC rate, queues hold one BDP (five without trimming), ECN marks
between 0.2 and 0.8 BDP, the window is 1.5 BDP and the retransmission timeout 15 us plus six full queues.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulation.packet.probe import Paths
from uet.base.errors import BadInput
from uet.transport import settings as engine

PS_PER_BYTE_GBPS = 8_000  # one byte at 1 Gb/s takes 8,000 ps


@dataclass(frozen=True)
class NetworkParameter:
    """One setting of the network: key, unit, default (None: derived) and meaning."""

    key: str
    unit: str
    default: float | None
    meaning: str


NETWORK_PARAMETERS = (
    NetworkParameter("queue.bdp", "BDP", None, "data queue of a port; 1 with trimming, 5 without"),
    NetworkParameter("queue.control_ratio", "", 2, "control queue of a port relative to its data queue"),
    NetworkParameter("ecn.low_bdp", "BDP", 0.2, "queue below which no packet is marked"),
    NetworkParameter("ecn.high_bdp", "BDP", 0.8, "queue above which every packet is marked"),
    NetworkParameter("trim.enabled", "", 1, "1: cut packets that find the queue full, 0: drop them"),
    NetworkParameter("trim.bytes", "bytes", 64, "size of a trimmed packet on the link"),
)


@dataclass(frozen=True)
class NetworkSettings:
    """Complete settings of the simulated network."""

    queue_bytes: int
    control_bytes: int
    ecn_low_bytes: int
    ecn_high_bytes: int
    trimming: bool
    trim_bytes: int


def resolve(
    profile: str, overrides: Mapping[str, float], paths: Paths
) -> tuple[dict[str, float | None], NetworkSettings]:
    """Return complete engine values by key and the network's settings, derived from the longest path."""
    engine.check_keys(overrides, [p.key for p in NETWORK_PARAMETERS])
    values: dict[str, float | None] = {**engine.defaults(profile)}
    values.update({key: overrides[key] for key in overrides if key in values})
    network = {p.key: overrides.get(p.key, p.default) for p in NETWORK_PARAMETERS}
    packet = int((values["mtu.payload_bytes"] or 0) + (values["mtu.overhead_bytes"] or 0))
    rtt_ps = paths.round_trip_ps(packet, int(values["mtu.ack_bytes"] or 0))
    if values["cc.base_rtt_us"] is None:
        values["cc.base_rtt_us"] = rtt_ps / 1e6
    if values["cc.line_gbps"] is None:
        values["cc.line_gbps"] = paths.host_gbps
    bdp = values["cc.base_rtt_us"] * 1e6 * values["cc.line_gbps"] / PS_PER_BYTE_GBPS
    bdp_packets = -(-bdp // packet)
    trimming = bool(network["trim.enabled"])
    queue_bdp = network["queue.bdp"] if network["queue.bdp"] is not None else (1 if trimming else 5)
    queue = int(queue_bdp * bdp_packets) * packet
    if values["cc.window_bytes"] is None:
        values["cc.window_bytes"] = max(1.5 * bdp, packet)
    if values["rto.init_us"] is None:
        values["rto.init_us"] = 15 + 6 * queue * PS_PER_BYTE_GBPS / values["cc.line_gbps"] / 1e6
    low, high = network["ecn.low_bdp"] or 0, network["ecn.high_bdp"] or 0
    if not 0 <= low <= high:
        raise BadInput(f"ecn.low_bdp={low} and ecn.high_bdp={high} must rise; choose low <= high")
    return values, NetworkSettings(
        queue_bytes=queue,
        control_bytes=int((network["queue.control_ratio"] or 0) * queue),
        ecn_low_bytes=int(-(-low * bdp_packets // 1)) * packet,
        ecn_high_bytes=int(-(-high * bdp_packets // 1)) * packet,
        trimming=trimming,
        trim_bytes=int(network["trim.bytes"] or 0),
    )
