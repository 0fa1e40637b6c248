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
    Parameter("mtu.nack_bytes", "nack_bytes", "bytes", 1, 86, 64, "link share of a NACK"),
    Parameter("cc.window_bytes", "window_bytes", "bytes", 1, None, None, "initial window, and the constant one"),
    Parameter("cc.base_rtt_us", "base_rtt_ps", "us", 10**6, None, None, "unloaded round trip of the longest path"),
    Parameter("cc.line_gbps", "line_mbps", "Gb/s", 1000, None, None, "rate of the NIC"),
    Parameter("lb.entropies", "entropies", "", 1, 64, 64, "entropy values a PDC sprays over, a power of two"),
    Parameter("ack.trigger_bytes", "ack_trigger_bytes", "bytes", 1, 16384, 16128, "bytes received per coalesced ACK"),
    Parameter("ack.min_packet_bytes", "ack_min_packet_bytes", "bytes", 1, 1024, 0, "least a packet counts for it"),
    Parameter("rto.init_us", "rto_ps", "us", 10**6, None, None, "retransmission timeout of a first try"),
    Parameter("rto.backoff", "rto_backoff", "", 1, 1, 0, "1: each retry without progress doubles the timeout"),
    Parameter("rto.max_retries", "max_retries", "", 1, 5, -1, "timeouts in a row before the PDC fails, -1 endless"),
    Parameter("pdc.window_packets", "window_packets", "", 1, 1024, 1024, "packets outstanding at most (MP_RANGE)"),
    Parameter(
        "nic.control_per_data", "control_per_data", "", 1, 10, 10, "control packets sent per waiting data packet"
    ),
)

_HOOKS = (
    Field("controller", "i8", "", "address of the congestion controller"),
    Field("balancer", "i8", "", "address of the load balancer"),
    Field("seed", "i8", "", "seed of all randomness"),
)

SETTINGS_TABLE = Table(
    "settings", tuple(Field(p.field, "i8", p.unit and f"{p.unit} x {p.scale}", p.meaning) for p in PARAMETERS) + _HOOKS
)

PROFILES = ("uet-1.0", "htsim")


def defaults(profile: str) -> dict[str, float | None]:
    """Return key -> default of a profile; None means derived from the fabric."""
    if profile not in PROFILES:
        raise BadInput(f"no profile is called '{profile}'; {nearest(profile, PROFILES)}")
    return {p.key: (p.htsim if profile == "htsim" else p.default) for p in PARAMETERS}


def chosen(profile: str, overrides: Mapping[str, float], others: Iterable[str] = ()) -> dict[str, float]:
    """Return key -> value of all parameters that the user or the profile settles; the rest is derived.

    Raises BadInput naming every key of `overrides` that is neither a parameter here nor among `others`.
    """
    known = {p.key for p in PARAMETERS}
    wrong = [f"no setting is called '{key}'; {nearest(key, known | set(others))}" for key in overrides
             if key not in known and key not in others]  # fmt: skip
    if wrong:
        raise BadInput(*wrong)
    settled = {key: value for key, value in defaults(profile).items() if value is not None}
    return settled | {key: value for key, value in overrides.items() if key in known}


def fill(values: Mapping[str, float], seed: int, controller: int, balancer: int) -> Records:
    """Return the settings row for complete `values`. Raises BadInput for values out of range."""
    row = SETTINGS_TABLE.zeros(1)
    for p in PARAMETERS:
        row[p.field] = round(values[p.key] * p.scale)
    _check(row)
    row["seed"], row["controller"], row["balancer"] = seed, controller, balancer
    return row


def _check(row: Records) -> None:
    entropies, window = int(row["entropies"][0]), int(row["window_packets"][0])
    if not 1 <= entropies <= 65536 or entropies & (entropies - 1):
        raise BadInput(f"lb.entropies={entropies} is not a power of two between 1 and 65536; choose one, such as 64")
    if not 64 <= window <= 4096 or window & (window - 1):
        raise BadInput(f"pdc.window_packets={window} is not a power of two between 64 and 4096; choose one")
    size = int(row["payload_bytes"][0] + row["overhead_bytes"][0])
    if row["payload_bytes"][0] < 1 or size > 65535:
        raise BadInput(f"mtu.payload_bytes={int(row['payload_bytes'][0])} is out of range; choose 1024 to 8192")
    if int(row["rto_ps"][0]) < 1 or int(row["window_bytes"][0]) < size:
        raise BadInput(
            f"rto.init_us and cc.window_bytes must be positive, the window at least one packet ({size} bytes)"
        )
