"""What the congestion controllers derive from a network: their constants as plain numbers.

The controllers compute the same when a PDC starts; here they are to be read, printed and compared. Source:
UE specification 1.0, section 3.6.13 (table of NSCC parameters), as reported in public implementations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REFERENCE_RTT_US = 12
REFERENCE_BDP_BYTES = 150_000
UNIT_BYTES = 256

UNITS = {
    "scaling_a": "", "scaling_b": "", "alpha": "bytes / (byte ns)", "fi": "bytes", "fi_scale": "", "eta": "bytes",
    "gamma": "", "max_md_jump": "", "qa_gate": "",
}  # fmt: skip
"""Units of constants whose names do not end in one."""


def nscc_constants(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return NSCC's constants for complete settings by key; see `UNITS`.

    The packet of a gain is the payload, that of a window the nominal packet (payload and what is added to it).
    """
    rtt_us, target_us = values["cc.base_rtt_us"], values["nscc.target_qdelay_us"]
    payload = values["mtu.payload_bytes"]
    packet = payload + values["cc.nominal_bytes"]
    bdp = bdp_bytes(values)
    a, b = bdp / REFERENCE_BDP_BYTES, target_us / REFERENCE_RTT_US
    return {
        "bdp_bytes": bdp,
        "base_rtt_us": rtt_us,
        "target_qdelay_us": target_us,
        "scaling_a": a,
        "scaling_b": b,
        "alpha": values["nscc.alpha"] * a * b * payload / (target_us * 1000),
        "fi": values["nscc.fair"] * payload * a,
        "fi_scale": values["nscc.fast"] * a,
        "eta": values["nscc.eta"] * payload * a,
        "gamma": values["nscc.gamma"],
        "max_md_jump": values["nscc.max_cut"],
        "max_wnd_bytes": int(values["nscc.max_window_bdp"] * bdp),
        "initial_cwnd_bytes": round(values["cc.window_bytes"]),
        "min_cwnd_bytes": packet,
        "adjust_bytes": values["nscc.adjust_packets"] * packet,
        "adjust_period_us": rtt_us,
        "qa_gate": values["nscc.gate"],
        "qa_period_us": rtt_us + target_us,
        "qa_threshold_us": values["nscc.adapt_delay_us"] or None,
    }


def rccc_constants(values: Mapping[str, float]) -> dict[str, float]:
    """Return what RCCC's pacer grants, how often, and how much credit a sender holds at most."""
    units = -(-values["rccc.grant_packets"] * values["mtu.payload_bytes"] // UNIT_BYTES)
    bits = 8 * UNIT_BYTES * units
    return {
        "max_credit_bytes": round(values["rccc.max_bytes"]),
        "speculative_bytes": round(values["rccc.max_bytes"]),
        "grant_bytes": units * UNIT_BYTES,
        "grant_interval_ns": bits / (values["cc.line_gbps"] * values["rccc.rate"]),
        "rate_gbps": values["cc.line_gbps"] * values["rccc.rate"],
    }


def bdp_bytes(values: Mapping[str, float]) -> int:
    """Return the bandwidth delay product: what the NIC sends in a base round trip."""
    return round(values["cc.base_rtt_us"] * 1e6) * round(values["cc.line_gbps"] * 1000) // 8_000_000


def constants(values: Mapping[str, float]) -> dict[str, Any]:
    """Return the constants of all controllers that have some, by controller."""
    return {"nscc": nscc_constants(values), "rccc": rccc_constants(values)}
