"""The names that libraries give to collectives and element types, as our own."""

from __future__ import annotations

import re

COLLECTIVES = (
    "barrier", "allreduce", "allgather", "reducescatter", "alltoall", "broadcast", "reduce", "gather", "scatter",
)  # fmt: skip

_ORDER = (
    "sendrecv", "barrier", "allreduce", "reducescatter", "allgather", "alltoall", "broadcast",
    "gather", "scatter", "reduce", "send", "recv",
)  # fmt: skip

ELEMENT_BYTES = {
    "float": 4, "double": 8, "half": 2, "bfloat16": 2, "long": 8, "longint": 8, "int": 4, "short": 2, "shortint": 2,
    "byte": 1, "char": 1, "signedchar": 1, "unsignedchar": 1, "bool": 1, "float16": 2, "float32": 4, "float64": 8,
    "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "complexhalf": 4, "complexfloat": 8, "complexdouble": 16, "qint8": 1, "quint8": 1,
}  # fmt: skip
"""Bytes of one element by the names that PyTorch prints, without blanks, case and namespace."""


def kind_of(name: str) -> str | None:
    """Return the collective (or send, recv, sendrecv) that a function or kernel name stands for, None if none.

    Examples: c10d::_allgather_base_, nccl:all_to_all, ncclDevKernel_AllReduce_Sum_f32_RING_LL, ALLTOALL_EP.
    """
    squashed = re.sub("[^a-z]", "", re.sub(r"^.*?::", "", name).partition("(")[0].lower())
    if squashed.startswith(("wait", "init", "destroy")):
        return None
    return next((kind for kind in _ORDER if kind in squashed), None)


def element_bytes(dtype: object) -> int | None:
    """Return the bytes of an element of a PyTorch type such as Float, long int or c10::BFloat16; None if unknown."""
    squashed = re.sub(r"[\s_]", "", str(dtype).rpartition("::")[2].lower())
    if squashed.startswith(("float8", "float4")):
        return 1
    return ELEMENT_BYTES.get(squashed)


def bytes_out_of(kind: str, bytes_in: int, size: int | None) -> int | None:
    """Return what a rank gets out of a collective that it puts `bytes_in` into; None if the group must be known."""
    if kind in ("allgather", "gather"):
        return None if size is None else bytes_in * size
    if kind in ("reducescatter", "scatter"):
        return None if not size else bytes_in // size
    return bytes_in


def bytes_in_of(kind: str, bytes_out: int, size: int | None) -> int | None:
    """Return what a rank puts into a collective that it gets `bytes_out` out of; see `bytes_out_of`."""
    inverse = {"allgather": "reducescatter", "reducescatter": "allgather", "gather": "scatter", "scatter": "gather"}
    return bytes_out_of(inverse.get(kind, kind), bytes_out, size)
