"""What every importer makes of a trace: the calls of each recorded rank, and what it could not use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from uet.base.errors import BadInput

SEND, RECV, CALC = "send", "recv", "calc"
P2P = (SEND, RECV)

MOST_BYTES, MOST_RANKS, LONGEST_US = 2**50, 2**24, 1e12
"""Beyond these a number in a trace is taken for damage: 1 PiB a message, 16 M ranks, 11 days."""

MOST_SKIPPED = 50
"""Kinds of skipped entries that a summary lists."""


@dataclass(frozen=True)
class Group:
    """The ranks that take part in a call, as far as a trace tells: their number, their names, its own name."""

    size: int | None = None
    ranks: tuple[int, ...] | None = None
    name: str = ""


@dataclass(frozen=True)
class Call:
    """One call of one rank: a collective, a send or receive, or a computation between them.

    `bytes_in` is what the rank puts in, `bytes_out` what it gets out, None where the trace does not tell.
    `peer` and `root` are ranks of the whole job. `after` are positions in the rank's list that must be done
    first; None is the call before it. `duration_us` counts for computations.
    """

    kind: str
    bytes_in: int | None = 0
    bytes_out: int | None = 0
    group: Group = Group()
    peer: int | None = None
    tag: int = 0
    root: int | None = None
    start_us: float = 0.0
    duration_us: float = 0.0
    after: tuple[int, ...] | None = None


@dataclass
class RankTrace:
    """What one file tells: the calls of one rank in the order they were made, and entries left out by reason.

    `groups` are those of the job by name; `notes` say what was assumed because the file does not tell it.
    """

    rank: int
    source: str
    calls: list[Call] = field(default_factory=list)
    world_size: int | None = None
    groups: dict[str, tuple[int, ...]] = field(default_factory=dict)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: set[str] = field(default_factory=set)

    def skip(self, name: str, reason: str, count: int = 1) -> None:
        """Note that entries called `name` were not used, and why."""
        self.skipped[name, reason] += count


@dataclass(frozen=True)
class Trace:
    """A recorded job: its format, number of ranks, and the traces of the ranks at hand, in rank order."""

    name: str
    format: str
    n_ranks: int
    ranks: tuple[RankTrace, ...]


def job(name: str, form: str, traces: Iterable[RankTrace]) -> Trace:
    """Put the traces of ranks together. Raises BadInput if two are of the same rank or disagree about the job."""
    ranks = tuple(sorted(traces, key=lambda t: t.rank))
    for one, other in pairwise(ranks):
        if one.rank == other.rank:
            raise BadInput(f"{other.source}: is of rank {other.rank}, as is {one.source}; keep one file per rank")
    worlds = {t.world_size: t.source for t in ranks if t.world_size is not None}
    if len(worlds) > 1:
        (a, b), (at, there) = list(worlds)[:2], list(worlds.values())[:2]
        raise BadInput(f"{name}: {at} is of a job of {a} ranks, {there} of {b}; keep the files of one job")
    mentioned = [r for t in ranks for call in t.calls for r in _mentioned(call)]
    n_ranks = max([len(ranks), *worlds, *(t.rank + 1 for t in ranks), *(r + 1 for r in mentioned)])
    if worlds and n_ranks > next(iter(worlds)):
        raise BadInput(f"{name}: the job has {next(iter(worlds))} ranks but rank {n_ranks - 1} takes part; check it")
    everyone = tuple(range(n_ranks))
    for trace in ranks:  # a group as large as the job is known by its size
        trace.calls = [
            replace(c, group=replace(c.group, ranks=everyone)) if c.group.size == n_ranks and not c.group.ranks else c
            for c in trace.calls
        ]
    return Trace(name, form, n_ranks, ranks)


def _mentioned(call: Call) -> tuple[int, ...]:
    others = tuple(r for r in (call.peer, call.root) if r is not None)
    return others + (call.group.ranks or ())


def whole(value: object, where: str, most: int = MOST_BYTES) -> int:
    """Return a count that a trace gives as a number or text. Raises BadInput at `where` if it cannot be one."""
    try:
        number = int(value) if isinstance(value, int | str) else int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"{where} is {str(value)[:40]!r}; expected a whole number") from None
    if isinstance(value, float) and value != number:
        raise BadInput(f"{where} is {value}; expected a whole number")
    if not 0 <= number <= most:
        raise BadInput(f"{where} is {number}; expected 0 to {most}, the file may be damaged")
    return number


def microseconds(value: object, where: str) -> float:
    """Return a time in us. Raises BadInput at `where` if it is none."""
    try:
        time = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise BadInput(f"{where} is {str(value)[:40]!r}; expected microseconds") from None
    if not abs(time) < float("inf"):
        raise BadInput(f"{where} is {value}; expected microseconds")
    return time
