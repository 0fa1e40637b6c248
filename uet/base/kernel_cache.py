"""Where compiled kernels are kept, and when they are stale: numba's own cache notices an edit neither in a
callee's file nor in that of an imported constant, so a kernel is stamped with the content of its file and of
every file of ours that this one imports, directly or through others.

numba also numbers the files of a kernel's versions by an index that two processes may change at once, so that one
would find the other's version under its own name: files are named by what is in them here.

An edit recompiles what depends on it and nothing else; a fresh checkout and a touched file recompile nothing
more than their content asks for. A directory belongs to one checkout and one way of compiling, so that two
never overwrite each other's kernels.
"""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from numba.core import caching

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("uet", "topologies", "solvers", "emulation")
LOCATOR = f"{__name__}.ContentLocator"
_IMPORT = re.compile(r"^\s*(?:from ([\w.]+) import (\([^)]*\)|.*)|import ([\w.]+))", re.MULTILINE)


@functools.cache
def content_digest(file: Path) -> str:
    """Return a digest of a source file and of all files of ours that it imports, directly or through others.

    Raises OSError when the file cannot be read.
    """
    found, waiting = {file}, [file]
    while waiting:
        new = imported_files(waiting.pop()) - found
        found |= new
        waiting += new
    digest = hashlib.sha256()
    for path in sorted(found):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


@functools.cache
def imported_files(file: Path) -> frozenset[Path]:
    """Return the files of ours whose modules, or objects of whose modules, a source file imports."""
    modules = set()
    for origin, names, module in _IMPORT.findall(file.read_text(encoding="utf-8")):
        modules.add(origin or module)
        modules |= {f"{origin}.{name}" for name in re.findall(r"\w+", names)}
    ours = (module.split(".") for module in modules if module.split(".")[0] in PACKAGES)
    stems = [ROOT.joinpath(*parts) for parts in ours]
    paths = (path for stem in stems for path in (stem.with_suffix(".py"), stem / "__init__.py"))
    return frozenset(path for path in paths if path.is_file())


def choose_directory() -> Path:
    """Return the folder of compiled kernels: in NUMBA_CACHE_DIR, else the user's cache, else a temporary one."""
    import platformdirs

    base = Path(os.environ.get("NUMBA_CACHE_DIR") or platformdirs.user_cache_dir("uet"))
    mode = f"{ROOT} {sys.version} {os.environ.get('NUMBA_BOUNDSCHECK', '')}"
    directory = base / f"kernels-{hashlib.sha256(mode.encode()).hexdigest()[:8]}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        directory = Path(tempfile.mkdtemp(prefix="uet-kernels-"))
    return directory


DIRECTORY = choose_directory()


class ContentLocator:
    """Tells numba where the kernels of a source file lie and which content they were compiled from."""

    def __init__(self, file: Path, line: int) -> None:
        self._file, self._line = file, line
        near = file.relative_to(ROOT) if file.is_relative_to(ROOT) else Path("elsewhere", *file.parts[1:])
        self._directory = DIRECTORY / near.parent

    @classmethod
    def from_function(cls, function: Any, file: str) -> ContentLocator | None:
        """Return the locator of a kernel in a file of ours or using ours, if its folder can be written, else None."""
        path = Path(file).resolve()
        if not path.is_file() or not imported_files(path):
            return None
        locator = cls(path, function.__code__.co_firstlineno)
        try:
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator

    def ensure_cache_path(self) -> None:
        """Make the folder and try to write into it; raises OSError when that fails."""
        self._directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self._directory).close()

    def get_cache_path(self) -> str:
        """Return the folder of the file's kernels."""
        return str(self._directory)

    def get_source_stamp(self) -> str:
        """Return what must be equal for a stored kernel to be valid."""
        return content_digest(self._file)

    def get_disambiguator(self) -> str:
        """Return what tells functions of the same name in one file apart."""
        return str(self._line)


class VersionFiles(caching.IndexDataCacheFile):  # type: ignore[misc]
    """The files of a kernel's versions: an index and one file for each, named by source stamp and signature.

    Of two processes that write at once one may lose its entry in the index, which costs a compilation.
    """

    def save(self, key: Any, data: Any) -> None:
        """Store the version `data` of a kernel under its key, and remove files that the index does not know."""
        overloads = self._load_index()
        base = self._index_name.removesuffix(".nbi")
        digest = hashlib.sha256(f"{self._source_stamp} {key!r}".encode()).hexdigest()[:16]
        overloads[key] = name = f"{base}.{digest}.nbc"
        self._save_data(name, data)
        self._save_index(overloads)
        known = set(overloads.values())
        for file in Path(self._cache_path).glob(f"{glob.escape(base)}.*.nbc"):
            if file.name not in known:
                file.unlink(missing_ok=True)


caching.IndexDataCacheFile = VersionFiles
