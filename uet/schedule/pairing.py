"""Which receive takes which send, when that is known before the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.schedule.model import ANY, RECV, SEND, Index, Schedule
from uet.schedule.naming import describe

_KEY_LIMIT = 2**63


def pair(schedule: Schedule) -> Index:
    """Return for each operation the operation at the other end, -1 for local ones, shape [n].

    The k-th send from a to b with tag t meets the k-th receive of b from a with tag t. Raises BadInput
    naming the first operation without a partner, a length that differs, or a receive from anybody.
    """
    if has_wildcards(schedule):
        raise BadInput(
            f"{schedule.name}: receives from any source or with any tag are matched only while the schedule "
            "runs; give them a source and a tag, or use the loggops backend"
        )
    send_index, send_keys = _sorted_ends(schedule, SEND, "rank", "peer")
    recv_index, recv_keys = _sorted_ends(schedule, RECV, "peer", "rank")
    if not np.array_equal(send_keys, recv_keys):
        first = next(_unpaired(schedule, send_index, send_keys, recv_index, recv_keys))
        raise BadInput(f"{schedule.name}: {first}")
    differ = next(_differing(schedule, send_index, recv_index), None)
    if differ:
        raise BadInput(f"{schedule.name}: {differ}")
    partner = np.full(len(schedule.operations), -1, np.int64)
    partner[send_index], partner[recv_index] = recv_index, send_index
    return partner


def mismatches(schedule: Schedule) -> Iterator[str]:
    """Yield one sentence per (source, target, tag) with unequal numbers of sends and receives, else per
    message whose lengths differ. Messages of ranks that have wildcard receives are left to the run.
    """
    open_ranks = np.unique(schedule.operations["rank"][wildcards(schedule)])
    send_index, send_keys = _sorted_ends(schedule, SEND, "rank", "peer")
    recv_index, recv_keys = _sorted_ends(schedule, RECV, "peer", "rank")
    keep = [~np.isin(keys[:, 1], open_ranks) for keys in (send_keys, recv_keys)]
    send_index, send_keys = send_index[keep[0]], send_keys[keep[0]]
    recv_index, recv_keys = recv_index[keep[1]], recv_keys[keep[1]]
    if np.array_equal(send_keys, recv_keys):
        yield from _differing(schedule, send_index, recv_index)
    else:
        yield from _unpaired(schedule, send_index, send_keys, recv_index, recv_keys)


def has_wildcards(schedule: Schedule) -> bool:
    """Tell whether some receive takes any source or any tag."""
    return bool(np.any(wildcards(schedule)))


def wildcards(schedule: Schedule) -> NDArray[np.bool_]:
    """Tell for each operation whether it is a receive from any source or with any tag, shape [n]."""
    ops = schedule.operations
    found: NDArray[np.bool_] = (ops["kind"] == RECV) & ((ops["peer"] == ANY) | (ops["tag"] == ANY))
    return found


def _sorted_ends(schedule: Schedule, kind: int, source: str, target: str) -> tuple[Index, NDArray[np.int64]]:
    """Return the operations of a kind sorted by (source, target, tag, number), and those three, shape [k, 3]."""
    ops = schedule.operations
    index = np.flatnonzero(ops["kind"] == kind)
    a, b, tag = (ops[name][index].astype(np.int64) for name in (source, target, "tag"))
    tags = int(tag.max(initial=0)) + 1
    if schedule.n_ranks**2 * tags < _KEY_LIMIT and min(a.min(initial=0), tag.min(initial=0)) >= 0:
        order = np.argsort((a * schedule.n_ranks + b) * tags + tag, kind="stable")
    else:
        order = np.lexsort((tag, b, a))
    return index[order], np.stack([a[order], b[order], tag[order]], axis=1)


def _unpaired(
    schedule: Schedule, send_index: Index, send_keys: NDArray[np.int64], recv_index: Index, recv_keys: NDArray[np.int64]
) -> Iterator[str]:
    """Name the first operation without partner of each key that has one."""
    sends, recvs = Counter(map(tuple, send_keys.tolist())), Counter(map(tuple, recv_keys.tolist()))
    for surplus, index, keys, fix in (
        (sends - recvs, send_index, send_keys, "receive"),
        (recvs - sends, recv_index, recv_keys, "send"),
    ):
        for key, count in surplus.items():
            alike = index[np.all(keys == key, axis=1)]
            many = "" if count == 1 else f" (nor have {count - 1} like it)"
            yield f"{describe(schedule, int(alike[-count]))} has no matching {fix}{many}; add it"


def _differing(schedule: Schedule, sends: Index, recvs: Index) -> Iterator[str]:
    n_bytes = schedule.operations["bytes"]
    for k in np.flatnonzero(n_bytes[sends] != n_bytes[recvs]).tolist():
        send, recv = describe(schedule, int(sends[k])), describe(schedule, int(recvs[k]))
        yield f"{send} meets {recv}; make the lengths equal"
