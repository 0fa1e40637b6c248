"""What a trace amounts to: collectives by type and group size, messages, and what was not used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from emulation.workloads.imports.trace import CALC, MOST_SKIPPED, P2P, Call, RankTrace, Trace

Key = tuple[Any, ...]


def summary(trace: Trace) -> dict[str, Any]:
    """Return the contents of a trace as plain data.

    `collectives`: per type and group size, `count` collectives, each counted once for its group however many of
    its members were recorded, and the bytes that one member puts in and gets out in all of them (the largest
    where members differ; null where the trace does not tell). `p2p`: messages, each counted once if both ends
    were recorded. `skipped`: entries that were not used, by name and reason. `by_rank` has the calls of each
    recorded rank, `notes` what was assumed.
    """
    skipped: Counter[tuple[str, str]] = Counter()
    for rank in trace.ranks:
        skipped.update(rank.skipped)
    rows = [{"name": n, "reason": why, "count": k} for (n, why), k in skipped.most_common()]
    if len(rows) > MOST_SKIPPED:
        rest = [k for _, k in skipped.most_common()[MOST_SKIPPED - 1 :]]
        rows[MOST_SKIPPED - 1 :] = [{"name": "others", "reason": f"{len(rest)} more kinds", "count": sum(rest)}]
    return {
        "format": trace.format,
        "ranks": trace.n_ranks,
        "recorded_ranks": [rank.rank for rank in trace.ranks],
        "collectives": _collectives(trace),
        "p2p": _messages(trace.ranks),
        "calc_us": sum(call.duration_us for rank in trace.ranks for call in rank.calls if call.kind == CALC),
        "skipped": rows,
        "notes": sorted({note for rank in trace.ranks for note in rank.notes}),
        "by_rank": [
            {
                "rank": rank.rank,
                "source": rank.source,
                "collectives": _rows(_sums(_grouped(rank, by_group=False))),
                "p2p": _messages([rank]),
            }
            for rank in trace.ranks
        ],
    }


def _collectives(trace: Trace) -> list[dict[str, Any]]:
    """Count a collective once: of all members of a group the one with the most calls and bytes tells them."""
    of_group: dict[Key, list[int | None]] = {}
    for rank in trace.ranks:
        for key, sums in _sums(_grouped(rank, by_group=True)).items():
            of_group[key] = [_most(a, b) for a, b in zip(of_group.get(key, [0, 0, 0]), sums, strict=True)]
    total: dict[Key, list[int | None]] = {}
    for (kind, size, _), sums in of_group.items():
        total[kind, size] = [_plus(a, b) for a, b in zip(total.get((kind, size), [0, 0, 0]), sums, strict=True)]
    return _rows(total)


def _grouped(rank: RankTrace, by_group: bool) -> dict[Key, list[Call]]:
    found: dict[Key, list[Call]] = {}
    for call in rank.calls:
        if call.kind == CALC or call.kind in P2P:
            continue
        key: Key = (call.kind, call.group.size)
        found.setdefault((*key, call.group.ranks or call.group.name) if by_group else key, []).append(call)
    return found


def _sums(calls: dict[Key, list[Call]]) -> dict[Key, list[int | None]]:
    """Return number, bytes in and bytes out of the calls of each key."""
    return {
        key: [len(found), _total(c.bytes_in for c in found), _total(c.bytes_out for c in found)]
        for key, found in calls.items()
    }


def _total(values: Iterable[int | None]) -> int | None:
    total: int | None = 0
    for value in values:
        total = _plus(total, value)
    return total


def _plus(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _most(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else max(a, b)


def _rows(sums: dict[Key, list[int | None]]) -> list[dict[str, Any]]:
    return [
        {"type": kind, "count": count, "bytes_in": put, "bytes_out": got, "group_size": size}
        for (kind, size), (count, put, got) in sorted(sums.items(), key=lambda row: (row[0][0], row[0][1] or 0))
    ]


def _messages(ranks: Iterable[RankTrace]) -> dict[str, Any]:
    """Count messages: of the two ends of a message that were both recorded one counts."""
    sends: Counter[Key] = Counter()
    recvs: Counter[Key] = Counter()
    n_bytes: Counter[Key] = Counter()
    alone = alone_bytes = n_sends = n_recvs = 0
    for rank in ranks:
        for call in rank.calls:
            if call.kind not in P2P:
                continue
            send = call.kind == "send"
            n_sends, n_recvs = n_sends + send, n_recvs + (not send)
            moved = (call.bytes_in if send else call.bytes_out) or 0
            if call.peer is None:
                alone, alone_bytes = alone + 1, alone_bytes + moved
                continue
            key = (rank.rank, call.peer, call.tag, moved) if send else (call.peer, rank.rank, call.tag, moved)
            (sends if send else recvs)[key] += 1
            n_bytes[key] = moved
    once = {key: max(sends[key], recvs[key]) for key in n_bytes}
    return {
        "count": sum(once.values()) + alone,
        "bytes": sum(count * n_bytes[key] for key, count in once.items()) + alone_bytes,
        "sends": n_sends,
        "recvs": n_recvs,
    }
