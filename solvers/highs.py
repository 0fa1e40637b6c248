"""HiGHS without a word: version 1.16 greets on standard output, once in every process, whatever its options say."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


def new_highs() -> Any:
    """Return a silent highspy.Highs."""
    import highspy

    absorb_greeting()
    highs = highspy.Highs()
    highs.silent()
    return highs


@cache
def absorb_greeting() -> None:
    """Let HiGHS greet into nothing, if it has not yet in this process."""
    import highspy

    with _no_output():
        highspy.Highs()


@contextmanager
def _no_output() -> Iterator[None]:
    """Send what compiled code writes to standard output to nowhere while the block runs."""
    libc = ctypes.CDLL(None)
    sys.stdout.flush()
    libc.fflush(None)
    saved = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
        libc.fflush(None)
    finally:
        os.dup2(saved, 1)
        os.close(saved)
        os.close(nowhere)
