"""The GOAL text format.

    file  = "num_ranks" INT { "rank" INT "{" NL { line } "}" }      ranks 0, 1, ... in order
    line  = [ label ":" ] op NL | label ("requires" | "irequires") label NL | comment | blank
    op    = "send" INT "b" "to"   INT        [ "tag" (INT | -1) ] [ "cpu" INT ] [ "nic" INT ]
          | "recv" INT "b" "from" (INT | -1) [ "tag" (INT | -1) ] [ "cpu" INT ] [ "nic" INT ]
          | "calc" INT [ "cpu" INT ]
    label = [a-zA-Z][a-zA-Z0-9_]* ;  comment = "//" to the end of the line | "/*" ... "*/"

Labels belong to their rank and are defined above their use; of two equal ones the first counts.
Comments stand where a line may start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from uet.base.errors import BadInput
from uet.base.runs import replacing
from uet.schedule.goal.blocks import EDGE, NODE, Blocks
from uet.schedule.goal.format import format_batch
from uet.schedule.goal.mapped import MappedFile, Octets
from uet.schedule.goal.parse import COMPLAINTS, DONE, FULL, parse_batch, parse_header
from uet.schedule.model import Index

_BATCH_NODES = 200_000
_CHUNK_BYTES = 2**24
_SHORTEST_STATEMENT = 7
"""Bytes of 'calc 1' and its line end."""


def write(batches: Iterable[Blocks], path: Path) -> None:
    """Write rank blocks as text; operation k of a rank gets the label l<k + 1>."""
    with replacing(path) as draft, draft.open("wb") as file:
        started = False
        for whole in batches:
            if not started:
                file.write(b"num_ranks %d\n" % whole.n_ranks)
                started = True
            for batch in whole.split():
                file.write(format_batch(batch))


def read(path: Path) -> Iterator[Blocks]:
    """Yield the rank blocks of a text file in batches. Raises BadInput naming line and column of what is wrong."""
    file = MappedFile(path)
    for blocks, end in _blocks(path, file.octets):
        yield blocks
        file.forget(end)


def prepare() -> None:
    """Compile or load the kernels that read text."""
    list(_blocks(Path("prepare.goal"), np.frombuffer(b"num_ranks 1\nrank 0 {\n}\n", np.uint8)))


def _blocks(path: Path, text: Octets) -> Iterator[tuple[Blocks, int]]:
    """Yield the rank blocks in batches, and where each batch ends in the text."""
    state = np.zeros(5, np.int64)
    n_ranks = int(parse_header(text, state))
    if state[1] != DONE:
        raise BadInput(_complaint(path, text, state, 0))
    rank, capacity = 0, min(_BATCH_NODES, len(text) // _SHORTEST_STATEMENT + 1)
    while rank < n_ranks:
        nodes, edges = NODE.zeros(capacity), EDGE.zeros(2 * capacity)
        first_node, first_edge = np.zeros(n_ranks - rank + 1, np.int64), np.zeros(n_ranks - rank + 1, np.int64)
        labels = np.full((_power_of_two(2 * capacity), 4), -1, np.int64)
        k = int(parse_batch(text, state, rank, nodes, edges, first_node, first_edge, labels))
        if state[1] not in (DONE, FULL):
            raise BadInput(_complaint(path, text, state, rank + k))
        if k == 0:
            capacity *= 4  # not even one rank fits
            continue
        first_node, first_edge = first_node[: k + 1].copy(), first_edge[: k + 1].copy()
        blocks = Blocks(
            n_ranks, rank, nodes[: first_node[-1]], edges[: first_edge[-1]], first_node, first_edge,
            _remarks(path, text, state),
        )  # fmt: skip
        yield blocks, int(state[0])
        rank += k


def _power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _remarks(path: Path, text: Octets, state: Index) -> tuple[str, ...]:
    """Tell of labels that were defined twice among the statements just read."""
    if state[3] == 0:
        return ()
    line, column, rest = _place(text, int(state[4]))
    many = "" if state[3] == 1 else f" ({state[3]} such labels, this is the last)"
    return (f"{path}:{line}:{column}: the label is defined above already, where it counts; the line is '{rest}'{many}",)


def _complaint(path: Path, text: Octets, state: Index, rank: int) -> str:
    """Say where parsing stopped and what was expected there."""
    line, column, rest = _place(text, int(state[2]))
    reason = COMPLAINTS[int(state[1])].format(rank=rank)
    return f"{path}:{line}:{column}: {reason}; the line is '{rest}'"


def _place(text: Octets, at: int) -> tuple[int, int, str]:
    """Return the line and column of a byte, from 1 on, and the line itself."""
    at, line, start = min(at, len(text)), 1, 0
    for low in range(0, at, _CHUNK_BYTES):
        ends = np.flatnonzero(text[low : min(low + _CHUNK_BYTES, at)] == ord("\n"))
        if len(ends):
            line, start = line + len(ends), low + int(ends[-1]) + 1
    rest = text[start : start + 200].tobytes().split(b"\n")[0].decode("utf-8", "replace").strip("\r")
    return line, at - start + 1, rest
