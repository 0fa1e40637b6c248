"""Python functions that kernels call, for what only a Python library can do: slow, so at the edge of carriers only."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from uet.base.jit import JIT, Hook


class Callback:
    """A Python function of integers behind the address of a hook without records; keep it while kernels may call it.

    An exception ends no kernel: the call then returns `failed`, as do all that follow, and `check` raises it.
    """

    def __init__(self, hook: Hook, function: Callable[..., int], failed: int = -1) -> None:
        """Make the address. Under JIT the call goes through ctypes, which takes the interpreter's lock."""
        self._function, self._failed = function, failed
        self._problem: BaseException | None = None
        if JIT:
            kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * hook.n_integers)
            self._native: Any = kind(self._call)
            self.address = int(ctypes.cast(self._native, ctypes.c_void_p).value or 0)
        else:
            Hook._plain.append(self._call)
            self.address = len(Hook._plain) - 1

    def _call(self, *arguments: int) -> int:
        if self._problem is not None:
            return self._failed
        try:
            return self._function(*(int(a) for a in arguments))
        except BaseException as problem:  # Ctrl-C too: nothing can be raised through a kernel
            self._problem = problem
            return self._failed

    def check(self) -> None:
        """Raise what the function raised, if it did."""
        if self._problem is not None:
            raise self._problem
