"""TSS at the edge of a carrier: frames are sealed on their way out of a host and opened on their way in.

Every host has its own view of one secure domain, whose key comes from the seed: it protects nothing but shows all.
What has no valid tag, or was received before, goes no further.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from hashlib import sha256
from typing import Any

from emulation.packet.edge import GUARD
from uet.base.callbacks import Callback
from uet.transport.security.domain import SecureDomain
from uet.transport.security.frames import Verdict, open_frame, seal

DOMAIN, REPLAY_WINDOW = 1, 4096


class Guard:
    """The secure domain as each of `n_endpoints` sees it, and the addresses through which `call_guard` uses it."""

    def __init__(self, n_endpoints: int, seed: int) -> None:
        """Give every endpoint the domain's key."""
        key = sha256(f"uet test key {seed}".encode()).digest()
        self._domains = [SecureDomain(DOMAIN, window=REPLAY_WINDOW) for _ in range(n_endpoints)]
        for domain in self._domains:
            domain.install(0, key)
        self.verdicts: Counter[str] = Counter()
        self.sealed = 0
        self._seal, self._open = Callback(GUARD, self._seal_frame), Callback(GUARD, self._open_frame)
        self.seal_address, self.open_address = self._seal.address, self._open.address

    def check(self) -> None:
        """Raise what went wrong while kernels ran, if anything did."""
        self._seal.check()
        self._open.check()

    def report(self) -> dict[str, Any]:
        """Return how many frames were sealed, and how many opened or refused by why."""
        return {"sealed": self.sealed, **{verdict.name.lower(): self.verdicts[verdict.name] for verdict in Verdict}}

    def _seal_frame(self, endpoint: int, frame: int, length: int, room: int) -> int:
        self.sealed += 1
        return _replace(frame, room, seal(ctypes.string_at(frame, length), self._domains[endpoint]))

    def _open_frame(self, endpoint: int, frame: int, length: int, room: int) -> int:
        plain, verdict = open_frame(ctypes.string_at(frame, length), self._domains[endpoint])
        self.verdicts[verdict.name] += 1
        return _replace(frame, room, plain) if verdict == Verdict.OPENED else -1


def _replace(frame: int, room: int, data: bytes) -> int:
    """Write a frame in place of another and return its length, -1 if there is no room for it."""
    if len(data) > room:
        return -1
    ctypes.memmove(frame, data, len(data))
    return len(data)
