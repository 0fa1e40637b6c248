"""Members of families as starts for the search over graphs: all whose switches are as many as are to be joined."""

from __future__ import annotations

from functools import cache
from itertools import islice

import numpy as np

from solvers.network import Ints
from topologies.fabric import Fabric
from topologies.families.base import spec_text
from topologies.registry import build

NAMES = ("hyperx", "torus", "full-mesh", "dragonfly", "slimfly", "polarfly", "xpander")
MOST = 50
"""Members of a family that are tried for one rate of injection."""


@cache
def member_graphs(switches: int, ports: int) -> tuple[Ints, ...]:
    """Return the cables between every two switches [switches, switches] of members with at most so many ports each.

    Members have one accelerator on a switch; where accelerators are joined without switches they count as these.
    """
    from solvers.design.forms.base import Lane, Wish
    from solvers.design.forms.families import FAMILIES

    found: dict[bytes, Ints] = {}
    lane = Lane(1, ports + 1)
    for name in NAMES:
        for rate in {1, *range(2, ports + 1)} if name in ("torus", "full-mesh") else {1}:
            wish = Wish(switches, rate, (lane,), board=1, excess=0.0)
            for parameters in islice(FAMILIES[name].members(wish), MOST):
                joined = _joined(build(spec_text(name, parameters)))
                fits = joined.shape == (switches, switches) and int(joined.sum(axis=1).max()) <= ports
                if fits:
                    found[joined.tobytes()] = joined
    return tuple(found.values())


def _joined(fabric: Fabric) -> Ints:
    """Return the links between every two switches, or accelerators where there are none."""
    first = fabric.n_hosts if fabric.n_switches else 0
    ends = fabric.ports["node"][np.stack([fabric.links["port_a"], fabric.links["port_b"]])] - first
    ends = ends[:, (ends >= 0).all(axis=0)]
    n = len(fabric.nodes) - first
    joined = np.zeros((n, n), np.int64)
    np.add.at(joined, (ends[0], ends[1]), 1)
    return joined + joined.T
