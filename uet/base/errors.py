"""The exceptions a user can meet, and the exit code each one ends a command with.

UetError
├── BadInput        2   a value, key, file or option is wrong
├── NoAnswer        3   the question is well posed but has no answer (infeasible, unfinished)
├── CheckFailed     4   it ran, but its own check of the result failed
├── Unavailable     5   a privilege or a kernel feature is missing
└── Interrupted   130   the user stopped the run; its partial result was kept and marked

Exit code 0 is success, 1 a bug of ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class UetError(Exception):
    """Base of every error that is reported as one sentence, without a traceback."""

    exit_code = 1

    def __init__(self, *messages: str) -> None:
        """Take one message per independent problem; each names the place and the remedy."""
        super().__init__("\n".join(messages))
        self.messages = messages


class BadInput(UetError):
    """A value, key, file or option is wrong."""

    exit_code = 2


class NoAnswer(UetError):
    """The question is well posed but has no answer."""

    exit_code = 3


class CheckFailed(UetError):
    """The work ran, but its own check of the result failed."""

    exit_code = 4


class Unavailable(UetError):
    """A privilege or a kernel feature is missing on this machine."""

    exit_code = 5


class Interrupted(UetError):
    """The user stopped the run; what there is of its result was kept."""

    exit_code = 130


def nearest(word: str, legal: Iterable[str]) -> str:
    """Return a remedy for an unknown `word`: the closest legal one if any is close, and all legal ones."""
    from difflib import get_close_matches

    names: Sequence[str] = sorted(legal)
    close = get_close_matches(word, names, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}legal: {', '.join(names)}"
