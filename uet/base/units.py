"""Quantities with units: text in, integers in base units out, and back.

Base units are bytes, picoseconds, bits per second and metres. Decimal prefixes are powers of
1000 (KB, MB, GB), binary ones of 1024 (KiB, MiB, GiB). A bare number of bytes needs no unit;
a time always does, unless the option's own name carries one.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from uet.base.errors import BadInput

PS_PER_NS = 1_000
PS_PER_US = 1_000_000
PS_PER_MS = 1_000_000_000
PS_PER_S = 1_000_000_000_000

_SIZES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_TIMES = {"ps": 1, "ns": PS_PER_NS, "us": PS_PER_US, "ms": PS_PER_MS, "s": PS_PER_S}
_RATES = {"bps": 1, "Kbps": 10**3, "Mbps": 10**6, "Gbps": 10**9, "Tbps": 10**12}
_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([A-Za-z]*)\s*")


def _parse(text: str, units: dict[str, int], what: str) -> int:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units:
        legal = ", ".join(unit for unit in units if unit)
        raise BadInput(f"'{text}' is not a {what}; write a number and a unit ({legal})")
    try:
        value = Decimal(match[1]) * units[match[2]]
    except InvalidOperation:
        raise BadInput(f"'{text}' is not a {what}; the number is not readable") from None
    if value != value.to_integral_value() or value < 0:
        raise BadInput(f"'{text}' is not a {what}; it must be a whole, non-negative number of base units")
    return int(value)


def parse_bytes(text: str) -> int:
    """Return the bytes that `text` names, e.g. '2MiB' -> 2097152, '1500' -> 1500."""
    return _parse(text, _SIZES, "size")


def parse_time_ps(text: str) -> int:
    """Return the picoseconds that `text` names, e.g. '1.5us' -> 1500000."""
    return _parse(text, _TIMES, "time")


def parse_rate_bps(text: str) -> int:
    """Return the bits per second that `text` names, e.g. '400Gbps' -> 400000000000."""
    return _parse(text, _RATES, "rate")


def format_bytes(n: int) -> str:
    """Return `n` bytes as short text with a binary prefix where it divides well, e.g. '2 MiB'."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if n >= _SIZES[unit]:
            value = n / _SIZES[unit]
            return f"{value:.4g} {unit}"
    return f"{n} B"


def format_time_ps(t: int) -> str:
    """Return `t` picoseconds as short text, e.g. '61.9 us'."""
    for unit in ("s", "ms", "us", "ns"):
        if abs(t) >= _TIMES[unit]:
            return f"{t / _TIMES[unit]:.4g} {unit}"
    return f"{t} ps"


def format_usd(amount: float) -> str:
    """Return an amount of US dollars with thousands separators, e.g. '25,303,040 USD'."""
    return f"{amount:,.0f} USD"
