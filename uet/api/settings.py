"""The settings of `--set KEY=VALUE`, how their values are read, and what follows from them for a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from uet.base.errors import BadInput

DEFAULT_GBPS, DEFAULT_RTT_US = 400.0, 12.0
"""The network that constants are shown for when none is named."""


@dataclass(frozen=True)
class Setting:
    """One setting; `default` is None where it is derived from the fabric, `value` is that of the network shown."""

    key: str
    unit: str
    default: float | None
    value: float
    meaning: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Derivation:
    """All settings as they hold in a network, and the constants that controllers derive from them."""

    profile: str
    inputs: dict[str, float]
    settings: list[Setting]
    derived: dict[str, dict[str, float | None]]
    units: dict[str, str]
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `uet parameters --json`."""
        return {
            "profile": self.profile,
            "inputs": self.inputs,
            "parameters": [s.as_dict() for s in self.settings],
            "derived": self.derived,
            "units": self.units,
            "warnings": self.warnings,
        }


def parameters(
    profile: str = "uet-1.0",
    *,
    settings: Mapping[str, str | float] | None = None,
    linkspeed_gbps: float | None = None,
    rtt_us: float | None = None,
    payload: int | None = None,
) -> Derivation:
    """Return all settings, sorted by key, and the controllers' constants for a network.

    The network is given by the rate of its NICs and the base round trip of its longest path; `payload` is
    short for the setting mtu.payload_bytes. Raises BadInput for an unknown profile or setting and for
    values out of range; a payload that UET does not allow is a warning, as constants exist for it too.
    """
    from emulation.packet.probe import Paths
    from emulation.packet.settings import NETWORK_PARAMETERS, network_values, resolve
    from uet.transport.derived import UNITS, constants
    from uet.transport.settings import PARAMETERS, defaults, fill

    given = checked_settings(settings or {})
    short = {"cc.line_gbps": linkspeed_gbps, "cc.base_rtt_us": rtt_us, "mtu.payload_bytes": payload}
    given |= {key: float(value) for key, value in short.items() if value is not None}
    given = {"cc.line_gbps": DEFAULT_GBPS, "cc.base_rtt_us": DEFAULT_RTT_US} | given
    if min(given["cc.line_gbps"], given["cc.base_rtt_us"]) <= 0:
        raise BadInput("the link speed and the round trip must be positive; give Gb/s and microseconds")
    plain = defaults(profile)
    values, _ = resolve(profile, given, Paths(0, 0, 0.0, given["cc.line_gbps"]))
    fill({**values, "mtu.legal_only": 0}, 0, 0, 0)
    knobs = network_values(given)
    shown = [Setting(p.key, p.unit, plain[p.key], values[p.key], p.meaning) for p in PARAMETERS]
    shown += [Setting(p.key, p.unit, p.default, knobs[p.key], p.meaning) for p in NETWORK_PARAMETERS]
    inputs = {
        "linkspeed_gbps": values["cc.line_gbps"],
        "rtt_us": values["cc.base_rtt_us"],
        "payload_bytes": values["mtu.payload_bytes"],
        "trimming": knobs["trim.enabled"],
    }
    return Derivation(profile, inputs, sorted(shown, key=lambda s: s.key), constants(values), UNITS, _warnings(values))


def _warnings(values: Mapping[str, float]) -> list[str]:
    from uet.transport.settings import LEGAL_PAYLOADS

    payload = values["mtu.payload_bytes"]
    if not values["mtu.legal_only"] or payload in LEGAL_PAYLOADS:
        return []
    return [f"a payload of {payload:g} bytes is not legal in UET, whose packets carry 1024, 2048, 4096 or 8192"]


def checked_settings(given: Mapping[str, str | float]) -> dict[str, float]:
    """Return settings as numbers. Raises BadInput naming every unknown key and every value that is no number."""
    from math import isfinite

    from emulation.packet.settings import NETWORK_PARAMETERS
    from uet.transport.settings import chosen

    values: dict[str, float] = {}
    wrong = []
    for key, value in given.items():
        try:
            values[key] = float(value)
        except ValueError:
            values[key] = float("nan")
        if not isfinite(values[key]):
            wrong.append(f"{key}={value}: is not a number; 'uet parameters' lists unit and default")
    chosen("uet-1.0", values, [p.key for p in NETWORK_PARAMETERS])
    if wrong:
        raise BadInput(*wrong)
    return values
