"""PyTorch execution traces (host traces of Chakra, JSON): the calls of one rank, without times.

Calls are the nodes `record_param_comms`, whose inputs and attributes tell type, tensors and group; a trace
without them (gloo) tells its calls as operators `c10d::...`, else as annotations `nccl:...`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from emulation.workloads.imports.kineto import GROUP_MARK, RECORD
from emulation.workloads.imports.names import bytes_out_of, element_bytes, kind_of
from emulation.workloads.imports.operators import Operator, in_and_out, operator_peer, operator_root
from emulation.workloads.imports.trace import MOST_RANKS, P2P, Call, Group, RankTrace, whole
from uet.base.errors import BadInput

_VERSION = re.compile(r"1\.[01]\.\d+(-chakra\..+)?")
_GROUPS = "## process_group:init ##"


def is_execution_trace(document: Any) -> bool:
    """Tell whether a JSON document is an execution trace of PyTorch."""
    return isinstance(document, dict) and "nodes" in document and "schema" in document


def read_execution_trace(document: dict[str, Any], source: str, rank: int) -> RankTrace:
    """Return the calls of the rank that `document` is of.

    Raises BadInput naming `source` and the node of what is wrong: an unknown schema, parents in a circle,
    numbers that cannot be.
    """
    if not _VERSION.fullmatch(str(document["schema"])):
        raise BadInput(f"{source}: schema is {document['schema']!r}; uet reads 1.0 and 1.1 of PyTorch")
    if not isinstance(document["nodes"], list):
        raise BadInput(f"{source}: nodes is not a list; the file may be damaged")
    nodes = [_Node(number, node, source) for number, node in enumerate(document["nodes"])]
    return _Reader(sorted(nodes, key=lambda n: n.order), source, rank).read()


class _Reader:
    """The nodes of a trace in the order they were started, and what they tell of the job."""

    def __init__(self, nodes: list[_Node], source: str, rank: int) -> None:
        self.nodes = nodes
        self.by_id = {node.id: node for node in nodes}
        if len(self.by_id) < len(nodes):
            twin = next(n for n in nodes if self.by_id[n.id] is not n)
            raise BadInput(f"{twin.where}: id {twin.id} stands twice; the file may be damaged")
        self._check_parents()
        self.trace = RankTrace(rank, source)
        for node in nodes:
            if node.name == _GROUPS:
                self._take_groups(node)

    def _check_parents(self) -> None:
        """Raise BadInput if some node is its own ancestor; the root alone may be its own parent."""
        safe: set[int] = set()
        for node in self.nodes:
            path: list[int] = []
            on_path: set[int] = set()
            at: _Node | None = node
            while at is not None and at.id not in safe:
                if at.id in on_path:
                    raise BadInput(f"{at.where}: node {at.id} is its own ancestor; parents must not form a circle")
                path.append(at.id)
                on_path.add(at.id)
                at = None if at.parent == at.id else self.by_id.get(at.parent)
            safe.update(path)

    def _take_groups(self, node: _Node) -> None:
        try:
            groups = [group for text in node.values for group in json.loads(text)]
        except (TypeError, ValueError):
            raise BadInput(f"{node.where}: its list of groups cannot be read; the file may be damaged") from None
        for group in groups:
            size = whole(group.get("group_size", 0), f"{node.where}: group_size", MOST_RANKS)
            ranks = tuple(whole(r, f"{node.where}: ranks", MOST_RANKS) for r in group.get("ranks") or range(size))
            self.trace.groups[str(group.get("pg_name", ""))] = ranks
            if not group.get("ranks"):  # an empty list stands for all ranks of the job
                self.trace.world_size = size

    def read(self) -> RankTrace:
        """Return the calls of the first kind of node that there is."""
        records = [n for n in self.nodes if n.name == RECORD]
        operators = [n for n in self.nodes if n.name.startswith("c10d::") and kind_of(n.name)]
        notes = [n for n in self.nodes if re.match("(nccl|gloo|ucc|mpi):", n.name)]
        if records:
            calls = [*self._recorded(records), *self._noted([n for n in notes if n.name.startswith("gloo:")])]
        elif operators:
            calls = [*self._operated(operators)]
        else:
            calls = [*self._noted(notes)]
        self.trace.calls = calls
        return self.trace

    def _recorded(self, records: list[_Node]) -> Iterator[Call]:
        found = [record for node in records if (record := self._record(node)) is not None]
        sizes = {group.name: group.size for _, group in found if group.size}
        for call, group in found:
            size = group.size or sizes.get(group.name) or self._only_size(found)
            ranks = group.ranks if group.ranks and len(group.ranks) == size else None
            yield Call(
                call.kind, call.bytes_in, call.bytes_out, Group(size, ranks, group.name), call.peer, root=call.root
            )

    def _only_size(self, found: list[tuple[Call, Group]]) -> int | None:
        """Return the number of ranks of the job where all calls are of one group, None where it is not known."""
        return self.trace.world_size if len({group.name for _, group in found}) == 1 else None

    def _record(self, node: _Node) -> tuple[Call, Group] | None:
        """Return a call and what its record tells of the group, None if it moves nothing."""
        place = next((k for k, t in enumerate(node.types) if t == "String"), None)
        name = str(node.attributes.get("collective_name") or (node.values[place] if place is not None else ""))
        kind = kind_of(name)
        if kind is None or kind == "sendrecv":
            self.trace.skip(name or RECORD, "moves no data of its own")
            return None
        put, got = node.message_bytes("in", node.values[:place]), node.message_bytes("out", node.outputs)
        group = self._group(node, place)
        number = node.values[place - 1] if place else None
        number = number if type(number) is int and number >= 0 else None
        other = group.ranks[number] if number is not None and group.ranks and number < len(group.ranks) else None
        if kind in P2P:
            most = max(put, got)
            put, got = (most, 0) if kind == "send" else (0, most)
            return Call(kind, put, got, peer=other), group
        rooted = kind in ("broadcast", "reduce", "gather", "scatter")
        return Call(kind, put, got, root=other if rooted else None), group

    def _group(self, node: _Node, place: int | None) -> Group:
        """Return the group of a record from its attributes, else from its inputs: (seq, group, rank, name, ...)."""
        name, size = node.attributes.get("pg_name"), node.attributes.get("pg_size")
        start, stride = (node.attributes.get(f"global_rank_{word}") for word in ("start", "stride"))
        if place is not None and place >= 2:
            told = node.values[place - 2]
            name = name or str(told[0] if isinstance(told, list) and told else told)
            rest = node.values[place + 1 :]
            splits = max((len(v) for v in rest[:2] if isinstance(v, list)), default=0)
            if len(rest) >= 5:
                start, stride = rest[2:4]
            size = size or (rest[-1] if len(rest) > 2 else splits)
        size = whole(size or 0, f"{node.where}: group size", MOST_RANKS) or None
        ranks = self.trace.groups.get(str(name))
        if ranks is None and size and type(start) is int and type(stride) is int and start >= 0 and stride > 0:
            ranks = tuple(range(start, start + size * stride, stride))
        return Group(size, ranks if ranks and len(ranks) == size else None, str(name or ""))

    def _operated(self, operators: list[_Node]) -> Iterator[Call]:
        for node in operators:
            kind, group = kind_of(node.name) or "", self._group_around(node)
            first, second = (node.tensor_bytes(node.values[place : place + 1]) for place in (0, 1))
            put, got = in_and_out(kind, first, second, group.size)
            operator = Operator(node.name, [], [], node.values)
            peer, tag = operator_peer(operator, kind)
            root = operator_root(operator, kind)
            if put is None and got is None:
                self.trace.skip(node.name, "its tensors are not recorded")
                continue
            ranks = dict(enumerate(group.ranks or ()))
            peer, root = (None if place is None else ranks.get(place) for place in (peer, root))
            yield Call(kind, put, got, group, peer, tag, root)

    def _group_around(self, node: _Node) -> Group:
        """Return the group that an ancestor marks, or that of all if there is one only."""
        at = self.by_id.get(node.parent)
        while at is not None and at.parent != at.id:
            if at.name.startswith(GROUP_MARK):
                ranks = tuple(json.loads(at.name.removeprefix(GROUP_MARK)))
                return Group(len(ranks), ranks)
            at = self.by_id.get(at.parent)
        known = set(self.trace.groups.values())
        ranks = next(iter(known)) if len(known) == 1 else ()
        return Group(len(ranks), ranks) if ranks else Group()

    def _noted(self, notes: list[_Node]) -> Iterator[Call]:
        for node in notes:
            kind = kind_of(node.name)
            if kind is None or kind == "sendrecv" or (kind != "barrier" and not node.values):
                self.trace.skip(node.name, "its tensor is not recorded")
                continue
            put = node.tensor_bytes(node.values) or 0
            yield Call(kind, put, bytes_out_of(kind, put, None))


class _Node:
    """One node in either form of the schema: fields side by side (1.0.1), or inputs, outputs and attrs."""

    def __init__(self, number: int, node: Any, source: str) -> None:
        self.where = f"{source}: node {number}"
        if not isinstance(node, dict) or "id" not in node:
            raise BadInput(f"{self.where} has no id; the file may be damaged")
        self.id = whole(node["id"], f"{self.where}: id", 2**63)
        self.name = str(node.get("name", ""))
        self.parent = whole(node.get("ctrl_deps", node.get("parent", 0)) or 0, f"{self.where}: parent", 2**63)
        inputs, outputs = node.get("inputs", []), node.get("outputs", [])
        nested = isinstance(inputs, dict)
        self.values: list[Any] = list(inputs.get("values", []) if nested else inputs)
        self.types: list[str] = list(inputs.get("types", []) if nested else node.get("input_types", []))
        self.outputs: list[Any] = list(outputs.get("values", []) if isinstance(outputs, dict) else outputs)
        attributes = node.get("attrs", [])
        self.attributes: dict[str, Any] = {a.get("name", ""): a.get("value") for a in attributes}
        order = self.attributes.get("rf_id", node.get("rf_id"))
        self.order = (order if type(order) is int else 0, self.id)

    def message_bytes(self, side: str, tensors: list[Any]) -> int:
        """Return the bytes that a record's attributes tell of one side, else those of its tensors."""
        element, count = element_bytes(self.attributes.get("dtype")), self.attributes.get(f"{side}_msg_nelems")
        if element is not None and count is not None:
            return whole(count, f"{self.where}: {side}_msg_nelems") * element
        return self.tensor_bytes(tensors) or 0

    def tensor_bytes(self, value: list[Any]) -> int | None:
        """Return the bytes of all tensors in a list, None if there is none."""
        n_bytes = _tensor_bytes(value)
        return None if n_bytes is None else whole(n_bytes, f"{self.where} ({self.name}): bytes of its tensors")


def _tensor_bytes(value: Any) -> int | None:
    """Return the bytes of the tensors in a value, None if there are none.

    A tensor is a list of id, storage, offset, elements, element bytes, device.
    """
    if not isinstance(value, list):
        return None
    if len(value) >= 6 and all(type(v) is int for v in value[:5]) and isinstance(value[5], str):
        return int(value[3] * value[4])
    found = [n for v in value if (n := _tensor_bytes(v)) is not None]
    return sum(found) if found else None
