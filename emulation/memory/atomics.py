"""Atomic operations of UET on numpy memory: what a target's memory controller would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uet.transport.wire.codes import AtomicOp, AtomicType, ReturnCode

TYPES = {
    AtomicType.INT8: "i1", AtomicType.UINT8: "u1", AtomicType.INT16: "<i2", AtomicType.UINT16: "<u2",
    AtomicType.INT32: "<i4", AtomicType.UINT32: "<u4", AtomicType.INT64: "<i8", AtomicType.UINT64: "<u8",
    AtomicType.FLOAT: "<f4", AtomicType.DOUBLE: "<f8", AtomicType.FLOAT_COMPLEX: "<c8",
    AtomicType.DOUBLE_COMPLEX: "<c16", AtomicType.FP16: "<f2",
}  # fmt: skip
"""numpy types of the operand types; it has no 128-bit integers and no bfloat16, and its long double varies."""

_Values = NDArray[Any]
OPERATIONS: dict[AtomicOp, Callable[[_Values, _Values], _Values]] = {
    AtomicOp.MIN: np.minimum, AtomicOp.MAX: np.maximum, AtomicOp.SUM: np.add, AtomicOp.DIFF: np.subtract,
    AtomicOp.PROD: np.multiply, AtomicOp.LOR: np.logical_or, AtomicOp.LAND: np.logical_and, AtomicOp.BOR: np.bitwise_or,
    AtomicOp.BAND: np.bitwise_and, AtomicOp.LXOR: np.logical_xor, AtomicOp.BXOR: np.bitwise_xor,
    AtomicOp.READ: lambda old, new: old, AtomicOp.WRITE: lambda old, new: new,
}  # fmt: skip
COMPARISONS: dict[AtomicOp, Callable[[_Values, _Values], Any]] = {
    AtomicOp.CSWAP: np.equal, AtomicOp.CSWAP_NE: np.not_equal, AtomicOp.CSWAP_LE: np.less_equal,
    AtomicOp.CSWAP_LT: np.less, AtomicOp.CSWAP_GE: np.greater_equal, AtomicOp.CSWAP_GT: np.greater,
}  # fmt: skip
"""Compare-and-swap stores when this holds for (value compared with, old value), as libfabric defines it."""
COMPLEX = (AtomicType.FLOAT_COMPLEX, AtomicType.DOUBLE_COMPLEX)
ORDERED = (AtomicOp.MIN, AtomicOp.MAX, AtomicOp.CSWAP_LE, AtomicOp.CSWAP_LT, AtomicOp.CSWAP_GE, AtomicOp.CSWAP_GT)


def perform(op: int, kind: int, memory: NDArray[np.uint8], payload: bytes) -> tuple[ReturnCode, bytes]:
    """Apply an atomic operation to the bytes of `memory`, in place; return how it went and the old bytes.

    `payload` has the operands, or for compare-and-swap the value to compare with and the one to store, 16
    bytes each. Unsupported types and operations change nothing.
    """
    old = memory.tobytes()
    if kind not in TYPES:
        return ReturnCode.AMO_UNSUPPORTED_DT, old
    if op not in OPERATIONS and op not in COMPARISONS:
        return ReturnCode.AMO_UNSUPPORTED_OP, old
    if kind in COMPLEX and op in ORDERED:
        return ReturnCode.AMO_UNSUPPORTED_OP, old
    dtype = np.dtype(TYPES[AtomicType(kind)])
    values = np.frombuffer(old, dtype)
    if op in COMPARISONS:
        compare, swap = (np.frombuffer(payload[k : k + dtype.itemsize], dtype) for k in (0, 16))
        result = np.where(COMPARISONS[AtomicOp(op)](compare, values), swap, values)
    else:
        with np.errstate(all="ignore"):
            result = OPERATIONS[AtomicOp(op)](values, np.frombuffer(payload, dtype)).astype(dtype)
    memory[:] = np.frombuffer(np.ascontiguousarray(result).tobytes(), np.uint8)
    return ReturnCode.OK, old
