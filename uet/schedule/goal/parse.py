"""Kernels that read GOAL text: one pass over the bytes, labels in a hash table per rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.tables import Records
from uet.schedule.goal.blocks import GOAL_CALC, GOAL_RECV, GOAL_SEND
from uet.schedule.goal.mapped import Octets
from uet.schedule.model import Index

DONE, FULL = 0, 1
_CODES: list[Any] = [np.int64(code) for code in range(2, 16)]  # not literals: kernels are compiled once for all
(
    _NUM_RANKS, _RANK, _ORDER, _OPEN, _STATEMENT, _NUMBER, _BYTES, _TO, _FROM, _END, _UNKNOWN_LABEL, _REQUIRES,
    _LARGE, _KEYWORD,
) = _CODES  # fmt: skip

COMPLAINTS = {
    _NUM_RANKS: "expected 'num_ranks NUMBER' with at least one rank",
    _RANK: "expected 'rank {rank} {{' and a new line",
    _ORDER: "expected rank {rank} here; ranks stand in the order 0, 1, 2, ...",
    _OPEN: "rank {rank} is not closed; add '}}'",
    _STATEMENT: "expected an operation, a label or '}}'",
    _NUMBER: "expected a whole number",
    _BYTES: "expected 'b' after the number of bytes",
    _TO: "expected 'to RANK'",
    _FROM: "expected 'from RANK'",
    _END: "expected the end of the line (options stand in the order tag, cpu, nic; comments on their own line)",
    _UNKNOWN_LABEL: "the label is not defined above in rank {rank}",
    _REQUIRES: "expected ':', 'requires' or 'irequires' after the label",
    _LARGE: "the number is too large (cpu and nic up to 255, tags and ranks up to 4294967294)",
    _KEYWORD: "expected send, recv or calc after the label",
}

_BLANK, _TAB, _RETURN, _NEWLINE = 32, 9, 13, 10
_SLASH, _STAR, _COLON, _MINUS, _OPEN_BRACE, _CLOSE_BRACE = 47, 42, 58, 45, 123, 125
_LIMIT: Any = np.int64(2**32 - 2)
_LARGEST: Any = np.int64(2**62)
_BYTE: Any = np.int64(255)

NUM_RANKS, RANK, SEND, RECV, CALC, TO, FROM, TAG, CPU, NIC, REQUIRES, IREQUIRES = (
    np.frombuffer(word, np.uint8)
    for word in (
        b"num_ranks", b"rank", b"send", b"recv", b"calc", b"to", b"from", b"tag", b"cpu", b"nic", b"requires",
        b"irequires",
    )
)  # fmt: skip


@kernel
def _fail(state: Index, code: int, at: int) -> int:
    """Note the first complaint and return the position where parsing stops."""
    if state[1] == DONE:
        state[1], state[2] = code, at
    return at


@kernel
def _blanks(text: Octets, p: int) -> int:
    """Skip blanks within a line."""
    while p < len(text) and (text[p] == _BLANK or text[p] == _TAB or text[p] == _RETURN):
        p += 1
    return p


@kernel
def _space(text: Octets, p: int) -> int:
    """Skip blanks, line ends and comments."""
    while True:
        p = _blanks(text, p)
        if p < len(text) and text[p] == _NEWLINE:
            p += 1
        elif p + 1 < len(text) and text[p] == _SLASH and text[p + 1] == _SLASH:
            while p < len(text) and text[p] != _NEWLINE:
                p += 1
        elif p + 1 < len(text) and text[p] == _SLASH and text[p + 1] == _STAR:
            p += 2
            while p + 1 < len(text) and not (text[p] == _STAR and text[p + 1] == _SLASH):
                p += 1
            p += 2
        else:
            return min(p, len(text))


@kernel
def _letter(c: int) -> bool:
    return 65 <= c <= 90 or 97 <= c <= 122


@kernel
def _digit(c: int) -> bool:
    return 48 <= c <= 57


@kernel
def _word_end(text: Octets, p: int) -> int:
    """Return the end of the label or keyword at p, p itself if there is none."""
    if p >= len(text) or not _letter(text[p]):
        return p
    while p < len(text) and (_letter(text[p]) or _digit(text[p]) or text[p] == 95):
        p += 1
    return p


@kernel
def _same(text: Octets, low: int, high: int, word: Octets) -> bool:
    if high - low != len(word):
        return False
    k = 0
    while k < len(word) and text[low + k] == word[k]:
        k += 1
    return k == len(word)


@kernel
def _number(text: Octets, p: int, state: Index, largest: int) -> tuple[int, int]:
    """Read a whole number after blanks; return it and where it ends."""
    p = _blanks(text, p)
    start = p
    value: Any = np.int64(0)
    while p < len(text) and _digit(text[p]):
        if value > largest:
            break
        value = value * 10 + np.int64(text[p]) - 48
        p += 1
    if p == start:
        return 0, _fail(state, _NUMBER, p)
    if value > largest:
        return 0, _fail(state, _LARGE, start)
    return value, p


@kernel
def _number_or_any(text: Octets, p: int, state: Index) -> tuple[int, int]:
    """Read a whole number of 32 bits, or -1."""
    p = _blanks(text, p)
    if p + 1 < len(text) and text[p] == _MINUS and text[p + 1] == 49:
        return -1, p + 2
    return _number(text, p, state, _LIMIT)


@kernel
def _option(text: Octets, p: int, word: Octets) -> int:
    """Return the position after the keyword if it comes next, else -1."""
    p = _blanks(text, p)
    end = _word_end(text, p)
    return end if _same(text, p, end, word) else -1


@kernel
def _small_option(text: Octets, p: int, state: Index, word: Octets) -> tuple[int, int]:
    """Read an optional keyword with a number of up to 255; return it (0 without) and the position."""
    after = _option(text, p, word)
    return _number(text, after, state, _BYTE) if after >= 0 else (0, p)


@kernel
def _operation(text: Octets, p: int, kind: int, state: Index, nodes: Records, node: int) -> int:
    """Read the rest of an operation after its keyword into a node; return where its line ends."""
    size, p = _number(text, p, state, _LARGEST)
    peer, tag, nic = 0, 0, 0
    if kind != GOAL_CALC and state[1] == DONE:
        after = _blanks(text, p)
        if after >= len(text) or text[after] != 98:
            return _fail(state, _BYTES, after)
        p = _option(text, after + 1, TO if kind == GOAL_SEND else FROM)
        if p < 0:
            return _fail(state, _TO if kind == GOAL_SEND else _FROM, _blanks(text, after + 1))
        if kind == GOAL_SEND:
            peer, p = _number(text, p, state, _LIMIT)
        else:
            peer, p = _number_or_any(text, p, state)
        after = _option(text, p, TAG)
        if after >= 0:
            tag, p = _number_or_any(text, after, state)
    cpu, p = _small_option(text, p, state, CPU)
    if kind != GOAL_CALC:
        nic, p = _small_option(text, p, state, NIC)
    p = _blanks(text, p)
    if p < len(text) and text[p] != _NEWLINE:
        return _fail(state, _END, p)
    nodes["type"][node], nodes["size"][node], nodes["peer"][node] = kind, size, peer
    nodes["tag"][node], nodes["cpu"][node], nodes["nic"][node] = tag, cpu, nic
    return p


@kernel
def _slot(text: Octets, low: int, high: int, rank: int, labels: Index) -> int:
    """Return the slot of a label: its own if this rank has defined it, else the first free one.

    Rows of `labels`: rank, start in the text, length, node. Slots of earlier ranks count as free.
    """
    mask = len(labels) - 1
    h: Any = np.int64(0)
    for k in range(low, high):
        h = (h * 31 + np.int64(text[k])) & mask
    while labels[h, 0] == rank:
        if labels[h, 2] == high - low:
            start, k = labels[h, 1], 0
            while k < high - low and text[start + k] == text[low + k]:
                k += 1
            if k == high - low:
                return h
        h = (h + 1) & mask
    return h


@kernel
def _known(text: Octets, low: int, high: int, rank: int, labels: Index, state: Index) -> int:
    """Return the node with a label; complain if there is none."""
    slot = _slot(text, low, high, rank, labels)
    if high == low or labels[slot, 0] != rank:
        _fail(state, _UNKNOWN_LABEL, low)
        return -1
    return labels[slot, 3]


@kernel
def _kind(text: Octets, low: int, high: int) -> int:
    """Return the type of operation that a word names, 0 if it is none."""
    if _same(text, low, high, SEND):
        return GOAL_SEND
    if _same(text, low, high, RECV):
        return GOAL_RECV
    return GOAL_CALC if _same(text, low, high, CALC) else 0


@kernel
def _dependency(
    text: Octets, low: int, high: int, rank: int, labels: Index, state: Index, edges: Records, edge: int
) -> int:
    """Read `requires LABEL` or `irequires LABEL` after the label [low, high); return where the line ends."""
    p = _blanks(text, high)
    end = _word_end(text, p)
    on_start = _same(text, p, end, IREQUIRES)
    if not on_start and not _same(text, p, end, REQUIRES):
        return _fail(state, _REQUIRES, p)
    p = _blanks(text, end)
    end = _word_end(text, p)
    edges["waiting"][edge] = _known(text, low, high, rank, labels, state)
    edges["awaited"][edge] = _known(text, p, end, rank, labels, state)
    edges["on_start"][edge] = on_start
    p = _blanks(text, end)
    if p < len(text) and text[p] != _NEWLINE:
        return _fail(state, _END, p)
    return p


@kernel
def _statement(
    text: Octets,
    p: int,
    rank: int,
    state: Index,
    nodes: Records,
    edges: Records,
    counts: Index,
    labels: Index,
    node0: int,
) -> int:
    """Read one line; counts are the nodes and edges so far. Return where it ends."""
    end = _word_end(text, p)
    if end == p:
        return _fail(state, _STATEMENT, p)
    kind = _kind(text, p, end)
    after = end
    if kind == 0:
        after = _blanks(text, end)
        if after >= len(text) or text[after] != _COLON:
            counts[1] += 1
            return _dependency(text, p, end, rank, labels, state, edges, counts[1] - 1)
        slot = _slot(text, p, end, rank, labels)
        if labels[slot, 0] != rank:
            labels[slot, 0], labels[slot, 1], labels[slot, 2], labels[slot, 3] = rank, p, end - p, counts[0] - node0
        else:
            state[3], state[4] = state[3] + 1, p
        low = _blanks(text, after + 1)
        after = _word_end(text, low)
        kind = _kind(text, low, after)
        if kind == 0:
            return _fail(state, _KEYWORD, low)
    counts[0] += 1
    return _operation(text, after, kind, state, nodes, counts[0] - 1)


@kernel
def _rank_start(text: Octets, p: int, rank: int, state: Index) -> int:
    """Read `rank NUMBER {` up to the end of the line."""
    p = _space(text, p)
    after = _option(text, p, RANK)
    if after < 0:
        return _fail(state, _RANK, p)
    number, end = _number(text, after, state, _LIMIT)
    if state[1] == DONE and number != rank:
        return _fail(state, _ORDER, p)
    p = _blanks(text, end)
    if p >= len(text) or text[p] != _OPEN_BRACE:
        return _fail(state, _RANK, p)
    return p + 1


@kernel
def parse_header(text: Octets, state: Index) -> int:
    """Read `num_ranks NUMBER` and return the number; state becomes position, code and place of a complaint."""
    p = _space(text, 0)
    after = _option(text, p, NUM_RANKS)
    if after < 0:
        _fail(state, _NUM_RANKS, p)
        return 0
    number, end = _number(text, after, state, _LIMIT)
    if number == 0:
        _fail(state, _NUM_RANKS, p)
    state[0] = end
    return number


@kernel
def parse_batch(
    text: Octets, state: Index, rank: int, nodes: Records, edges: Records, first_node: Index, first_edge: Index,
    labels: Index,
) -> int:  # fmt: skip
    """Read rank blocks from state[0] on until all are read or the next does not fit; return how many.

    state[1] becomes DONE (all ranks of first_node read), FULL, or the code of a complaint about state[2];
    state[3] the number of labels that were already defined, state[4] where the last of them stands.
    """
    counts = np.zeros(2, np.int64)
    state[1] = DONE
    state[3] = 0
    for k in range(len(first_node) - 1):
        doubled = state[3]
        p = _rank_start(text, state[0], rank + k, state)
        while state[1] == DONE:
            p = _space(text, p)
            if p >= len(text):
                _fail(state, _OPEN, p)
            elif text[p] == _CLOSE_BRACE:
                break
            elif counts[0] == len(nodes) or counts[1] == len(edges):
                state[1] = FULL
            else:
                p = _statement(text, p, rank + k, state, nodes, edges, counts, labels, first_node[k])
        if state[1] != DONE:
            state[3] = doubled
            return k
        state[0] = p + 1
        first_node[k + 1], first_edge[k + 1] = counts[0], counts[1]
    return len(first_node) - 1
