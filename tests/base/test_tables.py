from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uet.base.tables import Field, Table, table

_CODES = st.lists(st.sampled_from(["u1", "i2", "u4", "i8", "f8"]), min_size=1, max_size=8)


@given(_CODES)
def test_rows_are_aligned_and_hold_their_values(codes: list[str]) -> None:
    layout = Table("t", tuple(Field(f"f{k}", c, "", "") for k, c in enumerate(codes)), row_bytes=64)
    rows = layout.zeros(3)
    assert layout.dtype.itemsize == 64
    assert rows.ctypes.data % 64 == 0
    assert layout.dtype.isalignedstruct
    for k in range(len(codes)):
        rows[f"f{k}"] = [1, 2, 3]
    for k in range(len(codes)):
        assert rows[f"f{k}"].tolist() == [1, 2, 3]


def test_lines_become_fields_and_documentation() -> None:
    layout = table("t", "time_ps i8 ps when it happened\n  kind u1 - what it was")
    assert layout.dtype.names == ("time_ps", "kind")
    assert list(layout.describe()) == ["| `time_ps` | i8 | ps | when it happened |", "| `kind` | u1 |  | what it was |"]
    assert layout.dtype.itemsize == 16


def test_a_row_that_does_not_fit_is_refused() -> None:
    layout = Table("t", (Field("a", "i8", "", ""), Field("b", "i8", "", "")), row_bytes=8)
    with pytest.raises(ValueError, match="16 bytes do not fit in 8"):
        _ = layout.dtype


def test_no_rows() -> None:
    assert len(table("t", "a i8 - x").zeros(0)) == 0
    assert np.all(table("t", "a i8 - x").zeros(2)["a"] == 0)
