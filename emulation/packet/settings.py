"""Settings of the simulated network, and what is derived from the fabric when a user does not say.

Derivations are those of uet-htsim and of the UE specification's configuration tables: the bandwidth
delay product (BDP) is base RTT x NIC rate, queues hold one BDP (five without trimming), ECN marks
between 0.2 and 0.8 BDP, the window is 1.5 BDP and the retransmission timeout 15 us plus six full queues.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from emulation.packet.probe import PS_PER_BYTE_GBPS, Paths
from uet.base.errors import BadInput
from uet.base.units import PS_PER_US
from uet.transport import settings as engine

LOSSLESS_RTO_US = 1000  # with PFC packets wait where they would be lost otherwise: UE's RTO_Init_Time at least


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
    NetworkParameter(
        "ecn.last_hop", "", None, "1: ports to hosts mark too; 0 with receiver credit, which empties them"
    ),
    NetworkParameter("pfc.enabled", "", 0, "1: pause senders instead of trimming or dropping (lossless)"),
    NetworkParameter("pfc.xoff_bdp", "BDP", 1.0, "a port is paused above this much held of what it sent"),
    NetworkParameter("pfc.xon_bdp", "BDP", 0.8, "and let go below this"),
    NetworkParameter("link.loss", "", 0, "fraction of packets lost on every link by chance"),
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
    ecn_last_hop: bool
    trimming: bool
    trim_bytes: int
    pfc: bool
    xoff_bytes: int
    xon_bytes: int
    link_loss: float


def network_values(overrides: Mapping[str, float], receiver_credit: bool = False) -> dict[str, float]:
    """Return complete values of NETWORK_PARAMETERS by key."""
    values = {p.key: overrides.get(p.key, p.default) for p in NETWORK_PARAMETERS}
    if overrides.get("tss.enabled") and "trim.enabled" not in overrides:
        values["trim.enabled"] = 0  # a trimmed packet has lost its tag, so nobody would believe it
    if values["queue.bdp"] is None:
        values["queue.bdp"] = 1 if values["trim.enabled"] else 5
    if values["ecn.last_hop"] is None:
        values["ecn.last_hop"] = not receiver_credit
    return {key: float(value or 0) for key, value in values.items()}


def resolve(
    profile: str, overrides: Mapping[str, float], paths: Paths, receiver_credit: bool = False
) -> tuple[dict[str, float], NetworkSettings]:
    """Return complete engine values by key and the network's settings, derived from the longest path.

    Raises BadInput for unknown keys and thresholds that do not rise.
    """
    settled = engine.chosen(profile, overrides, [p.key for p in NETWORK_PARAMETERS])
    knobs = network_values(overrides, receiver_credit)
    trimming = bool(knobs["trim.enabled"])
    packet = int(settled["mtu.payload_bytes"] + settled["mtu.overhead_bytes"])
    rtt_us = settled.get("cc.base_rtt_us", paths.round_trip_ps(packet, int(settled["mtu.ack_bytes"])) / PS_PER_US)
    gbps = settled.get("cc.line_gbps", paths.host_gbps)
    bdp = rtt_us * PS_PER_US * gbps / PS_PER_BYTE_GBPS
    bdp_packets = ceil(bdp / packet)
    queue = int(knobs["queue.bdp"] * bdp_packets) * packet
    rto_us = 15 + 6 * queue * PS_PER_BYTE_GBPS / gbps / PS_PER_US
    derived = {
        "cc.base_rtt_us": rtt_us,
        "cc.line_gbps": gbps,
        "cc.window_bytes": max(1.5 * bdp, packet),
        "rccc.max_bytes": max(1.5 * bdp, packet),
        "rto.init_us": max(rto_us, LOSSLESS_RTO_US) if knobs["pfc.enabled"] else rto_us,
        **engine.delay_targets(settled, rtt_us, trimming, profile),
        "loss.inference": 0.0 if trimming or knobs["pfc.enabled"] else 1.0,
    }
    if trimming and settled["tss.enabled"]:
        raise BadInput("trim.enabled=1 with tss.enabled=1: what is trimmed loses its tag and is refused; choose one")
    low, high = knobs["ecn.low_bdp"], knobs["ecn.high_bdp"]
    if not 0 <= low <= high:
        raise BadInput(f"ecn.low_bdp={low} and ecn.high_bdp={high} must rise; choose low <= high")
    if not 0 <= knobs["pfc.xon_bdp"] <= knobs["pfc.xoff_bdp"]:
        raise BadInput("pfc.xon_bdp must not exceed pfc.xoff_bdp; choose xon <= xoff")
    if not 0 <= knobs["link.loss"] < 1:
        raise BadInput(f"link.loss={knobs['link.loss']:g} is no probability below 1; choose 0 <= link.loss < 1")
    return derived | settled, NetworkSettings(
        queue_bytes=queue,
        control_bytes=int(knobs["queue.control_ratio"] * queue),
        ecn_low_bytes=ceil(low * bdp_packets) * packet,
        ecn_high_bytes=ceil(high * bdp_packets) * packet,
        ecn_last_hop=bool(knobs["ecn.last_hop"]),
        trimming=trimming,
        trim_bytes=int(knobs["trim.bytes"]),
        pfc=bool(knobs["pfc.enabled"]),
        xoff_bytes=int(knobs["pfc.xoff_bdp"] * bdp),
        xon_bytes=int(knobs["pfc.xon_bdp"] * bdp),
        link_loss=knobs["link.loss"],
    )
