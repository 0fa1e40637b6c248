"""How a flow-level run is set up: its settings, and what of the packet simulator's it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulation.packet.probe import longest_path
from emulation.packet.settings import resolve
from topologies.fabric import Fabric
from uet.base.errors import BadInput, nearest
from uet.transport.settings import fill

SPRAYING = ("mixed", "reps", "bitmap")
"""Balancers that keep away from full paths: at flow level their traffic spreads evenly over all of them."""

PACKET_ONLY = ("retransmissions", "trims", "drops", "ecn_marks", "pauses", "rto", "acks", "nacks", "packet_hops")
"""Totals of the packet simulator that fluids do not have."""


@dataclass(frozen=True)
class FlowSettings:
    """How to run: profile, balancer, seed, overrides of settings, end of simulated time."""

    profile: str = "uet-1.0"
    balancer: str = "mixed"
    seed: int = 1
    overrides: Mapping[str, float] = field(default_factory=dict)
    end_ps: int | None = None


def path_count(balancer: str, values: Mapping[str, float]) -> int:
    """Return over how many drawn paths a pair's traffic goes, 0 for all; BadInput for balancers it knows nothing of."""
    entropies = int(values["lb.entropies"])
    if balancer == "ecmp" or entropies == 1:
        return 1
    if balancer == "oblivious":
        return entropies
    if balancer in SPRAYING:
        return 0
    raise BadInput(
        f"no load balancer of the flow level is called '{balancer}'; "
        f"{nearest(balancer, (*SPRAYING, 'oblivious', 'ecmp'))}"
    )


def complete_values(fabric: Fabric, settings: FlowSettings) -> dict[str, float]:
    """Return complete values of all settings, checked as those of the packet simulator."""
    values, _ = resolve(settings.profile, settings.overrides, longest_path(fabric, 4096))
    path_count(settings.balancer, values)
    fill(values, settings.seed, 0, 0)
    return values
