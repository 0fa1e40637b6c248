"""MLCommons Chakra execution traces (.et): the graph of one rank, with its dependencies and times.

A file is a row of messages behind their lengths: one about the file, then one per node. The numbers of the
fields below are facts of the public schema of 9 May 2024, which files of 2023 fit as well. Writers differ in
the integer kind of an attribute, so any is taken. The size of a collective is the rank's input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Any

from emulation.workloads.imports.names import bytes_out_of
from emulation.workloads.imports.protobuf import Bytes, Fields, decode
from emulation.workloads.imports.trace import CALC, LONGEST_US, MOST_RANKS, RECV, SEND, Call, Group, RankTrace, whole
from uet.base.errors import BadInput

_VALUES = (
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
    "sfixed64", "bool", "string", "bytes",
)  # fmt: skip
"""Kinds of an attribute's value in the order of their field numbers: 3, 5, 7, ...; lists stand at 4, 6, ..."""

_ATTRIBUTE: Fields = {
    1: ("name", "string"),
    **{3 + 2 * k: ("value", kind) for k, kind in enumerate(_VALUES)},
    **{4 + 2 * k: ("list", {1: ("values", ("repeated", kind))}) for k, kind in enumerate(_VALUES)},
}
_TENSORS: Fields = {1: ("values", "string"), 2: ("shapes", "string"), 3: ("types", "string")}
_ABOUT: Fields = {1: ("version", "string"), 2: ("attributes", ("repeated", _ATTRIBUTE))}
_NODE: Fields = {
    1: ("id", "uint64"), 2: ("name", "string"), 3: ("type", "int32"),
    4: ("control", ("repeated", "uint64")), 5: ("data", ("repeated", "uint64")),
    6: ("start_us", "uint64"), 7: ("duration_us", "uint64"), 8: ("inputs", _TENSORS),
    10: ("attributes", ("repeated", _ATTRIBUTE)),
}  # fmt: skip

NODE_TYPES = (
    "INVALID", "METADATA", "MEM_LOAD", "MEM_STORE", "COMP", "COMM_SEND", "COMM_RECV", "COMM_COLL",
)  # fmt: skip
COLLECTIVE_TYPES = (
    "allreduce", "reduce", "allgather", "gather", "scatter", "broadcast", "alltoall", "reducescatter",
    "reducescatter", "barrier",
)  # fmt: skip
"""By the number in attribute comm_type; 8 is the reduce-scatter of equal blocks."""

_VERSIONS = ("0.0.", "1.0.", "1.1.")
_CIRCULAR = "1.0.1"
"""Schema of 2023 whose converter wrote control dependencies in circles, a node's own id among them."""

_GROUPS = "## process_group:init ##"


def read_chakra(data: bytes, source: str, rank: int, groups: Mapping[str, tuple[int, ...]], n_files: int) -> RankTrace:
    """Return the nodes of one rank's file as calls with their dependencies.

    `groups` are those of the job by name; without any, a call is of all `n_files` ranks. Raises BadInput naming
    `source` and the byte or node of what is wrong.
    """
    messages = Bytes(data, source).messages()
    first = next(messages, None)
    if first is None:
        raise BadInput(f"{source}: is empty; a Chakra trace starts with a message about itself")
    versions = _versions(decode(first, _ABOUT), source)
    nodes = [_Node(decode(message, _NODE), source) for message in messages]
    reader = _Reader(nodes, source, rank, groups, n_files)
    if any(v.startswith(_CIRCULAR) for v in versions):
        reader.leave_out_control()
    return reader.read()


def _versions(about: dict[str, Any], source: str) -> list[str]:
    """Return the versions that a file tells, as version or as attribute schema. Raises BadInput for unknown ones."""
    versions = [about.get("version", "")]
    versions += [str(a.get("value")) for a in about.get("attributes", []) if a.get("name") == "schema"]
    told = [v for v in versions if v]
    if not told:
        raise BadInput(f"{source}: tells no version; is it a Chakra trace?")
    for version in told:
        if not version.startswith(_VERSIONS):
            raise BadInput(
                f"{source}: is of version {version[:40]!r}; uet reads {', '.join(v + 'x' for v in _VERSIONS)}"
            )
    return told


class _Node:
    """One node with its attributes by name."""

    def __init__(self, fields: dict[str, Any], source: str) -> None:
        self.id: int = fields.get("id", 0)
        self.name: str = fields.get("name", "")
        self.where = f"{source}: node {self.id}"
        number = fields.get("type", 0)
        if not 0 <= number < len(NODE_TYPES):
            raise BadInput(f"{self.where}: type {number} is not one of 0 to {len(NODE_TYPES) - 1}")
        self.type = NODE_TYPES[number]
        self.control: list[int] = fields.get("control", [])
        self.data: list[int] = fields.get("data", [])
        self.start_us: int = fields.get("start_us", 0)
        self.duration_us: int = fields.get("duration_us", 0)
        self.tensors: str = fields.get("inputs", {}).get("values", "")
        self.attributes: dict[str, Any] = {
            a.get("name", ""): a.get("value", a.get("list", {}).get("values")) for a in fields.get("attributes", [])
        }

    @property
    def after(self) -> set[int]:
        """Nodes that must be done first."""
        return {*self.control, *self.data}

    def number(self, name: str, most: int) -> int | None:
        """Return an attribute as a whole number, None if it is not there. Raises BadInput if it cannot be one."""
        value = self.attributes.get(name)
        return None if value is None else whole(value, f"{self.where} ({self.name}): {name}", most)


class _Reader:
    """The nodes of a file, turned into calls one by one."""

    def __init__(
        self, nodes: list[_Node], source: str, rank: int, groups: Mapping[str, tuple[int, ...]], n_files: int
    ) -> None:
        self.nodes, self.source, self.n_files = nodes, source, n_files
        self.trace = RankTrace(rank, source, groups=dict(groups))

    def leave_out_control(self) -> None:
        """Let data dependencies alone count."""
        for node in self.nodes:
            node.control = []
        self.trace.notes.add(
            f"control dependencies of schema {_CIRCULAR} run in circles; data dependencies alone count"
        )

    def read(self) -> RankTrace:
        order = _in_order(self.nodes)
        for node in order:
            if node.name == _GROUPS:
                self._take_groups(node)
        places = {node.id: k for k, node in enumerate(order)}
        calls = []
        for node in order:
            after = tuple(sorted({places[a] for a in node.after if a in places}))
            calls.append(self._call(node, after))
        self.trace.calls = calls
        return self.trace

    def _take_groups(self, node: _Node) -> None:
        """Take groups from the list that PyTorch writes; empty ranks stand for all."""
        try:
            listed = json.loads(node.tensors)
            listed = [g for text in listed for g in (json.loads(text) if isinstance(text, str) else [text])]
            for group in listed:
                ranks = tuple(group["ranks"]) or tuple(range(group["group_size"]))
                self.trace.groups[str(group["pg_name"])] = ranks
        except (ValueError, TypeError, KeyError):
            raise BadInput(f"{node.where}: its list of groups cannot be read; the file may be damaged") from None

    def _call(self, node: _Node, after: tuple[int, ...]) -> Call:
        """Return what a node is for the network; what the network has nothing to do with becomes a computation."""
        if node.duration_us > LONGEST_US:
            raise BadInput(f"{node.where}: lasts {node.duration_us} us; the file may be damaged")
        if node.type == "COMM_COLL":
            found = self._collective(node, after)
        elif node.type in ("COMM_SEND", "COMM_RECV"):
            found = self._message(node, after)
        else:
            found = None
            if node.type not in ("COMP", "METADATA"):
                self.trace.skip(node.type, "memory and unknown nodes count only with their duration")
            elif node.type == "COMP" and not node.duration_us and "num_ops" in node.attributes:
                self.trace.skip(node.type, "tells operations but no duration; its time counts as 0")
        return found or Call(CALC, start_us=node.start_us, duration_us=node.duration_us, after=after)

    def _collective(self, node: _Node, after: tuple[int, ...]) -> Call | None:
        number, n_bytes = node.number("comm_type", 2**31), node.number("comm_size", 2**50)
        if number is None and node.attributes.get("is_cpu_op"):
            self.trace.skip(node.name, "the host's side of a collective whose kernel counts")
            return None
        if number is None or number >= len(COLLECTIVE_TYPES):
            self.trace.skip(node.name, f"comm_type {number} is no collective of Chakra")
            return None
        kind = COLLECTIVE_TYPES[number]
        if n_bytes is None and kind != "barrier":
            self.trace.skip(node.name, "tells no comm_size")
            return None
        group = self._group(node)
        root = node.number("root_rank", MOST_RANKS)
        root = root if root is None or not group.ranks or root in group.ranks else None
        size = n_bytes or 0
        out = bytes_out_of(kind, size, group.size)
        return Call(
            kind, size, out, group, root=root, start_us=node.start_us, duration_us=node.duration_us, after=after
        )

    def _group(self, node: _Node) -> Group:
        """Return the ranks of a collective: those of its group, or all."""
        name = str(node.attributes.get("pg_name", ""))
        ranks = self.trace.groups.get(name)
        if ranks is not None:
            return Group(len(ranks), ranks, name)
        if name in ("", "0") and self.n_files > 1:
            return Group(self.n_files, tuple(range(self.n_files)), name)
        return Group(name=name)

    def _message(self, node: _Node, after: tuple[int, ...]) -> Call | None:
        n_bytes, kind = node.number("comm_size", 2**50), SEND if node.type == "COMM_SEND" else RECV
        peer = node.number("comm_dst" if kind == SEND else "comm_src", MOST_RANKS)
        if n_bytes is None or peer is None:
            self.trace.skip(node.name, "tells no comm_size or not the other side")
            return None
        put, got = (n_bytes, 0) if kind == SEND else (0, n_bytes)
        tag = node.number("comm_tag", 2**31) or 0
        return Call(kind, put, got, peer=peer, tag=tag, start_us=node.start_us, after=after)


def _in_order(nodes: list[_Node]) -> list[_Node]:
    """Return the nodes so that each stands behind all it depends on, else in the order of the file.

    Raises BadInput for ids that stand twice and for nodes that wait for each other in a circle.
    """
    by_id: dict[int, _Node] = {}
    for node in nodes:
        if node.id in by_id:
            raise BadInput(f"{node.where}: this id stands twice; the file may be damaged")
        by_id[node.id] = node
    waiting = {n.id: sum(a in by_id for a in n.after) for n in nodes}
    place_of = {n.id: k for k, n in enumerate(nodes)}
    next_of: dict[int, list[int]] = {}
    for node in nodes:
        for a in node.after:
            next_of.setdefault(a, []).append(node.id)
    ready = [k for k, n in enumerate(nodes) if waiting[n.id] == 0]  # sorted, so already a heap
    order: list[_Node] = []
    while ready:
        order.append(nodes[heappop(ready)])
        for follower in next_of.get(order[-1].id, ()):
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heappush(ready, place_of[follower])
    if len(order) < len(nodes):
        stuck = next(n for n in nodes if waiting[n.id])
        raise BadInput(f"{stuck.where} ({stuck.name[:40]}): waits for itself in a circle of dependencies; cut it")
    return order
