"""Where operations stand in a GOAL text, for messages about them: a second, plain pass over a file that is legal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_RANK = re.compile(r"rank\s+(\d+)\s*\{")
_OPERATION = re.compile(r"(?:[A-Za-z]\w*\s*:\s*)?(?:send|recv|calc)\s")


_NAMED = re.compile(r"rank (\d+) operation (\d+)")


def with_lines(path: Path, sentences: Iterable[str]) -> list[str]:
    """Return sentences with the line of each operation they name as 'rank R operation K', for a .goal text."""
    given = list(sentences)
    if path.suffix.lower() != ".goal":
        return given
    named = {(int(r), int(k)) for sentence in given for r, k in _NAMED.findall(sentence)}
    lines = find_lines(path, named)

    def located(match: re.Match[str]) -> str:
        place = lines.get((int(match[1]), int(match[2])))
        return match[0] if place is None else f"{match[0]} (line {place[0]})"

    return [_NAMED.sub(located, sentence) for sentence in given]


def find_lines(path: Path, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, str]]:
    """Return line number (from 1) and text of operations, given as rank and number within the rank (from 0)."""
    missing, found = set(wanted), {}
    rank = index = -1
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in _statements(file):
            started = _RANK.match(line)
            if started:
                rank, index = int(started[1]), -1
            elif _OPERATION.match(line):
                index += 1
                if (rank, index) in missing:
                    found[rank, index] = number, line
                    missing.remove((rank, index))
            if not missing:
                break
    return found


def _statements(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines without comments, which stand where a line may start."""
    commented = False
    for number, line in enumerate(lines, start=1):
        rest = line.strip()
        while rest:
            if commented:
                _, end, rest = rest.partition("*/")
                commented = not end
                rest = rest.strip()
            elif rest.startswith("/*"):
                commented, rest = True, rest[2:]
            else:
                break
        if rest and not rest.startswith("//"):
            yield number, rest
