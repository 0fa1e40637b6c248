"""Find a controller or balancer by name, or in a file of the user's: `./mine.py:Mine`.

A part is a module-like object with `STATE` (a numpy dtype of at most 256 bytes) and one function.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from uet.base.errors import BadInput, nearest
from uet.base.jit import Hook
from uet.transport import balancing, congestion
from uet.transport.balancing.contract import BALANCER
from uet.transport.congestion.contract import CONTROLLER
from uet.transport.reply import ALONE, BESIDE_WINDOW
from uet.transport.settings import SETTINGS_TABLE
from uet.transport.state import CC_EVENT, OPAQUE_BYTES

RCCC = "rccc"
_ROOMS = {"controller": (congestion, "control"), "balancer": (balancing, "balance")}


def names(kind: str) -> list[str]:
    """Return the built-in parts of a kind, 'controller' or 'balancer'."""
    room, _ = _ROOMS[kind]
    return sorted(m.name for m in pkgutil.iter_modules(room.__path__) if m.name != "contract")


def _load_file(argument: str) -> Any:
    path, _, name = argument.rpartition(":")
    if not path.endswith(".py") or not name:
        raise BadInput(f"'{argument}' names no part in a file; write path.py:Name")
    module_name = f"uet_part_{crc32(str(Path(path).resolve()).encode()):08x}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None or not Path(path).is_file():
        raise BadInput(f"{path}: no such file; check the path before the colon")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # cached machine code asks for its module by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file does wrong
        raise BadInput(f"{path}: cannot be loaded ({type(error).__name__}: {error}); correct the file") from error
    if not hasattr(module, name):
        raise BadInput(f"{path}: defines no '{name}'; name what follows the colon as it is in the file")
    return getattr(module, name)


def split_credit(argument: str) -> tuple[str, int]:
    """Return the controller of `nscc`, `rccc`, `nscc+rccc` and the like, and the setting `credit` it means."""
    parts = argument.split("+")
    others = [part for part in parts if part != RCCC]
    if len(parts) == len(others):
        return argument, 0
    if len(others) > 1:
        raise BadInput(f"'{argument}' names {len(others)} controllers; one may stand beside '{RCCC}'")
    return (others[0], BESIDE_WINDOW) if others else (RCCC, ALONE)


def load(kind: str, argument: str) -> Any:
    """Return the part called `argument`: a built-in name or `path.py:Name`, with `+rccc` behind a controller.

    Raises BadInput for what is not there or lacks something.
    """
    room, function = _ROOMS[kind]
    if kind == "controller":
        argument, _ = split_credit(argument)
    if ":" in argument:
        part = _load_file(argument)
    elif argument in names(kind):
        part = importlib.import_module(f"{room.__name__}.{argument}")
    else:
        raise BadInput(f"no {kind} is called '{argument}'; {nearest(argument, names(kind))}")
    if not hasattr(part, "STATE") or not callable(getattr(part, function, None)):
        raise BadInput(f"{kind} '{argument}' lacks STATE or the function {function}(); see the built-in ones")
    if part.STATE.itemsize > OPAQUE_BYTES:
        raise BadInput(f"{kind} '{argument}': STATE takes {part.STATE.itemsize} bytes; at most {OPAQUE_BYTES} fit")
    return part


def _compile(hook: Hook, argument: str, function: Any, *records: np.dtype[Any]) -> int:
    from numba.core.errors import NumbaError

    try:
        return hook.address(function, *records)
    except NumbaError as error:
        why = next((line.strip() for line in str(error).splitlines()[1:] if line.strip()), str(error))
        raise BadInput(f"{hook.name} '{argument}' cannot be compiled: {why}; use numbers and fields only") from error


def controller_address(argument: str) -> int:
    """Compile a congestion controller (once) and return its address for the settings row."""
    part = load("controller", argument)
    return _compile(CONTROLLER, argument, part.control, part.STATE, CC_EVENT.dtype, SETTINGS_TABLE.dtype)


def paces(argument: str) -> bool:
    """Tell whether a congestion controller sets a rate beside its window."""
    return bool(getattr(load("controller", argument), "PACES", False))


def balancer_address(argument: str, entropies: int = 1) -> int:
    """Compile a load balancer (once) and return its address for the settings row.

    Raises BadInput if it remembers fewer entropy values (`MAX_ENTROPIES`) than `entropies`.
    """
    part = load("balancer", argument)
    most = getattr(part, "MAX_ENTROPIES", entropies)
    if entropies > most:
        raise BadInput(f"lb.entropies={entropies}: balancer '{argument}' takes at most {most}; choose fewer")
    return _compile(BALANCER, argument, part.balance, part.STATE, SETTINGS_TABLE.dtype)
