"""Files seen as arrays of bytes, of which what has been read leaves memory again."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]


class MappedFile:
    """The bytes of a file, as `octets`."""

    def __init__(self, path: Path) -> None:
        """Map the file; one of no bytes is fine."""
        self._map: mmap.mmap | None = None
        self.octets: Octets = np.frombuffer(b"", np.uint8)
        self._forgotten = 0
        if path.stat().st_size:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.octets = np.frombuffer(self._map, np.uint8)

    def forget(self, end: int) -> None:
        """Give back the memory of what stands before byte `end`; it can still be read, from the disk."""
        low, high = self._forgotten, end - end % mmap.PAGESIZE
        if self._map is not None and high > low and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, low, high - low)
            self._forgotten = high
