"""CRC-32C of bytes at an address: one instruction per eight bytes where the CPU has it, else a table.

The instruction is SSE4.2's crc32, reached through LLVM's intrinsic. Both ways are kernels, so that
each can be tested against the other and against `checksum.crc32c`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uet.base.jit import JIT, kernel
from uet.transport.wire.checksum import crc32c as crc32c_of_bytes
from uet.transport.wire.checksum import crc32c_table
from uet.transport.wire.memory import load8, load32, swap32

_ONES = 0xFFFFFFFF


def _sliced_table() -> NDArray[np.int64]:
    """Return eight rows of 256: row k holds the remainder of a byte followed by k zero bytes."""
    table = np.zeros((8, 256), dtype=np.int64)
    table[0] = crc32c_table()
    for k in range(1, 8):
        table[k] = (table[k - 1] >> 8) ^ table[0][table[k - 1] & 0xFF]
    return table


_TABLE = _sliced_table()


@kernel
def crc32c_by_table(address: int, n: int) -> int:
    """Return the CRC-32C of the `n` bytes at `address`, by look-ups of eight bytes at a time."""
    remainder = _ONES
    words = n >> 3
    for i in range(words):
        at = address + (i << 3)
        first, second = swap32(load32(at)) ^ remainder, load32(at + 4)
        remainder = (
            _TABLE[7, first & 0xFF]
            ^ _TABLE[6, first >> 8 & 0xFF]
            ^ _TABLE[5, first >> 16 & 0xFF]
            ^ _TABLE[4, first >> 24]
            ^ _TABLE[3, second >> 24]
            ^ _TABLE[2, second >> 16 & 0xFF]
            ^ _TABLE[1, second >> 8 & 0xFF]
            ^ _TABLE[0, second & 0xFF]
        )
    for i in range(words << 3, n):
        remainder = (remainder >> 8) ^ _TABLE[0, (remainder ^ load8(address + i)) & 0xFF]
    return int(remainder ^ _ONES)


def _cpu_has_crc32() -> bool:
    """Tell whether kernels are compiled for a CPU with SSE4.2; a CPU chosen by hand counts as without."""
    if not JIT:
        return False
    import llvmlite.binding
    import numba

    chosen = numba.config.CPU_NAME or numba.config.CPU_FEATURES
    return not chosen and bool(llvmlite.binding.get_host_cpu_features().get("sse4.2", False))


HAS_CRC32 = _cpu_has_crc32()
"""Whether `crc32c` uses the instruction."""

if HAS_CRC32:
    from llvmlite import ir
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    def _step(width: int) -> Any:
        """Return `step(remainder, address)`: the remainder after the `width` bytes at `address`."""
        word = ir.IntType(8 * width)
        whole = ir.IntType(64)
        state = whole if width == 8 else ir.IntType(32)
        name = "llvm.x86.sse42.crc32.64.64" if width == 8 else "llvm.x86.sse42.crc32.32.8"

        @intrinsic  # type: ignore[untyped-decorator]
        def step(context: Any, remainder: Any, address: Any) -> Any:
            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                crc32 = cgutils.get_or_insert_function(builder.module, ir.FunctionType(state, [state, word]), name)
                data = builder.load(builder.inttoptr(args[1], word.as_pointer()), align=1)
                before = args[0] if width == 8 else builder.trunc(args[0], state)
                after = builder.call(crc32, [before, data])
                return after if width == 8 else builder.zext(after, whole)

            return types.int64(types.int64, types.int64), codegen

        return step

    _step8, _step1 = _step(8), _step(1)

    @kernel
    def crc32c_by_instruction(address: int, n: int) -> int:
        """Return the CRC-32C of the `n` bytes at `address`, eight bytes per instruction."""
        remainder = _ONES
        words = n >> 3
        for i in range(words):
            remainder = _step8(remainder, address + (i << 3))
        for i in range(words << 3, n):
            remainder = _step1(remainder, address + i)
        return remainder ^ _ONES

    crc32c = crc32c_by_instruction
elif JIT:
    crc32c = crc32c_by_table
else:

    def crc32c(address: int, n: int) -> int:
        """Return the CRC-32C of the `n` bytes at `address`."""
        return crc32c_of_bytes(ctypes.string_at(int(address), int(n)))
