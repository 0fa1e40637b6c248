"""Run folders: everything a run leaves behind, in one place, complete or clearly marked.

    manifest.json   schema, command, versions, seed, profile, digests, status, host facts and times
    spec.yaml       the specification that was run
    summary.json    the answer
    perf.json       seconds and bytes of memory: what differs between two equal runs
    *.parquet       tables (flows, ports, series)
    figures/        *.png, each with a *.csv of its numbers
    report.html     the same to read, in one file that needs no network

Everything but manifest.json and perf.json depends only on the specification, the seed and the
versions. Files are written to `.<name>.<pid>.tmp` beside the target, which is renamed at the end,
so a folder that has the target's name is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from uet.base.errors import BadInput, Interrupted, UetError

SCHEMA = "uet.run/1"
UNHASHED = ("manifest.json", "perf.json")
LIBRARIES = ("uet", "numpy", "numba", "pyarrow", "matplotlib")


def versions(libraries: Sequence[str] = LIBRARIES) -> dict[str, str | None]:
    """Return the versions of Python and of installed distributions by name, None where absent."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def to_json(document: Any) -> str:
    """Return `document` as indented JSON text; numpy scalars become numbers, NaN and infinity are refused."""

    def plain(value: Any) -> Any:
        if hasattr(value, "tolist"):  # numpy scalars and arrays, without importing numpy
            return value.tolist()
        raise TypeError(f"{type(value).__name__} has no JSON form")

    return json.dumps(document, indent=2, allow_nan=False, default=plain, ensure_ascii=False)


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give the block a path to write to; the file gets the name `target` at the end, or vanishes on any error."""
    draft = target.with_name(f".{target.stem}.{os.getpid()}.tmp{target.suffix}")
    try:
        yield draft
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


class RunFolder:
    """A folder being written. Use as a context manager; on leaving it gets its name and manifest.

    The status is `complete` after a normal end (unless `end_as` says otherwise), `invalid` after a
    `UetError` and `partial` after an interrupt; any other exception leaves nothing behind.
    """

    def __init__(
        self, target: str | Path, command: str, seed: int | None = None, profile: str | None = None, force: bool = False
    ) -> None:
        """Reserve `target`. Raises BadInput before any work when it exists (without `force`) or cannot be written."""
        self.target = Path(target).absolute()
        self._manifest: dict[str, Any] = {
            "schema": SCHEMA,
            "id": self.target.name,
            "command": command,
            "seed": seed,
            "profile": profile,
        }
        self._started = time.time()
        self._end: tuple[str, Sequence[str]] = ("complete", ())
        self._check_target(force)
        self.folder = self.target.parent / f".{self.target.name}.{os.getpid()}.tmp"
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir()
        except OSError as error:
            raise BadInput(f"{target}: cannot be written ({error.strerror}); choose another folder") from None

    def _check_target(self, force: bool) -> None:
        if not os.path.lexists(self.target):
            return
        if not force:
            raise BadInput(f"{self.target}: already exists; choose another folder or overwrite it with --force")
        if not self.target.is_dir():
            raise BadInput(f"{self.target}: is not a folder; choose another name")
        if any(self.target.iterdir()) and _read_schema(self.target) != SCHEMA:
            raise BadInput(f"{self.target}: is not a run folder and is not overwritten; choose another folder")

    def path(self, name: str) -> Path:
        """Return where file `name` (may hold slashes) is to be written; its folder is made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a JSON file: summary.json, perf.json."""
        self.path(name).write_text(to_json(document) + "\n", encoding="utf-8")

    def write_spec(self, document: Mapping[str, Any]) -> None:
        """Write spec.yaml."""
        import yaml

        text = yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True)
        self.path("spec.yaml").write_text(text, encoding="utf-8")

    def write_table(self, name: str, columns: Mapping[str, Any]) -> None:
        """Write `name`.parquet from equally long columns (arrays or lists)."""
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.table(dict(columns)), self.path(f"{name}.parquet"))

    def end_as(self, status: str, errors: Sequence[str] = ()) -> None:
        """Say how the run ended: complete, partial or invalid, and why."""
        self._end = (status, errors)

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt | Interrupted):
            self.end_as("partial", ["interrupted"])
        elif isinstance(error, UetError):
            self.end_as("invalid", error.messages)
        elif error is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        self._finish(*self._end)

    def _finish(self, status: str, errors: Sequence[str]) -> None:
        """Write the manifest and give the folder its name."""
        files = sorted(p for p in self.folder.rglob("*") if p.is_file())
        names = [p.relative_to(self.folder).as_posix() for p in files]
        hashes = {n: hashlib.sha256(p.read_bytes()).hexdigest() for n, p in zip(names, files, strict=True)}
        self._manifest |= {
            "status": status,
            "errors": list(errors),
            "versions": versions(),
            "started_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._started)),
            "elapsed_s": round(time.time() - self._started, 3),
            "host": {"system": platform.platform(), "machine": platform.machine(), "cores": os.cpu_count()},
            "argv": sys.argv[1:],
            "digests": {n: h for n, h in hashes.items() if n not in UNHASHED},
        }
        self.write_json("manifest.json", self._manifest)
        if self.target.is_dir():  # only with force, and checked when reserved
            shutil.rmtree(self.target)
        self.folder.rename(self.target)


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """Return the manifest of a run folder; BadInput if it is none."""
    if _read_schema(Path(folder)) != SCHEMA:
        raise BadInput(f"{folder}: is not a run folder (no manifest.json of schema {SCHEMA}); check the path")
    manifest: dict[str, Any] = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def _read_schema(folder: Path) -> Any:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest.get("schema") if isinstance(manifest, dict) else None
