"""The c10d operators of PyTorch: which of their arguments go in, which come out, who is on the other side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from emulation.workloads.imports.names import bytes_in_of, bytes_out_of, element_bytes
from emulation.workloads.imports.trace import P2P

_OUT_THEN_IN = ("allgather", "reducescatter", "alltoall", "gather", "scatter")
"""Operators whose first argument is what comes out and whose second what goes in; the others have one for both."""


@dataclass(frozen=True)
class Operator:
    """A call of an operator: shapes and types of its arguments, and their values where these are no tensors.

    A shape is a list of dimensions, or of shapes for a list of tensors; a type is such as float or
    TensorList, '' where unknown.
    """

    name: str
    shapes: list[Any]
    types: list[str]
    values: list[Any]

    def bytes_of(self, place: int, list_element_bytes: int | None) -> int | None:
        """Return the bytes of an argument; the types of lists are not recorded, so their elements' bytes are given."""
        if place >= len(self.shapes) or place >= len(self.types):
            return None
        shape, kind = self.shapes[place], self.types[place]
        if kind == "ScalarList":  # an empty list
            return 0
        is_list = kind in ("TensorList", "")
        element = list_element_bytes if is_list else element_bytes(kind)
        if element is None or (is_list and not shape):
            return None
        return _elements(shape) * element


def _elements(shape: list[Any]) -> int:
    """Return the elements of a tensor, or of all tensors of a list."""
    if shape and isinstance(shape[0], list):
        return sum(_elements(s) for s in shape)
    return math.prod(shape)


def in_and_out(
    kind: str, first: int | None, second: int | None, group_size: int | None
) -> tuple[int | None, int | None]:
    """Return bytes in and bytes out of one rank's call from those of its first and second argument, None if unknown."""
    if kind == "barrier":
        return 0, 0
    if kind == "send":
        return first, 0
    if kind == "recv":
        return 0, first
    if kind not in _OUT_THEN_IN:
        return first, first
    got, put = first, second
    if kind == "gather" and not got:
        return put, 0  # the root alone gets something
    if kind == "scatter" and not put:
        return 0, got
    if got is None and put is not None:
        got = bytes_out_of(kind, put, group_size)
    if put is None and got is not None:
        put = bytes_in_of(kind, got, group_size)
    return put, got


def operator_peer(operator: Operator, kind: str) -> tuple[int | None, int]:
    """Return the place in the group of the other side of a send or receive, and the tag."""
    if kind not in P2P or "any_source" in operator.name:
        return None, 0
    peer, tag = (_number(operator, place) for place in (2, 3))
    return peer, tag or 0


def operator_root(operator: Operator, kind: str) -> int | None:
    """Return the place in the group of the root of a rooted collective, None if it has none or does not tell."""
    place = {"broadcast": 2, "reduce": 3, "gather": 3, "scatter": 3}.get(kind)
    return None if place is None else _number(operator, place)


def _number(operator: Operator, place: int) -> int | None:
    text = str(operator.values[place]) if place < len(operator.values) else ""
    return int(text) if text.isdigit() else None
