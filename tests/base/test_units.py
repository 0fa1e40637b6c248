from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uet.base import units
from uet.base.errors import BadInput


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("0", 0), ("1500", 1500), ("2MiB", 2 << 20), ("2 MB", 2_000_000), ("1.5KiB", 1536), ("1e3B", 1000), (".5KB", 500)],
)
def test_sizes(text: str, n_bytes: int) -> None:
    assert units.parse_bytes(text) == n_bytes


@pytest.mark.parametrize("text", ["", "MiB", "1.5", "-1", "2 mib", "1,5KB", "1KiB 2", "nan", "1e-3B", "0x10"])
def test_what_is_not_a_size_is_refused_with_the_legal_units(text: str) -> None:
    with pytest.raises(BadInput, match="is not a size"):
        units.parse_bytes(text)


def test_times_and_rates_need_units() -> None:
    assert units.parse_time_ps("1.5us") == 1_500_000
    assert units.parse_time_ps("2s") == 2 * units.PS_PER_S
    assert units.parse_rate_bps("400Gbps") == 400 * 10**9
    for parse, text in ((units.parse_time_ps, "5"), (units.parse_rate_bps, "400")):
        with pytest.raises(BadInput, match="write a number and a unit"):
            parse(text)


@given(st.integers(0, 10**15), st.sampled_from(["ps", "ns", "us", "ms", "s"]))
def test_whole_times_are_exact_whatever_their_unit(count: int, unit: str) -> None:
    factor = {"ps": 1, "ns": 10**3, "us": 10**6, "ms": 10**9, "s": 10**12}[unit]
    assert units.parse_time_ps(f"{count}{unit}") == count * factor


@given(st.integers(0, 2**60))
def test_written_sizes_read_back_within_their_four_digits(n_bytes: int) -> None:
    number, unit = units.format_bytes(n_bytes).split()
    scale = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]
    assert abs(float(number) * scale - n_bytes) <= n_bytes * 5e-4


def test_formats_for_people() -> None:
    assert units.format_bytes(2 << 20) == "2 MiB"
    assert units.format_bytes(1023) == "1023 B"
    assert units.format_time_ps(61_900_000) == "61.9 us"
    assert units.format_time_ps(999) == "999 ps"
    assert units.format_usd(25303040) == "25,303,040 USD"
