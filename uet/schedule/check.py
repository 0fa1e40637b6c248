"""Finding out before a run what is wrong with a schedule."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from uet.base.errors import BadInput
from uet.schedule.model import CALC, Schedule
from uet.schedule.pairing import has_wildcards, mismatches


def problems(schedule: Schedule, limit: int = 20) -> list[str]:
    """Return up to `limit` sentences about what would keep a schedule from finishing; empty if nothing would.

    Found are sends and receives without a partner, lengths that differ, and operations that wait for each
    other in a circle, also through messages. Where some receive has wildcards, messages of its rank and
    circles through messages show only in a run; then circles within ranks are still found.
    """
    found = list(islice(mismatches(schedule), limit))
    if found:
        return found
    try:
        _ = (_without_messages(schedule) if has_wildcards(schedule) else schedule).depth
    except BadInput as circle:
        return [message.removeprefix(f"{schedule.name}: ") for message in circle.messages]
    return []


def check(schedule: Schedule) -> None:
    """Raise BadInput naming all that `problems` finds."""
    found = problems(schedule)
    if found:
        raise BadInput(*(f"{schedule.name}: {problem}" for problem in found))


def _without_messages(schedule: Schedule) -> Schedule:
    """Return the same graph of dependencies with every operation local."""
    operations = schedule.operations.copy()
    operations["kind"], operations["peer"] = CALC, -1
    return replace(schedule, operations=operations)
