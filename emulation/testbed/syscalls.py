"""System calls that kernels make: send and receive a frame, read the clock, sleep.

Under JIT these are the C library's functions, called directly; in plain Python they go through ctypes.
"""

from __future__ import annotations

import ctypes
from typing import Any

from numba.core import types

from uet.base.jit import JIT, kernel
from uet.base.tables import table

TIMESPEC = table(
    "timespec",
    """
    seconds i8 s since some start
    nanoseconds i8 ns within the second
    """,
)

_DONT_WAIT = 0x40  # MSG_DONTWAIT
_MONOTONIC = 1  # CLOCK_MONOTONIC


def _function(name: str, result: Any, *arguments: Any) -> Any:
    """Return a function of the C library for kernels; addresses are plain int64."""
    if JIT:
        return types.ExternalFunction(name, result(*arguments))
    call = getattr(ctypes.CDLL(None), name)
    widths = {types.int32: ctypes.c_int32, types.int64: ctypes.c_int64}
    call.argtypes, call.restype = [widths[a] for a in arguments], widths[result]
    return lambda *values: call(*(int(v) for v in values))


_send = _function("send", types.int64, types.int32, types.int64, types.int64, types.int32)
_recv = _function("recv", types.int64, types.int32, types.int64, types.int64, types.int32)
_clock_gettime = _function("clock_gettime", types.int32, types.int32, types.int64)
_usleep = _function("usleep", types.int32, types.int32)


@kernel
def send_frame(socket: int, frame: int, length: int) -> int:
    """Send the frame at an address; returns its length, or -1 if the kernel does not take it now."""
    return _send(socket, frame, length, _DONT_WAIT)


@kernel
def receive_frame(socket: int, frame: int, room: int) -> int:
    """Read the next frame a socket holds to an address; returns its length, -1 if there is none."""
    return _recv(socket, frame, room, _DONT_WAIT)


@kernel
def monotonic_ns(timespec: Any, address: int) -> int:
    """Return the machine's monotonic clock [ns]; `timespec` is the row at `address`."""
    _clock_gettime(_MONOTONIC, address)
    return timespec["seconds"] * 1_000_000_000 + timespec["nanoseconds"]


@kernel
def sleep_us(n: int) -> None:
    """Give the processor away for about `n` microseconds."""
    _usleep(n)
