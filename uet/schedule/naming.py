"""How operations are called in messages to people: by rank, place within the rank, and what they do."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.schedule.model import ANY, KINDS, RECV, SEND, Schedule


def identify(schedule: Schedule, i: int) -> dict[str, Any]:
    """Return rank, number within the rank (from 0), kind, bytes, peer and tag of operation `i`.

    Peer and tag are None where the operation has none or takes any.
    """
    op = schedule.operations[i]
    message = op["kind"] in (SEND, RECV)

    def known(name: str) -> int | None:
        return int(op[name]) if message and op[name] != ANY else None

    return {
        "rank": int(op["rank"]),
        "operation": int(np.count_nonzero(schedule.operations["rank"][:i] == op["rank"])),
        "kind": KINDS[op["kind"]],
        "bytes": int(op["bytes"]) if message else None,
        "peer": known("peer"),
        "tag": known("tag"),
    }


def describe(schedule: Schedule, i: int) -> str:
    """Return one phrase for operation `i`, such as 'rank 0 operation 2 recv 10 bytes from rank 1 tag 5'."""
    known = identify(schedule, i)
    text = f"rank {known['rank']} operation {known['operation']} {known['kind']}"
    if known["bytes"] is None:
        return text
    peer = "any rank" if known["peer"] is None else f"rank {known['peer']}"
    tag = "any tag" if known["tag"] is None else f"tag {known['tag']}"
    return f"{text} {known['bytes']} bytes {'to' if known['kind'] == KINDS[SEND] else 'from'} {peer} {tag}"
