"""A trace as a schedule: the calls of the ranks are matched, and each collective becomes its messages.

The k-th collective of a group at one member meets the k-th at every other. A call waits for the call before
it, unless the trace tells dependencies or times; sends and receives in a row run side by side.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from emulation.workloads.imports.trace import CALC, P2P, Call, RankTrace, Trace
from uet.base.errors import BadInput
from uet.base.units import PS_PER_US
from uet.schedule import model
from uet.schedule.collectives.library import ROOTED, collective
from uet.schedule.compose import Composer
from uet.schedule.model import Schedule

Place = tuple[int, int]
"""A call: place of its rank in the trace, and its own place among the rank's calls."""


def trace_schedule(trace: Trace) -> Schedule:
    """Return the schedule of a recorded job.

    Raises BadInput if ranks are missing (one rank stands for all if its calls are all of all ranks), if the
    group of a call is not known, or if the calls of a group's members do not match.
    """
    trace = _all_ranks(trace)
    composer = Composer(trace.name, trace.n_ranks)
    traced = trace.ranks
    entries, exits = _own_operations(composer, traced)
    for kind, members in _matched(traced):
        calls = [traced[r].calls[k] for r, k in members]
        part = _messages_of(kind, calls, trace.name)
        ranks = [traced[r].rank for r, _ in members]
        if part is not None:
            composer.put(part, ranks, [entries[m] for m in members], [exits[m] for m in members])
    return composer.build()


def _all_ranks(trace: Trace) -> Trace:
    """Return the trace with all ranks of the job, copies of the one that was recorded if it may stand for them."""
    missing = trace.n_ranks - len(trace.ranks)
    if not missing:
        return trace
    only = trace.ranks[0]
    if len(trace.ranks) > 1 or not all(_stands_for_all(c, trace) for c in only.calls):
        raise BadInput(
            f"{trace.name}: {missing} of {trace.n_ranks} ranks were not recorded, so their calls cannot be matched; "
            "give the folder with the files of all ranks"
        )
    ranks = (replace(only, rank=r, calls=[_seen_by(r, c) for c in only.calls]) for r in range(trace.n_ranks))
    return replace(trace, ranks=tuple(ranks))


def _stands_for_all(call: Call, trace: Trace) -> bool:
    """Tell whether the call of one rank tells those of all: it is of all ranks, or of a grid as AICB has it."""
    if call.kind == CALC:
        return True
    return call.kind not in P2P and (call.group.size == trace.n_ranks or (trace.format == "aicb" and _grid(call) > 0))


def _grid(call: Call) -> int:
    """Return the step between the ranks of a group that starts at rank 0, 0 if it is not known."""
    ranks = call.group.ranks or ()
    return ranks[1] - ranks[0] if len(ranks) > 1 else len(ranks)


def _seen_by(rank: int, call: Call) -> Call:
    """Return what rank 0's call is at another rank of the same grid."""
    ranks, step = call.group.ranks, _grid(call)
    if not ranks or not step:
        return call
    first = rank - rank // step % len(ranks) * step
    return replace(call, group=replace(call.group, ranks=tuple(r + first for r in ranks)))


def _own_operations(composer: Composer, ranks: Sequence[RankTrace]) -> tuple[dict[Place, int], dict[Place, int]]:
    """Add what a rank does alone, and two joins around what it does with others; return first and last operations."""
    entries: dict[Place, int] = {}
    exits: dict[Place, int] = {}
    for r, rank in enumerate(ranks):
        for k, (call, after) in enumerate(zip(rank.calls, _waits(rank.calls), strict=True)):
            before = [exits[r, a] for a in after]
            if call.kind == CALC:
                first = last = composer.add(
                    model.CALC, rank.rank, before, duration_ps=round(call.duration_us * PS_PER_US)
                )
            elif call.kind in P2P:
                first = last = _message(composer, rank, call, before)
            else:
                first = composer.join(rank.rank, before)
                last = composer.join(rank.rank, [first])
            entries[r, k], exits[r, k] = first, last
    return entries, exits


def _message(composer: Composer, rank: RankTrace, call: Call, before: list[int]) -> int:
    if call.peer is None:
        raise BadInput(f"{rank.source}: a {call.kind} does not tell its other side; it cannot be matched")
    send = call.kind == "send"
    return composer.add(
        model.SEND if send else model.RECV, rank.rank, before, peer=call.peer, tag=call.tag,
        bytes=call.bytes_in if send else call.bytes_out,
    )  # fmt: skip


def _waits(calls: list[Call]) -> Iterator[tuple[int, ...]]:
    """Yield for each call the places of those it waits for; neighbouring sends and receives are one batch."""
    batch: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    for k, call in enumerate(calls):
        if call.after is not None:
            yield call.after
        elif call.kind in P2P:
            yield before
            batch = (*batch, k)
        else:
            yield batch or before
            batch, before = (), (k,)


def _matched(ranks: Sequence[RankTrace]) -> Iterator[tuple[str, list[Place]]]:
    """Yield every collective with the places of its members' calls, in the order of the group."""
    place_of = {rank.rank: r for r, rank in enumerate(ranks)}
    queues: dict[tuple[int, ...], dict[int, list[int]]] = {}
    for r, rank in enumerate(ranks):
        for k, call in enumerate(rank.calls):
            if call.kind == CALC or call.kind in P2P or call.group.size == 1:
                continue
            if call.group.ranks is None or rank.rank not in call.group.ranks:
                raise BadInput(f"{rank.source}: call {k} ({call.kind}) does not tell the ranks of its group")
            queues.setdefault(call.group.ranks, {}).setdefault(r, []).append(k)
    for group, of_member in queues.items():
        members = [place_of[rank] for rank in group]
        lengths = {r: len(of_member.get(r, [])) for r in members}
        if len(set(lengths.values())) > 1:
            least, most = min(members, key=lambda r: lengths[r]), max(members, key=lambda r: lengths[r])
            raise BadInput(
                f"{ranks[least].source}: has {lengths[least]} collectives of group {_short(group)} but "
                f"{ranks[most].source} has {lengths[most]}; were all ranks recorded for the same time?"
            )
        for number in range(lengths[members[0]]):
            places = [(r, of_member[r][number]) for r in members]
            kinds = {ranks[r].calls[k].kind: ranks[r].source for r, k in places}
            if len(kinds) > 1:
                (a, b), (at, there) = list(kinds)[:2], list(kinds.values())[:2]
                raise BadInput(f"{at}: collective {number} of group {_short(group)} is {a}, in {there} it is {b}")
            yield next(iter(kinds)), places


def _short(group: tuple[int, ...]) -> str:
    return str(list(group)) if len(group) <= 8 else f"[{group[0]}, {group[1]}, ..., {group[-1]}]"


def _messages_of(kind: str, calls: list[Call], name: str) -> Schedule | None:
    """Return the schedule of one collective among its members, None if it moves nothing.

    Where members differ (alltoallv) all move what the largest does.
    """
    n = len(calls)
    put, got = (max((v or 0 for v in values), default=0) for values in _columns(calls))
    size = {"allgather": put * n, "gather": put * n, "scatter": got * n, "barrier": 1}.get(kind, put)
    if size == 0:
        return None
    ranks = calls[0].group.ranks or ()
    root = calls[0].root
    return _collective(kind, n, size, ranks.index(root) if root in ranks else 0)


def _columns(calls: list[Call]) -> tuple[list[int | None], list[int | None]]:
    return [c.bytes_in for c in calls], [c.bytes_out for c in calls]


@cache
def _collective(kind: str, n: int, size: int, root: int) -> Schedule:
    return collective(kind, None, n, size, "uint8", root if kind in ROOTED else 0)
