"""The settings of `--set KEY=VALUE`, and how their values are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from uet.base.errors import BadInput


@dataclass(frozen=True)
class Setting:
    """One setting; `default` is None where it is derived from the fabric."""

    key: str
    unit: str
    default: float | None
    meaning: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def parameters(profile: str = "uet-1.0") -> list[Setting]:
    """Return all settings of the transport engine and of the simulated network, sorted by key.

    Raises BadInput for an unknown profile.
    """
    from emulation.packet.settings import NETWORK_PARAMETERS
    from uet.transport.settings import PARAMETERS, defaults

    values = defaults(profile)
    engine = [Setting(p.key, p.unit, values[p.key], p.meaning) for p in PARAMETERS]
    network = [Setting(p.key, p.unit, p.default, p.meaning) for p in NETWORK_PARAMETERS]
    return sorted([*engine, *network], key=lambda s: s.key)


def checked_settings(given: Mapping[str, str | float]) -> dict[str, float]:
    """Return settings as numbers. Raises BadInput naming every unknown key and every value that is no number."""
    from emulation.packet.settings import NETWORK_PARAMETERS
    from uet.transport.settings import chosen

    values: dict[str, float] = {}
    wrong = []
    for key, value in given.items():
        try:
            values[key] = float(value)
        except ValueError:
            wrong.append(f"{key}={value}: is not a number; 'uet parameters' lists unit and default")
            values[key] = 0.0
    chosen("uet-1.0", values, [p.key for p in NETWORK_PARAMETERS])
    if wrong:
        raise BadInput(*wrong)
    return values
