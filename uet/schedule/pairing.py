"""Which receive takes which send, when that is known before the run."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from uet.base.errors import BadInput
from uet.schedule.model import ANY, RECV, SEND, Index, Schedule

_KEY_LIMIT = 2**63


def pair(schedule: Schedule) -> Index:
    """Return for each operation the operation at the other end, -1 for local ones, shape [n].

    The k-th send from a to b with tag t meets the k-th receive of b from a with tag t. Raises BadInput
    naming the first operation without a partner, a length that differs, or a receive from anybody.
    """
    ops = schedule.operations
    recvs = ops[ops["kind"] == RECV]
    if np.any((recvs["peer"] == ANY) | (recvs["tag"] == ANY)):
        raise BadInput(
            f"{schedule.name}: receives from any source or with any tag are matched only while the schedule "
            "runs; give them a source and a tag, or use the loggops backend"
        )
    send_index, send_keys = _sorted_ends(schedule, SEND, "rank", "peer")
    recv_index, recv_keys = _sorted_ends(schedule, RECV, "peer", "rank")
    if not np.array_equal(send_keys, recv_keys):
        raise BadInput(_first_unpaired(schedule.name, send_keys, recv_keys))
    differ = np.flatnonzero(ops["bytes"][send_index] != ops["bytes"][recv_index])
    if len(differ):
        s, r = ops[send_index[differ[0]]], ops[recv_index[differ[0]]]
        raise BadInput(
            f"{schedule.name}: rank {s['rank']} sends {s['bytes']} bytes to rank {s['peer']} (tag {s['tag']}) "
            f"but the receive expects {r['bytes']}; make them equal"
        )
    partner = np.full(len(ops), -1, np.int64)
    partner[send_index], partner[recv_index] = recv_index, send_index
    return partner


def _sorted_ends(schedule: Schedule, kind: int, source: str, target: str) -> tuple[Index, NDArray[np.int64]]:
    """Return the operations of a kind sorted by (source, target, tag, number), and those three, shape [k, 3]."""
    ops = schedule.operations
    index = np.flatnonzero(ops["kind"] == kind)
    a, b, tag = (ops[name][index].astype(np.int64) for name in (source, target, "tag"))
    tags = int(tag.max(initial=0)) + 1
    if schedule.n_ranks**2 * tags < _KEY_LIMIT and tag.min(initial=0) >= 0:
        order = np.argsort((a * schedule.n_ranks + b) * tags + tag, kind="stable")
    else:
        order = np.lexsort((tag, b, a))
    return index[order], np.stack([a[order], b[order], tag[order]], axis=1)


def _first_unpaired(name: str, sends: NDArray[np.int64], recvs: NDArray[np.int64]) -> str:
    left, right = Counter(map(tuple, sends.tolist())), Counter(map(tuple, recvs.tolist()))
    surplus = left - right
    what, fix = ("send", "receive") if surplus else ("receive", "send")
    a, b, tag = next(iter(surplus or right - left))
    return f"{name}: a {what} from rank {a} to rank {b} with tag {tag} has no matching {fix}; add it"
