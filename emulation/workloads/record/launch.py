"""Starting a program once per rank, each under the recorder, and collecting the traces."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from uet.base.errors import BadInput, Interrupted, NoAnswer

Say = Callable[[str], None]

WATCHED = Path(__file__).with_name("watched.py")
_OUTPUT_LINES = 20


def record(command: Sequence[str], n_ranks: int, folder: Path, say: Say | None = None) -> list[Path]:
    """Run `command` once per rank on this machine and return the traces `rank<r>.json.gz` in `folder`.

    `command` is a Python interpreter, its options, and a program (or -m module) that calls init_process_group
    with backend gloo and the environment's address. The folder appears when all are done. Raises BadInput for
    other commands and NoAnswer if a rank fails or leaves no trace.
    """
    interpreter, program = _split(command)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.absolute().parent))
    try:
        _run([*interpreter, str(WATCHED)], program, n_ranks, draft, say)
        _pack(draft, n_ranks)
        draft.chmod(0o755)
        if folder.is_dir():
            shutil.rmtree(folder)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(folder.iterdir())


def _split(command: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command at its program: options of the interpreter stay before it."""
    if not command or "python" not in Path(command[0]).name:
        raise BadInput(
            f"'{' '.join(command)}' does not start with a Python interpreter; write -- python program.py ..., "
            "uet itself starts one process per rank"
        )
    if shutil.which(command[0]) is None:
        raise BadInput(f"{command[0]}: there is no such program; check the path")
    for k, word in enumerate(command[1:], start=1):
        if word == "-m" or not word.startswith("-"):
            if word != "-m" and not Path(word).is_file():
                raise BadInput(f"{word}: there is no such program; check the path")
            if len(command) > k + (word == "-m"):
                return list(command[:k]), list(command[k:])
    raise BadInput(f"'{' '.join(command)}' names no program; write -- python program.py ...")


def _run(start: list[str], program: list[str], n_ranks: int, draft: Path, say: Say | None) -> None:
    """Run all ranks; the first that fails ends the others."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(n_ranks)}
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for rank in range(n_ranks):
            environment = {"OMP_NUM_THREADS": "1", **os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            words = [*start, str(draft / f"rank{rank}.json"), *program]
            with (draft / f"rank{rank}.log").open("wb") as log:
                processes.append(subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.STDOUT))
        _wait(processes, draft, say)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; no trace was kept") from None
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        for process in processes:
            process.wait()


def _wait(processes: list[subprocess.Popen[bytes]], draft: Path, say: Say | None) -> None:
    while True:
        codes = [process.poll() for process in processes]
        failed = next((rank for rank, code in enumerate(codes) if code), None)
        if failed is not None:
            lines = (draft / f"rank{failed}.log").read_text("utf-8", "replace").splitlines()
            last = "; ".join(line.strip() for line in lines[-_OUTPUT_LINES:] if line.strip())[-600:]
            raise NoAnswer(f"rank {failed} ended with exit code {codes[failed]}: {last or 'it said nothing'}")
        if all(code == 0 for code in codes):
            return
        if say is not None:
            say(f"{sum(code == 0 for code in codes)} of {len(codes)} ranks done")
        time.sleep(0.1)


def _pack(draft: Path, n_ranks: int) -> None:
    """Compress the traces and drop what the ranks printed."""
    for rank in range(n_ranks):
        trace = draft / f"rank{rank}.json"
        if not trace.is_file():
            raise NoAnswer(
                f"rank {rank} left no trace; the program must call torch.distributed.init_process_group in the "
                "process that uet starts"
            )
        packed = gzip.compress(trace.read_bytes(), mtime=0)
        trace.with_suffix(".json.gz").write_bytes(packed)
        trace.unlink()
        trace.with_suffix(".log").unlink()
