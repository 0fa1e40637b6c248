"""The tables of the `dragonfly` and `dragonfly_plus` rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from topologies.groups import GroupLinks
from topologies.routes import ROUTE_NODE, Routes
from topologies.routing.bitset import pack_sets
from topologies.routing.words import Words
from uet.base.tables import Records

Ints = NDArray[np.int64]
SENTENCE = "local links of the destination's group have a channel of their own; before them come local, global"
PLUS_SENTENCE = "every path goes up to a spine, across to another group and down, never back"


def dragonfly_routes(p: int, a: int, h: int, between: GroupLinks, nodes: Records, ports: Records) -> Routes:
    """Return the `dragonfly` routes of p hosts a router, a routers a group and h global links a router."""
    n_routers = a * between.groups
    words = Words(p, between.groups, a, -(-(a - 1 + h) // 32), 0)
    words[4] = _append_pairs(words, between, lambda out, into: pack_sets(_first_links(a, h, out, into)))
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"] = nodes["first_port"]
    router = np.concatenate([np.arange(n_routers * p) // p, np.arange(n_routers)])
    rows["index"], rows["a"], rows["b"] = router, router // a, router % a
    rows["level"][n_routers * p :] = 1
    rows["d"][: n_routers * p] = np.arange(n_routers * p) % p
    return Routes("dragonfly", rows, words.table(), 2, SENTENCE)


def dragonfly_plus_routes(
    p: int, leaves: int, spines: int, h: int, between: GroupLinks, nodes: Records, ports: Records
) -> Routes:
    """Return the `dragonfly_plus` routes of groups of leaves with p hosts and spines with h global links."""
    words = Words(between.groups, -(-spines // 32), -(-h // 32), 0)

    def sets(out: Ints, into: Ints) -> Ints:
        towards = np.zeros((spines, h), bool)
        towards[out // h, out % h] = True
        any_of: NDArray[np.bool_] = np.logical_or.reduce(towards, axis=1)
        return np.concatenate([pack_sets(any_of), pack_sets(towards).reshape(-1)])

    words[3] = _append_pairs(words, between, sets)
    rows = ROUTE_NODE.zeros(len(nodes))
    rows["first_port"], rows["level"] = nodes["first_port"], nodes["level"]
    n_leaves, n_spines = leaves * between.groups, spines * between.groups
    leaf = np.concatenate([np.arange(n_leaves * p) // p, np.arange(n_leaves)])
    spine = np.arange(n_spines)
    rows["a"] = np.concatenate([leaf // leaves, spine // spines])
    rows["b"] = np.concatenate([leaf % leaves, spine % spines])
    rows["c"][n_leaves * p : n_leaves * (p + 1)] = spines
    rows["d"] = np.concatenate([np.arange(n_leaves * p) % p, np.full(n_leaves, p), np.full(n_spines, leaves)])
    return Routes("dragonfly_plus", rows, words.table(), 1, PLUS_SENTENCE)


def _append_pairs(words: Words, between: GroupLinks, sets: Callable[[Ints, Ints], Ints]) -> int:
    """Append the sets of every different pair of groups, then the table of pairs; return its first word."""
    g = between.groups
    pairs = np.stack(np.divmod(np.arange(g * g), g), axis=1)
    first = np.zeros(g * g, np.int64)
    known: dict[bytes, int] = {}
    for k, (out, into) in enumerate(between.towards(pairs)):
        if len(out):
            key = out.tobytes() + into.tobytes()
            if key not in known:
                known[key] = words.append(sets(out, into))
            first[k] = known[key]
    return words.append(first)


def _first_links(a: int, h: int, out: Ints, into: Ints) -> NDArray[np.bool_]:
    """Return [a, a, a - 1 + h]: the ports that start a shortest path from near router to far router.

    `out` are the near group's global ports to the far group, `into` the ports at their other ends.
    """
    near, far = np.arange(a)[:, None, None], np.arange(a)[None, :, None]
    exit_, entry = out // h, into // h
    cost = (near != exit_).astype(np.int64) + (far != entry)
    best = cost == cost.min(axis=2, keepdims=True)
    ports = np.where(near == exit_, a - 1 + out % h, exit_ - (exit_ > near))
    sets = np.zeros((a, a, a - 1 + h), bool)
    s, t, k = np.nonzero(best)
    sets[s, t, np.broadcast_to(ports, best.shape)[s, t, k]] = True
    return sets
