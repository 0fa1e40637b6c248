"""From recorded times to dependencies: what a rank waited for, and how long it computed in between."""

from __future__ import annotations

from dataclasses import replace

from emulation.workloads.imports.trace import CALC, RECV, SEND, Call


def timeline(calls: list[Call]) -> list[Call]:
    """Return the calls of a rank, in order of time, with the computations between them.

    A call waits for the calls that had ended when it started, and for a computation that lasts as long as the
    rank had been without a new call or an end since; calls that overlap do not wait for each other. A receive
    waits for no send, so two ranks that first send to each other and then receive cannot block.
    """
    found: list[Call] = []
    running: list[tuple[float, int, str]] = []  # end, place, kind
    anchor: tuple[int, ...] = ()
    anchor_us = min((c.start_us for c in calls), default=0.0)
    for call in sorted(calls, key=lambda c: c.start_us):
        ended = [r for r in running if r[0] <= call.start_us and not (call.kind == RECV and r[2] == SEND)]
        running = [r for r in running if r not in ended]
        since_us = max(anchor_us, *(end for end, _, _ in ended)) if ended else anchor_us
        if ended or call.start_us > since_us:
            gap_us = call.start_us - since_us
            after = (*anchor, *(place for _, place, _ in ended))
            anchor, anchor_us = (len(found),), call.start_us
            found.append(Call(CALC, start_us=since_us, duration_us=gap_us, after=after))
        running.append((call.start_us + call.duration_us, len(found), call.kind))
        found.append(replace(call, after=anchor))
    return found
