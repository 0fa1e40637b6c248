"""Big-endian loads and stores at plain addresses, for kernels that read and write bytes.

A byte buffer is an address and a length to a kernel; the callers check the length. Under JIT each
access is one unaligned instruction and a byte swap, in plain Python it goes through ctypes.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from uet.base.jit import JIT, kernel

if JIT:
    from llvmlite import ir
    from numba.core import types
    from numba.extending import intrinsic

    def _pointer(builder: Any, address: Any, width: int) -> Any:
        return builder.inttoptr(address, ir.IntType(8 * width).as_pointer())

    def _swap(builder: Any, value: Any, width: int) -> Any:
        return value if width == 1 else builder.bswap(value)

    def _load(width: int) -> Any:
        result = types.uint64 if width == 8 else types.int64

        @intrinsic  # type: ignore[untyped-decorator]
        def load(context: Any, address: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                word = builder.load(_pointer(builder, args[0], width), align=1)
                word = _swap(builder, word, width)
                return word if width == 8 else builder.zext(word, ir.IntType(64))

            return result(types.int64), codegen

        return load

    def _store(width: int) -> Any:
        taken = types.uint64 if width == 8 else types.int64

        @intrinsic  # type: ignore[untyped-decorator]
        def store(context: Any, address: Any, value: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                word = args[1] if width == 8 else builder.trunc(args[1], ir.IntType(8 * width))
                builder.store(_swap(builder, word, width), _pointer(builder, args[0], width), align=1)
                return context.get_dummy_value()

            return types.void(types.int64, taken), codegen

        return store

    @intrinsic  # type: ignore[untyped-decorator]
    def _copy(context: Any, target: Any, source: Any, n: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            byte = ir.IntType(8).as_pointer()
            move = builder.module.declare_intrinsic("llvm.memmove", [byte, byte, ir.IntType(64)])
            target, source, n = args
            pointers = [builder.inttoptr(a, byte) for a in (target, source)]
            builder.call(move, [*pointers, n, ir.Constant(ir.IntType(1), 0)])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), codegen

else:

    def _load(width: int) -> Any:
        wrap: Any = np.uint64 if width == 8 else int
        return lambda address: wrap(int.from_bytes(ctypes.string_at(int(address), width), "big"))

    def _store(width: int) -> Any:
        mask = (1 << (8 * width)) - 1

        def store(address: int, value: int) -> None:
            ctypes.memmove(int(address), (int(value) & mask).to_bytes(width, "big"), width)

        return store

    def _copy(target: int, source: int, n: int) -> None:
        ctypes.memmove(int(target), int(source), int(n))


load8, load16, load32, load64 = _load(1), _load(2), _load(4), _load(8)
"""`load16(address)` returns an unsigned number as int64; `load64` returns uint64."""

store8, store16, store32, store64 = _store(1), _store(2), _store(4), _store(8)
"""`store16(address, number)` stores the low 16 bits of an int64; `store64` takes a uint64."""

copy_bytes = _copy
"""`copy_bytes(target, source, n)` copies n bytes; the ranges may overlap."""


@kernel
def swap32(number: int) -> int:
    """Return a 32-bit number with its bytes in reverse order."""
    return (number & 0xFF) << 24 | (number & 0xFF00) << 8 | (number >> 8 & 0xFF00) | (number >> 24 & 0xFF)
