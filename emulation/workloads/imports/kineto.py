"""PyTorch profiler traces (Kineto): the calls of one rank from one JSON document.

A trace tells of a call up to four times, from the program down to the device. The first level that tells
sizes is used; where two tell of the same call it counts once:

1. `record_param_comms` with a "Collective name": type, element counts, group (PyTorch 2.2 and later, NCCL);
   kernels that carry the same fields and whose host event lies outside the trace count as well;
2. the operators `c10d::...`, with the shapes of their tensors;
3. annotations `nccl:...` or `gloo:...`, with the shape of their input;
4. kernels that carry nothing but a name, which tell no size and are reported as skipped.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from emulation.workloads.imports.names import bytes_in_of, bytes_out_of, element_bytes, kind_of
from emulation.workloads.imports.operators import Operator, in_and_out, operator_peer, operator_root
from emulation.workloads.imports.timeline import timeline
from emulation.workloads.imports.trace import MOST_RANKS, P2P, Call, Group, RankTrace, microseconds, whole
from uet.base.errors import BadInput

RECORD = "record_param_comms"
GROUP_MARK = "uet:group "
"""Start of the annotations by which `uet workload record` tells the ranks of the group that a call is made in."""

_ANNOTATION = re.compile(r"(nccl|gloo|ucc|mpi|xccl|rccl|hccl):(.+)")
_KERNEL = re.compile(r"(nccl|rccl|msccl)", re.IGNORECASE)
_INSIDE = {("reducescatter", "allreduce")}
"""Collectives that gloo carries out by another one."""

_NO_SIZES = "a device kernel tells no sizes; its host event counts where there is one"


def is_kineto(document: Any) -> bool:
    """Tell whether a JSON document is a trace of the PyTorch profiler."""
    return isinstance(document, dict) and "traceEvents" in document


def read_kineto(document: dict[str, Any], source: str, rank: int) -> RankTrace:
    """Return the calls that a trace tells; `rank` holds where the document does not say it.

    Raises BadInput naming `source`, the event and the field of what cannot be right.
    """
    if document.get("schemaVersion", 1) != 1:
        raise BadInput(f"{source}: schemaVersion is {document['schemaVersion']!r}; uet reads version 1")
    if not isinstance(document["traceEvents"], list):
        raise BadInput(f"{source}: traceEvents is not a list; is this a trace of the PyTorch profiler?")
    return _Reader(document, source, rank).read()


class _Reader:
    """The events of a trace that speak of communication, by level."""

    def __init__(self, document: dict[str, Any], source: str, rank: int) -> None:
        self.source = source
        self.trace = _job_facts(document.get("distributedInfo"), source, rank)
        self.records: list[_Event] = []
        self.operators: list[_Event] = []
        self.annotations: list[_Event] = []
        self.kernels: list[_Event] = []
        self.marks: list[_Event] = []
        for number, event in enumerate(document["traceEvents"]):
            if not isinstance(event, dict):
                raise BadInput(f"{source}: event {number} is not a mapping; the file may be damaged")
            if event.get("ph") == "X":
                self._sort(_Event(number, event, source))

    def _sort(self, event: _Event) -> None:
        name, category = event.name, event.category
        if name == RECORD and "Collective name" in event.arguments:
            self.records.append(event)
        elif name.startswith("c10d::"):
            self.operators.append(event)
        elif name.startswith(GROUP_MARK):
            self.marks.append(event)
        elif category in ("user_annotation", "cpu_op") and _ANNOTATION.match(name):
            self.annotations.append(event)
        elif category == "kernel" and _KERNEL.match(name):
            self.kernels.append(event)

    def read(self) -> RankTrace:
        """Return the calls of the first level that tells sizes, in order of time."""
        if self.records or any("Collective name" in k.arguments for k in self.kernels):
            calls = [*self._recorded(), *self._annotated([a for a in self.annotations if a.name.startswith("gloo:")])]
        else:
            calls = [*self._operated()]
            for kernel in self.kernels:
                self.trace.skip(kernel.name.partition("(")[0], _NO_SIZES)
        self.trace.calls = timeline(calls)
        return self.trace

    def _recorded(self) -> Iterator[Call]:
        by_id = {k.arguments["External id"]: k for k in self.kernels if "External id" in k.arguments}
        seen = {r.arguments.get("External id") for r in self.records}
        for record in self.records:
            yield from self._record(record, by_id.get(record.arguments.get("External id"), record))
        joined = not self.records or any(number in seen for number in by_id)
        for kernel in self.kernels:
            if kernel.arguments.get("External id") in seen:
                continue
            if joined and "Collective name" in kernel.arguments:
                yield from self._record(kernel, kernel)
            else:
                self.trace.skip(kernel.name.partition("(")[0], _NO_SIZES)

    def _record(self, event: _Event, timed: _Event) -> Iterator[Call]:
        """Yield the call that a record's fields tell; `timed` says when it ran."""
        fields = event.arguments
        name = str(fields["Collective name"])
        kind = kind_of(name)
        if kind is None or kind == "sendrecv":
            self.trace.skip(name, "moves no data of its own")
            return
        size = element_bytes(fields.get("dtype"))
        if size is None:
            self.trace.skip(name, f"element type {fields.get('dtype')!r} is unknown")
            return
        put, got = (event.count(f"{side} msg nelems") * size for side in ("In", "Out"))
        group = self._group(event)
        peer = root = None
        if kind in P2P:
            peer = event.rank("Dst Rank" if kind == "send" else "Src Rank")
            put, got = (max(put, got), 0) if kind == "send" else (0, max(put, got))
        elif kind in ("broadcast", "reduce", "gather", "scatter") and group.ranks:
            place = event.rank("Rank")
            root = group.ranks[place] if place is not None and place < len(group.ranks) else None
        yield Call(kind, put, got, group, peer, root=root, start_us=timed.start_us, duration_us=timed.duration_us)

    def _group(self, event: _Event) -> Group:
        fields = event.arguments
        name = str(fields.get("Process Group Name", fields.get("Process Group ID", "")))
        size = event.rank("Group size") or None
        ranks = _rank_list(fields.get("Process Group Ranks"))
        if ranks is None or len(ranks) != size:
            ranks = self.trace.groups.get(name)
        start, stride = fields.get("Global rank start"), fields.get("Global rank stride")
        if (ranks is None or len(ranks) != size) and size and isinstance(start, int) and isinstance(stride, int):
            ranks = tuple(range(start, start + size * stride, stride)) if stride > 0 and start >= 0 else None
        return Group(size, ranks if ranks and len(ranks) == size else None, name)

    def _operated(self) -> Iterator[Call]:
        """Yield the calls of operators, each joined with its annotation, and of annotations on their own."""
        operators = sorted((o for o in self.operators if kind_of(o.name)), key=lambda o: o.start_us)
        waiting = list(operators)
        note_of: dict[int, _Event] = {}
        alone: list[_Event] = []
        for note in sorted(self.annotations, key=lambda a: a.start_us):
            own = next((o for o in waiting if o.start_us <= note.start_us and _made_by(note, o)), None)
            if own is None:
                alone.append(note)
            else:
                waiting.remove(own)
                note_of[own.number] = note
        for event in operators:
            yield from self._operator(event, note_of.get(event.number))
        yield from self._annotated(alone)

    def _operator(self, event: _Event, note: _Event | None) -> Iterator[Call]:
        group = self._group_around(event)
        operator = Operator(event.name, event.shapes, event.types, event.arguments.get("Concrete Inputs") or [])
        kind, listed = kind_of(event.name) or "", note.element_bytes if note else None
        put, got = in_and_out(kind, operator.bytes_of(0, listed), operator.bytes_of(1, listed), group.size)
        if note is not None and put is None and kind == kind_of(note.name):
            put, got = self._note_bytes(kind, note, group.size)
        if put is None and got is None:
            self.trace.skip(event.name, "neither the shapes nor the type of its tensors are recorded")
            return
        duration = max(event.duration_us, note.end_us - event.start_us if note else 0.0)
        peer, tag = operator_peer(operator, kind)
        yield Call(
            kind, put, got, group, self._global(group, peer), tag, self._global(group, operator_root(operator, kind)),
            event.start_us, duration,
        )  # fmt: skip

    def _global(self, group: Group, place: int | None) -> int | None:
        """Return the rank of the job at a place of a group."""
        return group.ranks[place] if place is not None and group.ranks and place < len(group.ranks) else None

    def _group_around(self, event: _Event) -> Group:
        """Return the group that an operator is called in: of the mark around it, or the only one there is."""
        around = [m for m in self.marks if m.thread == event.thread and m.start_us <= event.start_us <= m.end_us]
        if not around:
            return self._only_group()
        ranks = _rank_list(max(around, key=lambda m: m.start_us).name.removeprefix(GROUP_MARK))
        return Group(len(ranks), ranks) if ranks else Group()

    def _only_group(self) -> Group:
        known = set(self.trace.groups.values())
        if len(known) == 1:
            ranks = next(iter(known))
            return Group(len(ranks), ranks)
        if known or not self.trace.world_size:
            self.trace.notes.add("the group of a call is not recorded and there are several; its size is unknown")
            return Group()
        self.trace.notes.add(f"groups are not recorded; calls count as made by all {self.trace.world_size} ranks")
        return Group(self.trace.world_size)

    def _annotated(self, notes: list[_Event]) -> Iterator[Call]:
        for note in notes:
            group = self._only_group()
            kind = kind_of(note.name)
            if kind is None or kind == "sendrecv":
                self.trace.skip(note.name, "is no collective that uet knows")
                continue
            put, got = (0, 0) if kind == "barrier" else self._note_bytes(kind, note, group.size)
            if put is None and got is None:
                self.trace.skip(note.name, "the shape or type of its tensor is not recorded")
                continue
            peers = re.findall(r"\d+", note.name) if kind in P2P else []
            peer = self._global(group, int(peers[-1])) if peers else None
            if kind in P2P:
                put, got = (put, 0) if kind == "send" else (0, put)
            yield Call(kind, put, got, group, peer, start_us=note.start_us, duration_us=note.duration_us)

    def _note_bytes(self, kind: str, note: _Event, size: int | None) -> tuple[int | None, int | None]:
        """Return bytes in and out of a call whose annotation has one shape: of what a scatter gets, others put."""
        element = note.element_bytes
        if element is None or not note.shapes:
            return None, None
        n_bytes = note.elements(0) * element
        if kind == "scatter":
            return bytes_in_of(kind, n_bytes, size), n_bytes
        return n_bytes, bytes_out_of(kind, n_bytes, size)


class _Event:
    """One complete event, with readers that name it where a field is wrong."""

    def __init__(self, number: int, event: dict[str, Any], source: str) -> None:
        self.number = number
        self.where = f"{source}: event {number}"
        self.name = str(event.get("name", ""))
        self.category = event.get("cat")
        self.thread = (event.get("pid"), event.get("tid"))
        arguments = event.get("args")
        self.arguments: dict[str, Any] = arguments if isinstance(arguments, dict) else {}
        self._event = event

    @property
    def start_us(self) -> float:
        return microseconds(self._event.get("ts", 0), f"{self.where}: ts")

    @property
    def duration_us(self) -> float:
        return max(microseconds(self._event.get("dur", 0), f"{self.where}: dur"), 0.0)

    @property
    def end_us(self) -> float:
        return self.start_us + self.duration_us

    @property
    def shapes(self) -> list[Any]:
        shapes = self.arguments.get("Input Dims")
        return self._checked(shapes) if isinstance(shapes, list) else []

    def _checked(self, shapes: list[Any]) -> list[Any]:
        where = f"{self.where} ({self.name}): 'Input Dims'"
        return [self._checked(s) if isinstance(s, list) else whole(s, where) for s in shapes]

    @property
    def types(self) -> list[str]:
        types = self.arguments.get("Input type")
        return [str(t) for t in types] if isinstance(types, list) else []

    @property
    def element_bytes(self) -> int | None:
        return element_bytes(self.types[0]) if self.types else None

    def elements(self, place: int) -> int:
        return whole(math.prod(self.shapes[place]), f"{self.where} ({self.name}): the elements")

    def count(self, key: str) -> int:
        return whole(self.arguments.get(key, 0), f"{self.where} ({self.arguments.get('Collective name')}): '{key}'")

    def rank(self, key: str) -> int | None:
        value = self.arguments.get(key)
        return None if value in (None, -1) else whole(value, f"{self.where}: '{key}'", MOST_RANKS)


def _made_by(note: _Event, operator: _Event) -> bool:
    """Tell whether an annotation can be of the call of an operator; calls are carried out in their order."""
    kind, wanted = kind_of(note.name), kind_of(operator.name)
    if kind != wanted:
        return (wanted, kind) in _INSIDE and note.name.startswith("gloo:")
    listed = operator.shapes[:1]
    if operator.types[:1] != ["TensorList"] or len(listed[0]) != 1 or not note.shapes:
        return True
    return bool(listed[0] == note.shapes[:1])


def _job_facts(info: Any, source: str, rank: int) -> RankTrace:
    """Return an empty trace with what distributedInfo tells of the job."""
    info = info if isinstance(info, dict) else {}
    if "rank" in info:
        rank = whole(info["rank"], f"{source}: distributedInfo.rank", MOST_RANKS)
    world = info.get("world_size")
    trace = RankTrace(rank, source)
    trace.world_size = None if world is None else whole(world, f"{source}: distributedInfo.world_size", MOST_RANKS)
    if "rank" in info and trace.world_size is not None and rank >= trace.world_size:
        raise BadInput(f"{source}: distributedInfo says rank {rank} of {trace.world_size}; ranks start at 0")
    for group in info.get("pg_config") or ():
        ranks = _rank_list(group.get("ranks")) if isinstance(group, dict) else None
        if ranks:
            trace.groups[str(group.get("pg_name", ""))] = ranks
    return trace


def _rank_list(value: Any) -> tuple[int, ...] | None:
    """Return a list of ranks given as such or as text, None if it is cut short with dots or is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if not isinstance(value, list) or not all(type(r) is int and 0 <= r <= MOST_RANKS for r in value):
        return None
    return tuple(value)
