"""The failure grammar, and which links and hosts of a fabric an event takes out.

    fail  = event { ";" event }
    event = [ "t=" time ] ( "link" A "-" B | "switch" A | "board" i "," j | "random" kind "=" n )
            [ "down" | "up" | "rate=" R | "ber=" X ]

A and B are node names; `p1.` in front chooses the plane (plane 0 without it) and `#2` behind the link
the second of parallel links. Board i,j is column i, row j of the grid of boards. Random kinds are
links, switches, boards and hosts, drawn without repetition over all planes. Without a state an event
means down; a switch is down when all its links are, a board or host when its hosts are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from topologies.boxes import outside_links
from topologies.chassis import chassis
from topologies.fabric import Fabric
from uet.base.errors import BadInput, nearest
from uet.base.units import parse_rate_bps, parse_time_ps

RANDOM_KINDS = ("links", "switches", "boards", "hosts")
STATES = ("down", "up", "rate", "ber")
_FORM = "write [t=TIME] link A-B | switch A | board I,J | random KIND=N, then down, up, rate=R or ber=X"


@dataclass(frozen=True)
class Failure:
    """One event: what (`kind` and `where`), when (None: from the beginning), and what becomes of it.

    `value` is the rate in bits per second or the bit error rate; `count` is that of a random event.
    """

    kind: str  # link, switch, board, or one of RANDOM_KINDS
    where: str
    count: int = 0
    state: str = "down"
    value: float = 0
    time_ps: int | None = None


def parse_failures(text: str) -> tuple[Failure, ...]:
    """Return the events of a failure text; all mistakes come in one BadInput."""
    events, mistakes = [], []
    for part in filter(None, (p.strip() for p in text.split(";"))):
        try:
            events.append(_event(part))
        except BadInput as error:
            mistakes.append(f"failure '{part}': {error}")
    if mistakes:
        raise BadInput(*mistakes)
    return tuple(events)


def _event(text: str) -> Failure:
    words = text.split()
    time_ps = parse_time_ps(words.pop(0)[2:]) if words and words[0].startswith("t=") else None
    state, value = "down", 0.0
    if words and words[-1].partition("=")[0] in STATES:
        state, value = _state(words.pop())
    if len(words) != 2:
        raise BadInput(_FORM)
    kind, where = words
    if kind in ("link", "switch", "board"):
        return Failure(kind, where, 0, state, value, time_ps)
    name, _, number = where.partition("=")
    if kind != "random":
        raise BadInput(f"'{kind}' cannot fail; {nearest(kind, ('link', 'switch', 'board', 'random'))}")
    if name not in RANDOM_KINDS or not number.isdigit():
        raise BadInput(f"'{where}' is not KIND=N; {nearest(name, RANDOM_KINDS)}")
    return Failure(name, where, int(number), state, value, time_ps)


def _state(word: str) -> tuple[str, float]:
    state, equals, text = word.partition("=")
    if (state in ("rate", "ber")) != bool(equals):
        raise BadInput(_FORM)
    if state == "rate":
        return state, float(parse_rate_bps(text))
    if state != "ber":
        return state, 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadInput(f"ber={text} is not a probability between 0 and 1")
    return state, value


@dataclass(frozen=True, eq=False)
class Damage:
    """What is left of a fabric: `link_rate` [planes, n_links] between 0 (down) and 1, and what is down itself:
    `host_down` [n_hosts] and `switch_down` [planes, n_switches].
    """

    link_rate: NDArray[np.float64]
    host_down: NDArray[np.bool_]
    switch_down: NDArray[np.bool_]

    @property
    def links_down(self) -> int:
        """Links that carry nothing, over all planes."""
        return int((self.link_rate == 0).sum())

    def broken_links(self, fabric: Fabric) -> NDArray[np.bool_]:
        """Return the links [planes, n_links] that are down although what they join is not."""
        return (self.link_rate == 0) & ~_end_down(fabric, self.host_down, self.switch_down)


@dataclass(frozen=True, eq=False)
class Targets:
    """What one event names: the links (plane[i], link[i]) it takes along, and hosts or switches (plane, number)."""

    plane: NDArray[np.int64]
    link: NDArray[np.int64]
    host: NDArray[np.int64]
    switch: tuple[NDArray[np.int64], NDArray[np.int64]]


def no_damage(fabric: Fabric) -> Damage:
    """Return the damage of nothing."""
    planes = fabric.planes
    switches = np.zeros((planes, fabric.n_switches), bool)
    return Damage(np.ones((planes, len(fabric.links))), np.zeros(fabric.n_hosts, bool), switches)


def _end_down(fabric: Fabric, host_down: NDArray[np.bool_], switch_down: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the links [planes, n_links] of which an end is down."""
    node_down = np.concatenate([np.broadcast_to(host_down, (fabric.planes, fabric.n_hosts)), switch_down], axis=1)
    down: NDArray[np.bool_] = np.zeros((fabric.planes, len(fabric.links)), bool)
    for end in ("port_a", "port_b"):
        down |= node_down[:, fabric.ports["node"][fabric.links[end]]]
    return down


def damage(fabric: Fabric, failures: str | Iterable[Failure], seed: int = 1) -> Damage:
    """Return what is left after all events, in their order. Events with a time or a bit error rate have no
    place in a static question and raise BadInput, as names that the fabric does not have.

    A link works if it is up itself and both its ends are; a switch or board that comes up brings back those
    of its links that were only slow.
    """
    left = no_damage(fabric)
    rng = np.random.default_rng(seed)
    for event in parse_failures(failures) if isinstance(failures, str) else failures:
        if event.time_ps is not None or event.state == "ber":
            raise BadInput(f"failure '{event.where}': t= and ber= need a simulation; state only what is down or slow")
        hit = targets(fabric, event, rng)
        left.host_down[hit.host] = left.switch_down[hit.switch] = event.state == "down"
        mine = left.link_rate[hit.plane, hit.link]
        if event.state == "rate":
            mine = np.minimum(event.value / (fabric.links["gbps"][hit.link] * 1e9), 1)
        elif event.kind in ("link", "links"):
            mine[:] = event.state == "up"
        elif event.state == "up":
            mine[mine > 0] = 1
        left.link_rate[hit.plane, hit.link] = mine
    left.link_rate[_end_down(fabric, left.host_down, left.switch_down)] = 0
    return left


def targets(fabric: Fabric, event: Failure, rng: np.random.Generator) -> Targets:
    """Return the links and hosts that an event names; random ones are drawn from `rng`."""
    if event.kind == "link":
        return _at([_link(fabric, event.where)])
    if event.kind == "switch":
        plane, node = _node(fabric, event.where)
        if node < fabric.n_hosts:
            raise BadInput(f"'{event.where}' is a host, not a switch; fail its links or its board")
        return _switches(fabric, np.array([plane]), np.array([node]))
    if event.kind == "board":
        return _hosts(fabric, _board_hosts(fabric, np.array([_board(fabric, event.where)])))
    return _draw(fabric, event, rng)


def _draw(fabric: Fabric, event: Failure, rng: np.random.Generator) -> Targets:
    cables = np.flatnonzero(outside_links(fabric))
    per_plane = {"links": len(cables), "switches": fabric.n_switches}
    total = {"boards": int(chassis(fabric).max()) + 1, "hosts": fabric.n_hosts}.get(
        event.kind, per_plane.get(event.kind, 0) * fabric.planes
    )
    if event.count > total:
        raise BadInput(f"{event.where}: {fabric.spec} has only {total} {event.kind}")
    drawn = np.sort(rng.choice(total, event.count, replace=False))
    if event.kind == "boards":
        return _hosts(fabric, _board_hosts(fabric, drawn))
    if event.kind == "hosts":
        return _hosts(fabric, drawn)
    plane, index = np.divmod(drawn, max(per_plane[event.kind], 1))
    if event.kind == "switches":
        return _switches(fabric, plane, fabric.n_hosts + index)
    return _at(list(zip(plane.tolist(), cables[index].tolist(), strict=True)))


def _at(pairs: list[tuple[int, int]]) -> Targets:
    plane, link = np.array(pairs, np.int64).reshape(-1, 2).T
    none = np.zeros(0, np.int64)
    return Targets(plane, link, none, (none, none))


def _switches(fabric: Fabric, plane: NDArray[np.int64], node: NDArray[np.int64]) -> Targets:
    pairs = []
    for p, n in zip(plane.tolist(), node.tolist(), strict=True):
        row = fabric.nodes[n]
        first = int(row["first_port"])
        pairs += [(p, int(link)) for link in fabric.ports["link"][first : first + int(row["n_ports"])]]
    return replace(_at(pairs), switch=(plane, node - fabric.n_hosts))


def _hosts(fabric: Fabric, hosts: NDArray[np.int64]) -> Targets:
    mine = np.unique(fabric.ports["link"][np.isin(fabric.ports["node"], hosts)]).astype(np.int64)
    planes = np.repeat(np.arange(fabric.planes), len(mine))
    none = np.zeros(0, np.int64)
    return Targets(planes, np.tile(mine, fabric.planes), hosts, (none, none))


def _board_hosts(fabric: Fabric, boards: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(chassis(fabric), boards))


def board_grid(fabric: Fabric) -> tuple[int, ...]:
    """Return how many boards a fabric has in each dimension; BadInput if it has no grid of boards."""
    parameters: dict[str, Any] = dict(fabric.parameters)
    if parameters.get("grid"):
        return tuple(parameters["grid"])
    if parameters.get("board") and parameters.get("dims"):
        return tuple(d // b for d, b in zip(parameters["dims"], parameters["board"], strict=True))
    raise BadInput(f"{fabric.spec} has no grid of boards; fail links, switches or random hosts instead")


def _board(fabric: Fabric, text: str) -> int:
    grid = board_grid(fabric)
    place = [int(d) if d.isdigit() else -1 for d in text.split(",")]
    if len(place) != len(grid) or any(not 0 <= i < n for i, n in zip(place, grid, strict=False)):
        legal = ",".join(f"0..{n - 1}" for n in grid)
        raise BadInput(f"board {text} is not in {fabric.spec}; legal: {legal}")
    return sum(i * prod(grid[:k]) for k, i in enumerate(place))


def _node(fabric: Fabric, text: str) -> tuple[int, int]:
    prefix = re.fullmatch(r"p(\d+)\.(.+)", text)
    plane, name = (int(prefix[1]), prefix[2]) if prefix else (0, text)
    if plane >= fabric.planes:
        raise BadInput(f"'{text}' names plane {plane}; {fabric.spec} has planes 0..{fabric.planes - 1}")
    return plane, fabric.node_number(name)


def _link(fabric: Fabric, text: str) -> tuple[int, int]:
    """Return (plane, link) of a link named A-B or A-B#n."""
    ends, _, nth = text.partition("#")
    a, dash, b = ends.partition("-")
    if not dash or (nth and (not nth.isdigit() or nth == "0")):
        raise BadInput(f"'{text}' is not a link; write A-B, such as leaf0-spine1, or A-B#2 for the second one")
    (plane_a, node_a), (plane_b, node_b) = _node(fabric, a), _node(fabric, b)
    offsets, _ = fabric.adjacency
    ports = np.arange(offsets[node_a], offsets[node_a + 1])
    between = fabric.ports["link"][ports[fabric.ports["node"][fabric.ports["peer"][ports]] == node_b]]
    if len(between) < int(nth or 1):
        raise BadInput(f"{fabric.spec} has {len(between)} links between {a} and {b}, so there is no '{text}'")
    return max(plane_a, plane_b), int(between[int(nth or 1) - 1])


def link_name(fabric: Fabric, plane: int, link: int) -> str:
    """Return the name of a link as the grammar writes it, such as leaf0-spine1#2 or p3.leaf0-spine1."""
    ports = fabric.ports["node"]
    a, b = (int(ports[fabric.links[link][end]]) for end in ("port_a", "port_b"))
    mine = np.arange(*fabric.adjacency[0][a : a + 2])
    parallel = fabric.ports["link"][mine[ports[fabric.ports["peer"][mine]] == b]]
    nth = int((parallel < link).sum()) + 1
    name = f"{fabric.node_name(a)}-{fabric.node_name(b)}" + (f"#{nth}" if nth > 1 else "")
    return f"p{plane}.{name}" if fabric.planes > 1 else name
