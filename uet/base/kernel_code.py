"""How kernels become machine code: what Python calls is optimized and emitted, as one with all that it calls.

numba by itself optimizes and emits every function, and again as a part of each of its callers. A kernel that
other kernels call stays plain intermediate code here, linked into the one that Python calls; there it is a
local function, so that LLVM sees a whole program: it inlines what is called once and drops what is left over.
For a simulation this compiles four times as fast as numba's way.

It rests on numba's libraries of code (`CPUCodeLibrary`), which are no public interface.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import llvmlite.binding as llvm
import numba
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.types.misc import unliteral

_called_by_kernels = False  # whether the code that is now compiled is


@contextlib.contextmanager
def _compiling(called_by_kernels: bool) -> Iterator[None]:
    global _called_by_kernels
    with global_compiler_lock:
        before, _called_by_kernels = _called_by_kernels, called_by_kernels
        try:
            yield
        finally:
            _called_by_kernels = before


class KernelLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of one function and of all it calls: emitted, or only kept for its callers (an inner one)."""

    def __init__(self, codegen: Any, name: str) -> None:
        """Start an empty library; it is an inner one when a kernel is being compiled for other kernels."""
        super().__init__(codegen, name)
        self.is_inner = _called_by_kernels

    def finalize(self) -> None:
        """Link what the function calls; optimize and emit all of it unless this is an inner library."""
        if not self.is_inner and not any(library.is_inner for library in self._linking_libraries):
            super().finalize()
            return
        self._raise_if_finalized()
        own = {function.name for function in self._final_module.functions if not function.is_declaration}
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        if self.is_inner:
            self._keep()
            return
        for function in self._final_module.functions:
            if not function.is_declaration and function.name not in own:
                function.linkage = "private"  # without a symbol: others of this name are optimized differently
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)
        self._final_module.verify()
        self._finalize_final_module()

    def _keep(self) -> None:
        """Finish an inner library; of its symbols only the environments, which numba fills in, are emitted."""
        self._finalize_dynamic_globals()
        names = [v.name for v in self._final_module.global_variables if v.name.startswith("_ZN08NumbaEnv")]
        if new := [n for n in names if not self._codegen._engine.is_symbol_defined(n)]:
            self._codegen._add_module(llvm.parse_assembly("\n".join(f'@"{n}" = common global i8* null' for n in new)))
            self._codegen._engine.finalize_object()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return the address of an emitted function, 0 in an inner library."""
        self._ensure_finalized()
        return 0 if self.is_inner else super().get_pointer_to_function(name)

    def serialize_using_object_code(self) -> tuple[str, str, Any]:
        """Return what `_unserialize` needs; of an inner library that is its intermediate code."""
        self._ensure_finalized()
        if self.is_inner:
            return self.name, "inner", self._final_module.as_bitcode()
        state: tuple[str, str, Any] = super().serialize_using_object_code()
        return state

    @classmethod
    def _unserialize(cls, codegen: Any, state: tuple[str, str, Any]) -> Any:
        name, kind, data = state
        with _compiling(kind == "inner"):
            if kind != "inner":
                return super()._unserialize(codegen, state)
            library = codegen.create_library(name)
        library._final_module = llvm.parse_bitcode(data)
        library._keep()
        return library


cpu_target.target_context.codegen()._library_class = KernelLibrary


def compile_late(function: Any, **options: Any) -> Any:
    """Return `function` as numba.njit would, but compiled by another path for kernels than for Python.

    Kernels get one version for all integers known when compiling: constants come with inlining.
    """
    for_python = numba.njit(cache=True, **options)(function)
    for_kernels = numba.njit(cache=True, no_cpython_wrapper=True, **options)(function)
    compile_for_python, compile_for_kernels = for_python.compile, for_kernels.compile
    template_for_kernels, key = for_kernels.get_call_template, for_kernels._cache._index_key

    def emit(signature: Any) -> Any:
        with _compiling(False):
            return compile_for_python(signature)

    def keep(signature: Any) -> Any:
        with _compiling(True):
            return compile_for_kernels(signature)

    def template(args: Any, kws: Any) -> Any:
        plain = {name: unliteral(kind) for name, kind in kws.items()}
        return template_for_kernels([unliteral(kind) for kind in args], plain)

    for_kernels._cache._index_key = lambda signature, codegen: (*key(signature, codegen), "inner")
    for_python.compile, for_kernels.compile = emit, keep
    for_python.get_call_template, for_python.get_overload = template, for_kernels.get_overload
    return for_python
