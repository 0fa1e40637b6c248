"""NCCL's three protocols: what a piece of data occupies on the wire, and how long the pieces are.

    Simple   data as it is; pieces of up to 512 KiB a step
    LL       16-byte lines of 8 bytes of data and two flags: 2 bytes on the wire for one; up to 32 KiB a step
    LL128    128-byte lines of 120 bytes of data and a flag: 128/120; up to 576,000 bytes a step

Source: NCCL 2.19 to 2.20 (NCCL_STEPS, NCCL_BUFFSIZE and the line layouts of its device code). Data and
flags of a message travel one behind the other here, not line by line; their sum is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from uet.base.errors import BadInput, nearest
from uet.schedule.model import DATA, SCRATCH, Index, ScheduleBuilder, Where


@dataclass(frozen=True)
class Protocol:
    """A line carries `line_data` bytes of data in `line_bytes`; `step_bytes` is the data of one step (slot)."""

    name: str
    step_bytes: int
    line_data: int = 1
    line_bytes: int = 1

    def wire_bytes(self, n_bytes: Any) -> Any:
        """Return what messages of `n_bytes` (a number or an array) of data occupy on the wire."""
        return -(-n_bytes // self.line_data) * self.line_bytes

    @property
    def framed(self) -> bool:
        """Whether messages are longer than their data."""
        return self.line_bytes > self.line_data


SIMPLE = Protocol("simple", 512 * 2**10)
PROTOCOLS = {p.name: p for p in (SIMPLE, Protocol("ll", 32 * 2**10, 8, 16), Protocol("ll128", 576_000, 120, 128))}


def protocol_of(name: str) -> Protocol:
    """Return the protocol of a name; BadInput naming the legal ones."""
    if name.lower() not in PROTOCOLS:
        raise BadInput(f"protocol={name} is unknown; {nearest(name.lower(), PROTOCOLS)}")
    return PROTOCOLS[name.lower()]


def check_channels(channels: int, multiple: int = 1) -> int:
    """Return `channels`; BadInput unless it is 1 to 32 and a multiple of `multiple`."""
    if not 1 <= channels <= 32 or channels % multiple:
        even = " and even" if multiple == 2 else ""
        raise BadInput(f"channels={channels} must be 1 to 32{even}; such as {max(2, min(channels // 2 * 2, 32))}")
    return channels


def send_frame(
    builder: ScheduleBuilder, protocol: Protocol, source: Any, target: Any, size: Any, *, offset: Any, out: Any,
    into: Any, tag: Any, after: tuple[Where, ...] = (), recv_after: tuple[Where, ...] = (), where: Any = True,
) -> tuple[Index, Index]:  # fmt: skip
    """Add messages of `size` bytes at `offset` of DATA, received at `into` of SCRATCH; return sends and receives.

    A framed protocol first copies the data to `out` of the sender's SCRATCH, where the flags follow it.
    """
    common = {"to_offset": into, "to_buffer": SCRATCH, "tag": tag, "recv_after": recv_after, "where": where}
    if not protocol.framed:
        return builder.transfer(source, target, size, offset=offset, after=after, **common)
    packed = builder.copy(
        source, size, out, offset, source_buffer=DATA, buffer=SCRATCH, after=after,
        where=np.broadcast_to(where, np.broadcast_shapes(np.shape(where), np.shape(size))),
    )  # fmt: skip
    frame = protocol.wire_bytes(np.asarray(size))
    return builder.transfer(source, target, frame, offset=out, buffer=SCRATCH, after=(packed,), **common)
