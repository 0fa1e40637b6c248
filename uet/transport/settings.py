"""The engine's settings: one row that kernels read, and the named profiles that fill it.

`PARAMETERS` is the only list: from it come the record, the defaults of each profile and what
`uet parameters` prints. A value given as None is derived from the fabric by the carrier.
Sources: UE specification 1.0 as reported in public implementations; `htsim` is what uet-htsim does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from uet.base.errors import BadInput, nearest
from uet.base.tables import Field, Records, Table
from uet.transport.wire.pds import TSS as TSS_HEADER
from uet.transport.wire.trailer import CRC_BYTES, ICV_BYTES


@dataclass(frozen=True)
class Parameter:
    """One setting: `key` as users write it, `field` in the record, scale from user unit to record."""

    key: str
    field: str
    unit: str
    scale: int
    default: float | None
    htsim: float | None
    meaning: str


PARAMETERS = (
    Parameter("mtu.payload_bytes", "payload_bytes", "bytes", 1, 4096, 4086, "payload of a full packet"),
    Parameter("mtu.overhead_bytes", "overhead_bytes", "bytes", 1, 126, 64, "what a data packet adds to its payload"),
    Parameter("mtu.ack_bytes", "ack_bytes", "bytes", 1, 102, 64, "link share of an ACK_CC"),
    Parameter("mtu.nack_bytes", "nack_bytes", "bytes", 1, 86, 64, "link share of a NACK or a control packet"),
    Parameter("mtu.legal_only", "legal_only", "", 1, 1, 0, "1: payloads are 1024, 2048, 4096 or 8192 bytes"),
    Parameter("cc.nominal_bytes", "nominal_bytes", "bytes", 1, 108, 64, "what congestion control adds to a payload"),
    Parameter("cc.room_for_mtu", "room_for_mtu", "", 1, 1, 0, "1: sending takes room for a full packet in the window"),
    Parameter("cc.window_bytes", "window_bytes", "bytes", 1, None, None, "initial window, and the constant one"),
    Parameter("cc.base_rtt_us", "base_rtt_ps", "us", 10**6, None, None, "unloaded round trip of the longest path"),
    Parameter("cc.probe_rtt", "probe_rtt", "", 1, 0, 0, "1: a probe after the first answer measures the base RTT"),
    Parameter("cc.line_gbps", "line_mbps", "Gb/s", 1000, None, None, "rate of the NIC"),
    Parameter("lb.entropies", "entropies", "", 1, 64, 64, "entropy values a PDC sprays over, a power of two"),
    Parameter("ack.trigger_bytes", "ack_trigger_bytes", "bytes", 1, 16384, 16128, "bytes received per coalesced ACK"),
    Parameter("ack.min_packet_bytes", "ack_min_packet_bytes", "bytes", 1, 1024, 0, "least a packet counts for it"),
    Parameter(
        "ack.request_below_bytes",
        "ack_request_below_bytes",
        "bytes",
        1,
        16384,
        0,
        "every packet asks for an ACK while its controller holds the window below this",
    ),
    Parameter("rto.init_us", "rto_ps", "us", 10**6, None, None, "retransmission timeout of a first try"),
    Parameter("rto.backoff", "rto_backoff", "", 1, 1, 0, "1: each retry without progress doubles the timeout"),
    Parameter("rto.max_retries", "max_retries", "", 1, 5, -1, "timeouts in a row before the PDC fails, -1 endless"),
    Parameter("tss.enabled", "tss", "", 1, 0, 0, "1: packets are secured: 24 bytes longer, and not to be trimmed"),
    Parameter("ses.profile", "ses_profile", "", 1, 0, 0, "0 everything, 1 AI Base, 2 AI Full, 3 HPC: what is refused"),
    Parameter("ses.max_ack_data_bytes", "max_ack_data", "bytes", 1, 16, 16, "most data in an ACK (Max_ACK_Data_Size)"),
    Parameter("ses.short_headers", "short_headers", "", 1, 0, 0, "1: small and medium SES headers where they will do"),
    Parameter("rto.max_us", "max_rto_ps", "us", 10**6, 8e6, 8e6, "longest timeout, however often doubled"),
    Parameter("nack.retx_us", "nack_retx_ps", "us", 10**6, 1000, 1000, "pause after a refusal (NACK_Retx_Time)"),
    Parameter(
        "nack.max_retries", "max_nack_retries", "", 1, 5, -1, "refusals in a row before the PDC fails, -1 endless"
    ),
    Parameter(
        "nack.max_trims", "max_trims", "", 1, -1, -1, "packet sent so often and trimmed again: its PDC fails, -1 never"
    ),
    Parameter(
        "ack.duplicates",
        "ack_duplicates",
        "",
        1,
        0,
        1,
        "1: duplicates that are no retransmissions are answered too (uet-ref-prov), 0: dropped",
    ),
    Parameter(
        "ack.waits_for_clear",
        "ack_waits_for_clear",
        "",
        1,
        1,
        1,
        "1: the cumulative ACK stops before responses not cleared yet (uet-ref-prov), 0: it does not (suet-fork)",
    ),
    Parameter("pdc.new_us", "new_pdc_ps", "us", 10**6, 5000, 5000, "a pending PDC waits this long (New_PDC_Time)"),
    Parameter(
        "pdc.close_request_us",
        "close_request_ps",
        "us",
        10**6,
        1000,
        1000,
        "a close asked for by the target must come within this (Close_REQ_Time)",
    ),
    Parameter("pdc.quiet_us", "quiet_ps", "us", 10**6, 1000, 1000, "a closed PDC's row is not used again before"),
    Parameter(
        "pdc.start_psn_challenge",
        "start_psn_challenge",
        "",
        1,
        0,
        0,
        "1: the target chooses every start PSN (NEW_START_PSN), 0: only after a recent close",
    ),
    Parameter(
        "pdc.psn_range", "psn_range", "packets", 1, 2**31, 2**31, "packets before a PDC closes (Limit_PSN_Range)"
    ),
    Parameter("pdc.window_packets", "window_packets", "", 1, 1024, 1024, "packets outstanding at most (MP_RANGE)"),
    Parameter(
        "nic.control_per_data", "control_per_data", "", 1, 10, 10, "control packets sent per waiting data packet"
    ),
    Parameter("nscc.target_qdelay_us", "nscc_target_ps", "us", 10**6, None, None, "queueing delay aimed at"),
    Parameter("nscc.max_window_bdp", "nscc_max_window", "BDP", 10**6, 1.5, 1.5, "limit of the window"),
    Parameter("nscc.alpha", "nscc_alpha", "", 10**6, 4.0, 4.0, "gain of the proportional increase"),
    Parameter("nscc.fair", "nscc_fair", "", 10**6, 5.0, 5.0, "gain of the fair increase (fi)"),
    Parameter("nscc.fast", "nscc_fast", "", 10**6, 0.25, 0.25, "gain of the fast increase (fi_scale)"),
    Parameter("nscc.no_delay_us", "nscc_no_delay_ps", "us", 10**6, 1, 1, "delay that counts as none for it"),
    Parameter("nscc.eta", "nscc_eta", "", 10**6, 0.15, 0.15, "gain of the constant increase per base RTT"),
    Parameter("nscc.gamma", "nscc_gamma", "", 10**6, 0.8, 0.8, "gain of the decrease"),
    Parameter("nscc.max_cut", "nscc_max_cut", "", 10**6, 0.5, 0.5, "most that one decrease takes off the window"),
    Parameter("nscc.delay_gain", "nscc_delay_gain", "", 10**6, 0.0125, 0.0125, "weight of a sample in the mean delay"),
    Parameter(
        "nscc.unmarked_delay",
        "nscc_unmarked_delay",
        "base RTT",
        10**6,
        0.25,
        0.25,
        "what an unmarked sample above the target counts as in the mean delay",
    ),
    Parameter(
        "nscc.adjust_packets", "nscc_adjust_packets", "packets", 1, 8, 8, "packets received per increase of the window"
    ),
    Parameter("nscc.gate", "nscc_gate", "", 1, 3, 3, "Quick Adapt acts if less than limit / 2^gate was delivered"),
    Parameter(
        "nscc.adapt_delay_us",
        "nscc_adapt_delay_ps",
        "us",
        10**6,
        None,
        None,
        "delay that triggers Quick Adapt, 0 never",
    ),
    Parameter("nscc.nack_rtt", "nscc_nack_rtt", "", 1, 1, 1, "1: NACKs lower the base RTT too"),
    Parameter(
        "nscc.adapt_last_hop",
        "nscc_adapt_last_hop",
        "",
        1,
        0,
        1,
        "1: with receiver credit, Quick Adapt heeds trims at the last hop",
    ),
    Parameter("rccc.max_bytes", "credit_max_bytes", "bytes", 1, None, None, "most credit held; the speculative one"),
    Parameter("rccc.grant_packets", "credit_packets", "packets", 1, 4, 4, "credit of one grant"),
    Parameter("rccc.rate", "credit_rate", "", 10**6, 0.99, 0.99, "rate of all grants relative to the NIC's"),
    Parameter("rccc.header_bytes", "credit_header_bytes", "bytes", 1, 4, 0, "what the credit target adds to a request"),
    Parameter("rccc.slow_credit", "credit_slow", "", 1, 1, 1, "1: satisfied senders get credit when nobody asks"),
    Parameter("rccc.in_acks", "credit_in_acks", "", 1, 1, 0, "1: without a window, ACKs carry credit (cc_type 1)"),
    Parameter(
        "rccc.request_us", "credit_request_ps", "us", 10**6, None, None, "least time between two credit requests"
    ),
    Parameter("rccc.oversubscribed", "over_on", "", 1, 0, 0, "1: grants slow down when marks tell of a full fabric"),
    Parameter("rccc.marks_target", "over_target", "", 10**6, 0.3, 0.3, "marked fraction above which grants slow down"),
    Parameter("rccc.marks_gain", "over_gain", "", 10**6, 0.5, 0.5, "weight of an interval in the marked fraction"),
    Parameter("rccc.decrease", "over_decrease", "", 10**6, 0.5, 0.5, "gain of the slowing down"),
    Parameter("rccc.increase", "over_increase", "", 10**6, 0.01, 0.01, "step of the speeding up"),
    Parameter("ack.service_time", "service_time", "", 1, 1, 0, "1: ACKs tell how long they waited at the receiver"),
    Parameter("pdc.ordered", "ordered", "", 1, 0, 0, "1: messages take ordered contexts (ROD): one path, go-back-N"),
    Parameter("loss.inference", "infer", "", 1, None, 0, "1: losses are inferred from packets out of order"),
    Parameter("loss.windows", "infer_window", "cwnd", 10**6, 1.5, 1.5, "a packet is lost when so many passed it"),
    Parameter("loss.packets", "infer_packets", "packets", 1, 5, 5, "and at least so many"),
    Parameter("dcqcn.gain", "dcqcn_gain", "", 10**6, 1 / 256, 1 / 256, "weight of an interval in alpha (g)"),
    Parameter("dcqcn.interval_us", "dcqcn_interval_ps", "us", 10**6, 50, 50, "marks within it count once"),
    Parameter("dcqcn.alpha_us", "dcqcn_alpha_ps", "us", 10**6, 55, 55, "alpha falls once in this time without marks"),
    Parameter("dcqcn.timer_us", "dcqcn_timer_ps", "us", 10**6, 55, 55, "the rate rises once in this time"),
    Parameter("dcqcn.bytes", "dcqcn_bytes", "bytes", 1, 10**7, 10**7, "and once in so many bytes sent"),
    Parameter("dcqcn.rounds", "dcqcn_rounds", "", 1, 5, 5, "rises of fast recovery (F)"),
    Parameter("dcqcn.increase", "dcqcn_increase", "line", 10**6, 0.001, 0.001, "additive step: 40 Mb/s at 40 Gb/s"),
    Parameter("dcqcn.hyper", "dcqcn_hyper", "", 1, 10, 10, "steps of hyper increase"),
    Parameter("dcqcn.min_rate", "dcqcn_min_rate", "line", 10**6, 0.001, 0.001, "least rate"),
    Parameter("dctcp.gain", "dctcp_gain", "", 10**6, 0.0625, 0.0625, "weight of a window in the marked fraction"),
    Parameter("swift.target_us", "swift_target_ps", "us", 10**6, None, None, "round trip aimed at by a large window"),
    Parameter("swift.range_us", "swift_range_ps", "us", 10**6, None, None, "most that a small window adds to it"),
    Parameter("swift.range_low", "swift_range_low", "packets", 1000, 0.1, 0.1, "window at which all of it is added"),
    Parameter("swift.range_high", "swift_range_high", "packets", 1000, 100, 100, "window at which none is added"),
    Parameter("swift.increase", "swift_increase", "packets", 1000, 1, 1, "additive increase per round trip"),
    Parameter("swift.beta", "swift_beta", "", 10**6, 0.8, 0.8, "gain of the decrease"),
    Parameter("swift.max_cut", "swift_max_cut", "", 10**6, 0.5, 0.5, "most that one decrease takes off the window"),
    Parameter("swift.retries", "swift_retries", "", 1, 5, 5, "timeouts in a row that close the window to one packet"),
    Parameter("reps.freeze_us", "reps_freeze_ps", "us", 10**6, 10_000, 10_000, "time a timeout freezes the ring for"),
    Parameter("reps.explore_packets", "reps_explore", "packets", 1, 16, 16, "random entropies after thawing"),
)

_HOOKS = (
    Field("controller", "i8", "", "address of the congestion controller"),
    Field("balancer", "i8", "", "address of the load balancer"),
    Field("credit", "i8", "", "receiver credit: 0 none, 1 beside a window, 2 alone"),
    Field("paces", "i8", "", "1 if the controller sets a rate"),
    Field("seed", "i8", "", "seed of all randomness"),
)

SETTINGS_TABLE = Table(
    "settings", tuple(Field(p.field, "i8", p.unit and f"{p.unit} x {p.scale}", p.meaning) for p in PARAMETERS) + _HOOKS
)

_FRACTIONS = (
    "nscc.max_cut", "nscc.delay_gain", "dctcp.gain", "swift.max_cut", "dcqcn.gain", "dcqcn.min_rate",
    "rccc.rate", "rccc.marks_target", "rccc.marks_gain", "rccc.decrease", "rccc.increase",
)  # fmt: skip
LEGAL_PAYLOADS = (1024, 2048, 4096, 8192)
_POSITIVE = (
    "dcqcn.alpha_us",
    "dcqcn.timer_us",
    "dcqcn.bytes",
    "dcqcn.min_rate",
    "rccc.grant_packets",
    "rccc.rate",
    "cc.base_rtt_us",
    "cc.line_gbps",
    "nscc.target_qdelay_us",
    "swift.target_us",
    "swift.range_low",
)
_ENDLESS = ("rto.max_retries", "nack.max_retries", "nack.max_trims")

_SIZES = ("mtu.overhead_bytes", "mtu.ack_bytes", "mtu.nack_bytes", "cc.nominal_bytes")
TSS_MORE_BYTES = TSS_HEADER.size(sp=0) + ICV_BYTES - CRC_BYTES

PROFILES = ("uet-1.0", "htsim")


TRANSPORTS: dict[str, dict[str, float]] = {
    "uet": {},
    # RoCEv2: go-back-N on one path; frames of Ethernet 18, IPv4 20, UDP 8, BTH 12, ICRC 4 (an ACK's AETH: 4 more),
    # preamble and gap 20; switches do not trim
    "roce": {
        "pdc.ordered": 1, "mtu.overhead_bytes": 82, "mtu.ack_bytes": 86, "mtu.nack_bytes": 86, "cc.nominal_bytes": 62,
        "cc.room_for_mtu": 0, "ack.service_time": 0, "trim.enabled": 0, "loss.inference": 0,
    },
}  # fmt: skip
"""Transports by name: the switches that make the engine behave as one. `roce` is what UET replaces."""


def transport_switches(transport: str) -> dict[str, float]:
    """Return the settings that make up a transport. Raises BadInput for an unknown one."""
    if transport not in TRANSPORTS:
        raise BadInput(f"no transport is called '{transport}'; {nearest(transport, TRANSPORTS)}")
    return dict(TRANSPORTS[transport])


def defaults(profile: str) -> dict[str, float | None]:
    """Return key -> default of a profile; None means derived from the fabric."""
    if profile not in PROFILES:
        raise BadInput(f"no profile is called '{profile}'; {nearest(profile, PROFILES)}")
    return {p.key: (p.htsim if profile == "htsim" else p.default) for p in PARAMETERS}


def chosen(profile: str, overrides: Mapping[str, float], others: Iterable[str] = ()) -> dict[str, float]:
    """Return key -> value of all parameters that the user or the profile settles; the rest is derived.

    With TSS all packets are longer by its header and tag, less the CRC that they replace.
    Raises BadInput naming every key of `overrides` that is neither a parameter here nor among `others`.
    """
    known = {p.key for p in PARAMETERS}
    wrong = [f"no setting is called '{key}'; {nearest(key, known | set(others))}" for key in overrides
             if key not in known and key not in others]  # fmt: skip
    if wrong:
        raise BadInput(*wrong)
    settled = {key: value for key, value in defaults(profile).items() if value is not None}
    settled |= {key: value for key, value in overrides.items() if key in known}
    if settled["tss.enabled"]:
        settled |= {key: settled[key] + TSS_MORE_BYTES for key in _SIZES}
    return settled


def delay_targets(
    settled: Mapping[str, float], rtt_us: float, trimming: bool, profile: str = "uet-1.0"
) -> dict[str, float]:
    """Return the delays [us] that controllers aim at, derived from the base round trip.

    NSCC aims at 0.75 base RTT of queueing with trimming and 1.0 without. A delay of four times that
    triggers Quick Adapt; where packets are trimmed, UE 1.0 leaves that to NACKs and uet-htsim does not.
    Swift's target and range are this project's choice: half a base RTT of queueing, and as much again.
    """
    target = settled.get("nscc.target_qdelay_us", (0.75 if trimming else 1.0) * rtt_us)
    adapt = 0.0 if trimming and profile != "htsim" else 4 * target
    return {
        "nscc.target_qdelay_us": target,
        "rccc.request_us": rtt_us,
        "loss.inference": 0.0,
        "nscc.adapt_delay_us": adapt,
        "swift.target_us": 1.5 * rtt_us,
        "swift.range_us": 0.5 * rtt_us,
    }


def fill(
    values: Mapping[str, float], seed: int, controller: int, balancer: int, credit: int = 0, paces: bool = False
) -> Records:
    """Return the settings row for complete `values`; with `credit`, requests grow by the credit target.

    Raises BadInput for values out of range.
    """
    row = SETTINGS_TABLE.zeros(1)
    for p in PARAMETERS:
        row[p.field] = round(values[p.key] * p.scale)
    _check(row)
    row["seed"], row["controller"], row["balancer"], row["credit"] = seed, controller, balancer, credit
    row["paces"] = paces
    if credit:
        row["overhead_bytes"] += row["credit_header_bytes"]
        row["nominal_bytes"] += row["credit_header_bytes"]
    return row


def _check(row: Records) -> None:
    entropies, window = int(row["entropies"][0]), int(row["window_packets"][0])
    if not 1 <= entropies <= 65536 or entropies & (entropies - 1):
        raise BadInput(f"lb.entropies={entropies} is not a power of two between 1 and 65536; choose one, such as 64")
    if not 4 <= window <= 4096 or window & (window - 1):
        raise BadInput(f"pdc.window_packets={window} is not a power of two between 4 and 4096; choose one")
    payload, size = int(row["payload_bytes"][0]), int(row["payload_bytes"][0] + row["overhead_bytes"][0])
    if payload < 1 or size > 65535:
        raise BadInput(f"mtu.payload_bytes={payload} is out of range; choose 1024 to 8192")
    if row["legal_only"][0] and payload not in LEGAL_PAYLOADS:
        raise BadInput(
            f"mtu.payload_bytes={payload} is not legal in UET; choose 1024, 2048, 4096 or 8192, or set mtu.legal_only=0"
        )
    wrong = [p for p in PARAMETERS if row[p.field][0] < (-1 if p.key in _ENDLESS else p.key in _POSITIVE)]
    if wrong:
        raise BadInput(*(f"{p.key}={row[p.field][0] / p.scale:g} is too small; see 'uet parameters'" for p in wrong))
    over = [p for p in PARAMETERS if p.key in _FRACTIONS and row[p.field][0] > p.scale]
    if over:
        raise BadInput(*(f"{p.key}={row[p.field][0] / p.scale:g} is no fraction; choose 0 to 1" for p in over))
    if int(row["rto_ps"][0]) < 1 or int(row["window_bytes"][0]) < size:
        raise BadInput(
            f"rto.init_us and cc.window_bytes must be positive, the window at least one packet ({size} bytes)"
        )
