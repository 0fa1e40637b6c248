"""Finding out what a trace is, and reading it: one file, a folder with one per rank, or the prefix of Chakra files."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import Any

from emulation.workloads.imports.aicb import is_aicb, read_aicb
from emulation.workloads.imports.chakra import read_chakra
from emulation.workloads.imports.execution_trace import is_execution_trace, read_execution_trace
from emulation.workloads.imports.kineto import is_kineto, read_kineto
from emulation.workloads.imports.trace import MOST_RANKS, RankTrace, Trace, job
from uet.base.errors import BadInput

Groups = dict[str, tuple[int, ...]]
Say = Callable[[str], None]

_GZIP = b"\x1f\x8b"
_SUFFIXES = (".json", ".gz", ".et", ".txt", ".trace")


def read_trace(path: str | Path, groups: str | Path | None = None, say: Say | None = None) -> Trace:
    """Return the job that a trace tells of.

    `path` is a file (Kineto, PyTorch execution trace, Chakra, AICB; JSON may be gzipped), a folder with one file
    per rank, or a prefix such that `<prefix>.<rank>.et` are there. `groups` is a JSON file of group names and
    ranks for Chakra traces. Raises BadInput naming file and place of what is wrong.
    """
    path = Path(path)
    files = _files(path)
    forms: dict[str, list[RankTrace]] = {}
    known: Groups = _read_groups(Path(groups)) if groups is not None else {}
    pending: list[tuple[Path, bytes | dict[str, Any] | str]] = []
    for file in files:
        if say is not None and len(files) > 1:
            say(f"reading {file.name}")
        content = _content(file)
        listed = _as_groups(content) if len(files) > 1 else None
        if listed is None:
            pending.append((file, content))
        else:
            known |= listed
    if not pending:
        raise BadInput(f"{path}: holds lists of groups but no trace; name the folder of the traces")
    ranks = _ranks([file for file, _ in pending])
    for (file, content), rank in zip(pending, ranks, strict=True):
        form, trace = _read(content, str(file), rank, known, len(pending))
        forms.setdefault(form, []).append(trace)
    if len(forms) > 1:
        raise BadInput(f"{path}: holds traces of {' and '.join(sorted(forms))}; keep those of one kind")
    ((form, traces),) = forms.items()
    if len(traces) == 1 and (traces[0].world_size or MOST_RANKS) <= traces[0].rank:
        traces[0].rank = 0  # the number in the file's name is no rank
    if form == "aicb" and len(traces) > 1:
        raise BadInput(f"{path}: holds {len(traces)} AICB workloads, each of which is a whole job; name one file")
    return job(path.name, form, traces)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.is_file() and f.suffix in _SUFFIXES and f.name[0] != ".")
        if not files:
            raise BadInput(f"{path}: has no traces; expected files ending in {', '.join(_SUFFIXES)}")
        return files
    if path.exists():
        return [path]
    files = sorted(path.parent.glob(f"{escape(path.name)}.*.et"))
    if not files:
        raise BadInput(f"{path}: is not there, nor are Chakra traces {path.name}.<rank>.et; check the path")
    return files


def _content(file: Path) -> bytes | dict[str, Any] | str:
    """Return a JSON document, the text of an AICB workload, or bytes."""
    try:
        data = file.read_bytes()
        if data.startswith(_GZIP):
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{file}: cannot be read ({reason}); the file may be cut short") from None
    start = data[:256].lstrip()
    if start[:1] in (b"{", b"["):
        return _document(file, data)
    text = data.decode("utf-8", "replace") if is_aicb(start.decode("utf-8", "replace")) else None
    return data if text is None else text


def _document(file: Path, data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data.decode("utf-8", "replace"), strict=False)
    except ValueError as error:
        raise BadInput(f"{file}: {error}; the file may be cut short") from None
    except RecursionError:
        raise BadInput(f"{file}: is nested too deeply; is it a trace?") from None
    if isinstance(document, list):  # the bare list of events that browsers accept as well
        return {"traceEvents": document}
    return dict(document)


def _read(
    content: bytes | dict[str, Any] | str, source: str, rank: int, groups: Groups, n_files: int
) -> tuple[str, RankTrace]:
    """Return the name of a format and what a file of it tells."""
    if isinstance(content, str):
        return "aicb", read_aicb(content, source)
    if isinstance(content, bytes):
        return "chakra", read_chakra(content, source, rank, groups, n_files)
    if is_kineto(content):
        return "kineto", read_kineto(content, source, rank)
    if is_execution_trace(content):
        return "pytorch-et", read_execution_trace(content, source, rank)
    keys = ", ".join(sorted(content)[:5]) or "none"
    raise BadInput(
        f"{source}: is JSON but no trace that uet knows (keys: {keys}); expected traceEvents, or schema and nodes"
    )


def _read_groups(path: Path) -> Groups:
    groups = _as_groups(_content(path))
    if groups is None:
        raise BadInput(f'{path}: is no list of groups; write {{"name": [rank, ...], ...}} in JSON')
    return groups


def _as_groups(content: Any) -> Groups | None:
    """Return a JSON mapping of group names to ranks, None if it is something else."""
    if not isinstance(content, dict) or not content:
        return None
    lists = [v for v in content.values() if isinstance(v, list) and v and all(type(r) is int for r in v)]
    return {str(k): tuple(v) for k, v in content.items()} if len(lists) == len(content) else None


def _ranks(files: list[Path]) -> list[int]:
    """Return the rank that each file's name tells, or their order where the names of several do not tell ranks."""
    told = [_rank_in(file.name) for file in files]
    if len(files) == 1:
        return [told[0] or 0]
    distinct = None not in told and len(set(told)) == len(told)
    return [t for t in told if t is not None] if distinct else list(range(len(files)))


def _rank_in(name: str) -> int | None:
    stem = re.sub(r"(\.(json|gz|et|pt|trace|txt))+$", "", name)
    found = re.search(r"(?:rank|worker|npu|gpu)[-_ ]?(\d+)", stem, re.IGNORECASE) or re.search(r"[._-](\d+)$", stem)
    return int(found[1]) if found and int(found[1]) <= MOST_RANKS else None
