"""Record tables: every field of every kernel table is declared once, with unit and meaning.

A `Table` is the single source for the numpy dtype, the documentation and the file schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Records = NDArray[Any]  # a structured array


@dataclass(frozen=True)
class Field:
    """One column: numpy type code, unit ('' for counts, indices and flags) and meaning."""

    name: str
    code: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """A named record layout; `row_bytes` > 0 pads each row to that size."""

    name: str
    fields: tuple[Field, ...]
    row_bytes: int = 0

    @cached_property
    def dtype(self) -> np.dtype[np.void]:
        """The aligned numpy dtype of one row, padded to `row_bytes` if given."""
        natural = np.dtype([(f.name, f.code) for f in self.fields], align=True)
        if not self.row_bytes or natural.itemsize == self.row_bytes:
            return natural
        if natural.itemsize > self.row_bytes:
            raise ValueError(f"table {self.name}: {natural.itemsize} bytes do not fit in {self.row_bytes}")
        layout: dict[str, Any] = {
            "names": list(natural.names or ()),
            "formats": [f.code for f in self.fields],
            "offsets": [natural.fields[f.name][1] for f in self.fields] if natural.fields else [],
            "itemsize": self.row_bytes,
            "aligned": True,
        }
        padded: np.dtype[np.void] = np.dtype(cast("Any", layout))
        return padded

    def zeros(self, n: int) -> Records:
        """Return `n` zeroed rows, aligned to 64 bytes so that a row does not straddle cache lines."""
        size = max(n, 1) * self.dtype.itemsize
        raw = np.zeros(size + 64, dtype=np.uint8)
        start = -raw.ctypes.data % 64
        return raw[start : start + size].view(self.dtype)[:n]

    def describe(self) -> Iterator[str]:
        """Yield one Markdown table row per field: name, type, unit, meaning."""
        for f in self.fields:
            yield f"| `{f.name}` | {f.code} | {f.unit} | {f.meaning} |"


def table(name: str, layout: str, row_bytes: int = 0) -> Table:
    """Build a Table from lines of `field code unit meaning...`; '-' stands for no unit."""
    fields = []
    for line in layout.strip().splitlines():
        field, code, unit, meaning = line.split(maxsplit=3)
        fields.append(Field(field, code, "" if unit == "-" else unit, meaning))
    return Table(name, tuple(fields), row_bytes)
