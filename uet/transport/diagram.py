"""Pictures of docs/transport.md drawn from the tables: the life of a PDC, and the packets of one.

`python -m uet.transport.diagram FOLDER` writes pdc_states.svg and pdc_timeline.svg.
"""

from __future__ import annotations

import sys
from pathlib import Path

from uet.transport.lifecycle import TRANSITIONS, Action, State

_PLACES = {
    State.CLOSED: (430, 40), State.SYN_SENT: (130, 130), State.ESTABLISHED: (130, 240), State.QUIESCE: (130, 350),
    State.ACK_WAIT: (130, 460), State.CLOSE_WAIT: (330, 560), State.ERROR: (430, 350),
    State.TARGET_PENDING: (820, 130), State.TARGET_ESTABLISHED: (760, 280), State.TARGET_CLOSING: (760, 460),
}  # fmt: skip
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" font-family="sans-serif" font-size="11">'
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs><rect width="100%" height="100%" fill="white"/>'
)
_HALF_WIDTH, _HALF_HEIGHT = 78, 16


def state_diagram() -> str:
    """Return the SVG of `lifecycle.TRANSITIONS`: a box per state, an arrow per pair of states."""
    labels: dict[tuple[State, State], list[str]] = {}
    for (state, what), (following, action) in TRANSITIONS.items():
        did = "" if action == Action.NOTHING else f" / {action.name.lower()}"
        labels.setdefault((state, following), []).append(f"{what.name}{did}")
    parts = [_HEAD.format(w=960, h=610)]
    parts += [_arrow(pair, texts) for pair, texts in labels.items()]
    for state, (x, y) in _PLACES.items():
        fill = "#fde2e2" if state == State.ERROR else "#e3edfb" if "TARGET" not in state.name else "#e6f4e6"
        parts.append(
            f'<rect x="{x - _HALF_WIDTH}" y="{y - _HALF_HEIGHT}" width="{2 * _HALF_WIDTH}" height="{2 * _HALF_HEIGHT}" '
            f'rx="6" fill="{fill}" stroke="#444"/><text x="{x}" y="{y + 4}" text-anchor="middle">{state.name}</text>'
        )
    return "".join(parts) + "</svg>\n"


def _arrow(pair: tuple[State, State], texts: list[str]) -> str:
    (x0, y0), (x1, y1) = _PLACES[pair[0]], _PLACES[pair[1]]
    if pair[0] == pair[1]:
        return _text(x0 - _HALF_WIDTH, y0 + 28, [f"stays: {t}" for t in texts])
    dx, dy = x1 - x0, y1 - y0
    shrink = min(_HALF_WIDTH / abs(dx) if dx else 9, _HALF_HEIGHT / abs(dy) if dy else 9)
    a, b = (x0 + dx * shrink, y0 + dy * shrink), (x1 - dx * shrink, y1 - dy * shrink)
    line = f'<line x1="{a[0]:.0f}" y1="{a[1]:.0f}" x2="{b[0]:.0f}" y2="{b[1]:.0f}" stroke="#444" marker-end="url(#a)"/>'
    share = 0.36 if pair[1] == State.ERROR else 0.5
    x, y = a[0] + share * (b[0] - a[0]) + 4, a[1] + share * (b[1] - a[1])
    return line + _text(x, y - 6 * (len(texts) - 1), texts)


def _text(x: float, y: float, lines: list[str]) -> str:
    return "".join(
        f'<text x="{x:.0f}" y="{y + 12 * k:.0f}" fill="#333" font-size="9" stroke="white" stroke-width="3" '
        f'paint-order="stroke">{t}</text>' for k, t in enumerate(lines)
    )  # fmt: skip


TIMELINE = (
    (0, "RUD_REQ psn=s syn ar=0 (SYN until the first answer)"), (0, "RUD_REQ psn=s+1 syn"),
    (1, "ACK_CC cack=s (the first packet is answered at once)"), (0, "RUD_REQ psn=s+2, dpdcid known: trimmed"),
    (0, "RUD_REQ psn=s+3 ar (last of the window)"), (1, "NACK TRIMMED psn=s+2"),
    (1, "ACK_CC cack=s+1, SACK s+3"), (0, "RUD_REQ psn=s+2 retx ar"), (1, "ACK_CC cack=s+3"),
    (0, "CP CLOSE_COMMAND psn=s+4 ar"), (1, "ACK_CC cack=s+4: closed at both sides"),
)  # fmt: skip
"""Sender (0 initiator, 1 target) and packet of an exchange with one trimmed packet."""


def timeline() -> str:
    """Return the SVG of the packets of a short PDC."""
    parts = [_HEAD.format(w=700, h=90 + 42 * len(TIMELINE))]
    for x, name in ((120, "initiator"), (580, "target")):
        parts.append(f'<text x="{x}" y="30" text-anchor="middle" font-size="14">{name}</text>')
        parts.append(f'<line x1="{x}" y1="40" x2="{x}" y2="{70 + 42 * len(TIMELINE)}" stroke="#888"/>')
    for k, (sender, text) in enumerate(TIMELINE):
        y, (x0, x1) = 60 + 42 * k, (120, 580) if sender == 0 else (580, 120)
        cut = 350 if "trimmed" in text else x1
        end = y + 30 * (cut - x0) / (x1 - x0)
        parts.append(f'<line x1="{x0}" y1="{y}" x2="{cut}" y2="{end:.0f}" stroke="#444" marker-end="url(#a)"/>')
        parts.append(_text(200, y + 8, [text]))
    return "".join(parts) + "</svg>\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "pdc_states.svg").write_text(state_diagram(), encoding="utf-8")
    (folder / "pdc_timeline.svg").write_text(timeline(), encoding="utf-8")
