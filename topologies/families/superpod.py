"""`superpod`: the DGX SuperPOD with B200 systems: scalable units of 32 nodes with 8 GPUs, 64-port switches.

G = 256 su GPUs in a rail-optimised tree: G/32 leaves; up to 8 units G/64 spines on two levels, beyond
that G/32 spines and G/64 cores on three. One cable per GPU and level. Group = unit.
Source: NVIDIA DGX SuperPOD reference architecture, DGX B200, table of larger component counts.
"""

from __future__ import annotations

from pydantic import Field

from topologies.fabric import Fabric
from topologies.families.base import FamilyModel
from topologies.families.rail import rail_fabric
from topologies.halving import Halving, tree_halving
from topologies.trees import Tree, clos

NODES_PER_UNIT, GPUS_PER_NODE, RADIX = 32, 8, 64
_MOST_UNITS_ON_TWO_LEVELS = 8


class Parameters(FamilyModel):
    """Keys of `superpod`."""

    su: int = Field(ge=1, le=256, description="scalable units of 32 nodes with 8 GPUs")

    @property
    def levels(self) -> int:
        """Levels of switches."""
        return 2 if self.su <= _MOST_UNITS_ON_TWO_LEVELS else 3


def build(p: Parameters) -> Fabric:
    """Return the SuperPOD's compute network."""
    gpus = p.su * NODES_PER_UNIT * GPUS_PER_NODE
    return rail_fabric("superpod", p, gpus, GPUS_PER_NODE, NODES_PER_UNIT, _tree(p), p.gbps)


def _tree(p: Parameters) -> Tree:
    return clos(p.su * GPUS_PER_NODE, RADIX // 2, RADIX, p.levels)


def halving(fabric: Fabric) -> Halving | None:
    """Return the bounds on what two halves exchange."""
    return tree_halving(_tree(Parameters.model_validate(dict(fabric.parameters))), fabric.n_hosts, RADIX // 2, 1.0)
