"""Pictures of docs/transport.md drawn from the tables: the life of a PDC, and the packets of one.

`python -m uet.transport.diagram FOLDER` writes pdc_states.svg and pdc_timeline.svg.
"""

from __future__ import annotations

import sys
from math import hypot
from pathlib import Path

from uet.transport.lifecycle import TRANSITIONS, Action, State

_PLACES = {
    State.CLOSED: (520, 40), State.SYN_SENT: (220, 140), State.ESTABLISHED: (220, 250), State.QUIESCE: (220, 360),
    State.ACK_WAIT: (220, 480), State.CLOSE_WAIT: (340, 590), State.ERROR: (610, 420),
    State.TARGET_PENDING: (960, 140), State.TARGET_ESTABLISHED: (900, 290), State.TARGET_CLOSING: (900, 500),
}  # fmt: skip
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="sans-serif" font-size="11">'
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs><rect width="100%" height="100%" fill="white"/>'
)
_HALF_WIDTH, _HALF_HEIGHT = 78, 16
_BESIDE = 9  # how far the arrows of two states that lead to each other are apart from the middle


def state_diagram() -> str:
    """Return the SVG of `lifecycle.TRANSITIONS`: a box per state, an arrow per pair of states."""
    labels: dict[tuple[State, State], list[str]] = {}
    for (state, what), (following, action) in TRANSITIONS.items():
        did = "" if action == Action.NOTHING else f" / {action.name.lower()}"
        labels.setdefault((state, following), []).append(f"{what.name}{did}")
    parts = [_HEAD.format(w=1080, h=630)]
    parts += [_arrow(pair, texts, pair[::-1] in labels) for pair, texts in labels.items()]
    for state, (x, y) in _PLACES.items():
        fill = "#fde2e2" if state == State.ERROR else "#e3edfb" if "TARGET" not in state.name else "#e6f4e6"
        parts.append(
            f'<rect x="{x - _HALF_WIDTH}" y="{y - _HALF_HEIGHT}" width="{2 * _HALF_WIDTH}" height="{2 * _HALF_HEIGHT}" '
            f'rx="6" fill="{fill}" stroke="#444"/><text x="{x}" y="{y + 4}" text-anchor="middle">{state.name}</text>'
        )
    return "".join(parts) + "</svg>\n"


def _arrow(pair: tuple[State, State], texts: list[str], both_ways: bool) -> str:
    (x0, y0), (x1, y1) = _PLACES[pair[0]], _PLACES[pair[1]]
    if pair[0] == pair[1]:
        return _text(x0 - 8, y0 + 30, [f"stays: {t}" for t in texts], "end")
    if any(x == x0 == x1 and y0 < y < y1 for x, y in _PLACES.values()):
        return _bow(x0 - _HALF_WIDTH, y0, y1, texts)
    dx, dy = x1 - x0, y1 - y0
    aside = _BESIDE / hypot(dx, dy) if both_ways else 0.0
    right = (-dy * aside, dx * aside)
    out, into = _to_edge((dx, dy), right), _to_edge((-dx, -dy), right)
    a = (x0 + dx * out + right[0], y0 + dy * out + right[1])
    b = (x1 - dx * into + right[0], y1 - dy * into + right[1])
    share = 0.3 if both_ways or pair[1] in (State.ERROR, State.CLOSED) else 0.5
    x, y = a[0] + share * (b[0] - a[0]) + 4, a[1] + share * (b[1] - a[1])
    return _line(f"M{a[0]:.0f} {a[1]:.0f}L{b[0]:.0f} {b[1]:.0f}") + _text(x, y - 6 * (len(texts) - 1), texts)


def _to_edge(way: tuple[float, float], start: tuple[float, float]) -> float:
    """Return which part of `way` leads from `start`, seen from the middle of a box, to the edge of the box."""
    halves = (_HALF_WIDTH, _HALF_HEIGHT)
    return min((h - s * (1 if w > 0 else -1)) / abs(w) for w, s, h in zip(way, start, halves, strict=True) if w)


def _bow(x: float, y0: float, y1: float, texts: list[str]) -> str:
    """Return an arrow that leaves and reaches two boxes of a column at their left."""
    middle, out = (y0 + y1) / 2, x - 70
    path = f"M{x:.0f} {y0}C{out:.0f} {y0} {out:.0f} {y1} {x:.0f} {y1}"
    return _line(path) + _text(x - 58, middle + 3, texts, "end")


def _line(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#444" marker-end="url(#a)"/>'


def _text(x: float, y: float, lines: list[str], anchor: str = "start") -> str:
    return "".join(
        f'<text x="{x:.0f}" y="{y + 12 * k:.0f}" text-anchor="{anchor}" fill="#333" font-size="9" stroke="white" '
        f'stroke-width="3" paint-order="stroke">{t}</text>' for k, t in enumerate(lines)
    )  # fmt: skip


TIMELINE = (
    (0, "RUD_REQ", 0, "syn"), (0, "RUD_REQ", 1, "syn ar: the window holds two packets"),
    (1, "ACK_CC", 0, "the first packet is answered at once and brings the target's identifier"),
    (1, "ACK_CC", 1, ""), (0, "RUD_REQ", 2, "ar: trimmed by a switch"), (0, "RUD_REQ", 3, "ar"),
    (1, "NACK TRIMMED", 2, ""), (1, "ACK_CC", 1, "selective: s+3"), (0, "RUD_REQ", 2, "retx ar"),
    (1, "ACK_CC", 3, "retx"), (0, "CP CLOSE_COMMAND", 4, "ar"), (1, "ACK_CC", 4, "closed at both sides"),
)  # fmt: skip
"""Sender (0 initiator, 1 target), packet, PSN from the start PSN s on, and remarks: what the engine does when four
packets are posted, two fit the window and the third is trimmed."""


def timeline() -> str:
    """Return the SVG of the packets of a short PDC."""
    row, fall, left, right = 46, 28, 120, 640
    bottom = 70 + row * len(TIMELINE)
    parts = [_HEAD.format(w=right + left, h=bottom + 10)]
    for x, name in ((left, "initiator"), (right, "target")):
        parts.append(f'<text x="{x}" y="30" text-anchor="middle" font-size="14">{name}</text>')
        parts.append(f'<line x1="{x}" y1="40" x2="{x}" y2="{bottom}" stroke="#888"/>')
    for k, (sender, kind, number, remark) in enumerate(TIMELINE):
        y, (x0, x1) = 68 + row * k, (left, right) if sender == 0 else (right, left)
        color = "#c33" if "trimmed" in remark else "#444"
        psn = "s" if number == 0 else f"s+{number}"
        parts.append(f'<line x1="{x0}" y1="{y}" x2="{x1}" y2="{y + fall}" stroke="{color}" marker-end="url(#a)"/>')
        parts.append(_text(x0 + (8 if sender == 0 else -8), y - 4, [f"{kind} {psn} {remark}".strip()],
                           "start" if sender == 0 else "end"))  # fmt: skip
    return "".join(parts) + "</svg>\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "pdc_states.svg").write_text(state_diagram(), encoding="utf-8")
    (folder / "pdc_timeline.svg").write_text(timeline(), encoding="utf-8")
