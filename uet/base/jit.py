"""The house decorator for hot code, typed rows behind pointers, and hooks (function pointers).

Three ideas, all here and nowhere else:

* `kernel` compiles a function with numba, releases the GIL and caches the machine code on disk,
  keyed by the content of all it is compiled from (`uet.base.kernel_cache`).
* A `World` is a set of record tables seen by kernels as one record of addresses. Kernels take it
  as a single argument `w` and fetch rows with accessors made by `rows`: a row is a plain pointer,
  so nothing is copied or reference counted, and callees need no forced inlining.
* A `Hook` is a fixed signature for replaceable parts (controllers, balancers, routing). Kernels
  call it through an address, so a new part compiles alone and the loops stay cached.

With NUMBA_DISABLE_JIT=1 all three work as plain Python over the same numpy tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.caching import CacheImpl
from numba.core.types.containers import BaseTuple, StarArgTuple
from numba.extending import intrinsic

from uet.base.kernel_cache import LOCATOR
from uet.base.kernel_code import compile_late
from uet.base.tables import Records, Table

# Our kernels first; other libraries' find their places as ever.
numba.config.CACHE_LOCATOR_CLASSES = ",".join([LOCATOR, *(c.__name__ for c in CacheImpl._locator_classes)])
JIT = not numba.config.DISABLE_JIT
BOUNDSCHECK = bool(numba.config.BOUNDSCHECK)
if not JIT:
    np.seterr(over="ignore")  # compiled integers wrap silently; numpy scalars must do the same
_I64 = ir.IntType(64)
_BYTE_POINTER = ir.IntType(8).as_pointer()


def kernel(function: Any) -> Any:
    """Compile `function` on first use: cached by content, nogil, C error model, exact arithmetic.

    The compiler decides on inlining, seeing all that a kernel called from Python calls (`uet.base.kernel_code`).
    """
    return compile_late(function, nogil=True, error_model="numpy", no_cfunc_wrapper=True) if JIT else function


def _make_prefetch() -> Any:
    if not JIT:
        return lambda address: None

    @intrinsic  # type: ignore[untyped-decorator]
    def fetch(context: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            i32 = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER, i32, i32, i32])
            function = builder.module.declare_intrinsic("llvm.prefetch", [_BYTE_POINTER], kind)
            read_data_to_all_levels = [ir.Constant(i32, v) for v in (0, 3, 1)]
            builder.call(function, [builder.inttoptr(args[0], _BYTE_POINTER), *read_data_to_all_levels])
            return context.get_dummy_value()

        return types.void(types.int64), codegen

    return fetch


prefetch = _make_prefetch()
"""Ask the processor to load the cache line at an address; never faults, does nothing without JIT."""


def _make_copy_bytes() -> Any:
    if not JIT:
        import ctypes

        return lambda target, source, n: ctypes.memmove(int(target), int(source), int(n)) and None

    @intrinsic  # type: ignore[untyped-decorator]
    def copy(context: Any, target: Any, source: Any, n: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(ir.VoidType(), [_BYTE_POINTER, _BYTE_POINTER, _I64, ir.IntType(1)])
            function = builder.module.declare_intrinsic("llvm.memcpy", [_BYTE_POINTER, _BYTE_POINTER, _I64], kind)
            ends = [builder.inttoptr(a, _BYTE_POINTER) for a in args[:2]]
            builder.call(function, [*ends, args[2], ir.Constant(ir.IntType(1), 0)])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), codegen

    return copy


copy_bytes = _make_copy_bytes()
"""Copy n bytes from one address to another (both valid for n bytes, not overlapping)."""


class World:
    """Record tables that kernels see as one argument.

    `handle` is what a kernel receives: under JIT a record of addresses and row counts, in plain
    Python this object itself. Tables live as long as the World does.
    """

    def __init__(self, layout: WorldLayout, tables: Mapping[str, Records | World]) -> None:
        """Check that `tables` has exactly the layout's tables, contiguous and of the right type."""
        if set(tables) != set(layout.tables):
            raise ValueError(f"world {layout.name}: tables {sorted(tables)} do not match {sorted(layout.tables)}")
        self.tables: dict[str, Any] = dict(tables)
        self._addresses = np.zeros(1, layout.dtype)
        for name, table in self.tables.items():
            rows_ = table._addresses if isinstance(table, World) else table
            fits = layout.accepts(name, rows_.dtype)
            if not fits or not rows_.flags.c_contiguous:
                raise ValueError(f"world {layout.name}: table {name} has the wrong type or is not contiguous")
            self._addresses[name] = rows_.ctypes.data
            self._addresses[f"n_{name}"] = len(rows_)
        self.handle: Any = self._addresses[0] if JIT else self

    def cast(self, dtype: np.dtype[Any]) -> World:
        """Return this World: hooks that take one are given it as it is."""
        return self

    def address(self, name: str) -> int:
        """Return the address of a table's first row."""
        return int(self._addresses[name][0])

    def __getitem__(self, key: str) -> int:
        """Return an address or row count by name, as kernels do; used only without JIT."""
        return int(self._addresses[key][0])


class WorldLayout:
    """The names and row types of the tables of one kind of World.

    A layout may stand among the tables of another: the inner World is then row 0 of that table, and
    kernels hand it on to the kernels that were written for it. One without tables takes any World,
    which only hooks look into, as they know its layout.
    """

    def __init__(self, name: str, *tables: Table | WorldLayout) -> None:
        """Fix the tables; their order is the order of the addresses."""
        self.name = name
        self.tables: dict[str, Table | WorldLayout] = {t.name: t for t in tables}
        columns = [(prefix + t, "i8") for t in self.tables for prefix in ("", "n_")]
        self.dtype = np.dtype(columns or [("opaque", "i8")])

    def accepts(self, name: str, dtype: np.dtype[Any]) -> bool:
        """Tell whether rows of a type may be table `name`; an inner layout without tables takes any World."""
        inner = self.tables[name]
        return dtype == inner.dtype or (isinstance(inner, WorldLayout) and not inner.tables)

    def rows(self, name: str) -> Any:
        """Return the accessor `at(w, i)` of table `name`: its row i as a record, by reference."""
        return _accessor(self, name)


def _accessor(layout: WorldLayout, name: str) -> Any:
    if not JIT:
        if isinstance(layout.tables[name], WorldLayout):
            return lambda w, i: w.tables[name]
        return lambda w, i: PlainRow(w.tables[name], int(i))
    row_dtype = layout.tables[name].dtype
    row_type = numba.from_dtype(row_dtype)

    @intrinsic  # type: ignore[untyped-decorator]
    def at(context: Any, w: Any, i: Any) -> Any:
        if not isinstance(w, types.Record) or not isinstance(i, types.Integer):
            return None
        offset = w.fields[name].offset

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            world, index = args
            slot = builder.gep(builder.bitcast(world, _BYTE_POINTER), [ir.Constant(_I64, offset)])
            base = builder.load(builder.bitcast(slot, _I64.as_pointer()))
            step = builder.mul(index, ir.Constant(_I64, row_dtype.itemsize))
            return builder.inttoptr(builder.add(base, step), context.get_value_type(row_type))

        return row_type(w, types.int64), codegen

    if not BOUNDSCHECK:
        return at
    count = f"n_{name}"

    @numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
    def checked(w: Any, i: int) -> Any:
        if i < 0 or i >= w[count]:
            raise IndexError("row index out of range: " + name)
        return at(w, i)

    return checked


class Hook:
    """A fixed signature `f(record..., int64...) -> int64` that kernels call through an address."""

    _plain: list[Callable[..., int]] = []  # without JIT an address is an index into this list  # noqa: RUF012

    def __init__(self, name: str, n_records: int, n_integers: int) -> None:
        """Fix how many records (passed by reference) and then how many integers the hook takes."""
        self.name = name
        self.n_records = n_records
        self.n_integers = n_integers
        self._compiled: dict[tuple[Any, ...], tuple[Any, int]] = {}
        self.call = self._make_call()

    def address(self, function: Any, *records: np.dtype[Any]) -> int:
        """Compile `function` for these record types (once) and return the address kernels call.

        Raises ValueError when the number of record types does not fit the hook.
        """
        function = getattr(function, "py_func", function)  # a kernel is compiled again, for the C convention
        if len(records) != self.n_records:
            raise ValueError(f"hook {self.name} takes {self.n_records} records, not {len(records)}")
        key = (function, *(r.descr.__repr__() for r in records))
        if key not in self._compiled:
            if JIT:
                arguments = [numba.from_dtype(r) for r in records] + [types.int64] * self.n_integers
                native = numba.cfunc(types.int64(*arguments), cache=True, error_model="numpy")(function)
                self._compiled[key] = (native, int(native.address))
            else:
                Hook._plain.append(_with_record_types(function, records))
                self._compiled[key] = (function, len(Hook._plain) - 1)
        return self._compiled[key][1]

    def _make_call(self) -> Any:
        if not JIT:
            return lambda address, *args: Hook._plain[int(address)](*args)
        n_records, n_integers = self.n_records, self.n_integers

        @intrinsic  # type: ignore[untyped-decorator]
        def call(context: Any, address: Any, *args: Any) -> Any:
            (arguments,) = args if len(args) == 1 and isinstance(args[0], BaseTuple) else (args,)
            wanted = (types.int64, *arguments[:n_records], *[types.int64] * n_integers)
            signature = types.int64(types.int64, StarArgTuple.from_types(wanted[1:]))

            def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
                target, packed = args
                values = [builder.extract_value(packed, k) for k in range(n_records + n_integers)]
                values[:n_records] = [builder.bitcast(v, _BYTE_POINTER) for v in values[:n_records]]
                function = ir.FunctionType(_I64, [_BYTE_POINTER] * n_records + [_I64] * n_integers)
                return builder.call(builder.inttoptr(target, function.as_pointer()), values)

            return signature, codegen

        return call


class PlainRow:
    """One row by reference when kernels run as plain Python; fields are read and set by name."""

    __slots__ = ("index", "records")

    def __init__(self, records: Records, index: int) -> None:
        """Refer to `records[index]`; raises IndexError when there is no such row."""
        if not 0 <= index < len(records):
            raise IndexError(f"row {index} of a table with {len(records)} rows")
        self.records, self.index = records, index

    def __getitem__(self, field: str) -> Any:
        return self.records[field][self.index]

    def __setitem__(self, field: str, value: Any) -> None:
        self.records[field][self.index] = value

    def cast(self, dtype: np.dtype[Any]) -> PlainRow:
        """Return the same bytes seen as another record type that fits into the row."""
        rows, stride = self.records, self.records.strides
        seen: Records = np.ndarray(rows.shape, dtype, buffer=rows.data, strides=stride)
        return PlainRow(seen, self.index)


def _with_record_types(function: Any, records: tuple[np.dtype[Any], ...]) -> Callable[..., int]:
    """Wrap `function` so that opaque rows arrive as records of its own types, still by reference."""
    n = len(records)

    def typed(*args: Any) -> int:
        return int(function(*[a.cast(r) for a, r in zip(args[:n], records, strict=True)], *args[n:]))

    return typed
