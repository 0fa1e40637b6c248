"""`hpn`: Alibaba HPN 7.0 pod: every NIC on two leaf switches (dual ToR), two planes, eight rails.

A segment has 128 servers of 8 GPUs and 16 leaves, one per rail and plane; a leaf has 128 ports at half of
gbps to NICs and 60 up-links at gbps, one to each of the 60 aggregation switches of its plane. With
s segments: 1,024 s GPUs, 16 s leaves, 120 aggregation switches, 2,048 s NIC links and 960 s up-links; at
most 15 segments (15,360 GPUs). The layer that joins pods is not part of it. Group = segment.
Source: Qian et al., Alibaba HPN, SIGCOMM 2024, sections 4 and 5.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from topologies.fabric import Fabric
from topologies.families.base import FamilyModel
from topologies.families.rail import rail_fabric
from topologies.halving import Halving, tree_halving
from topologies.trees import Tree

SERVERS, GPUS_PER_SERVER, AGGREGATION_PER_PLANE = 128, 8, 60


class Parameters(FamilyModel):
    """Keys of `hpn`."""

    segments: int = Field(15, ge=1, le=15, description="segments of 1,024 GPUs")
    planes: Literal[2] = Field(2, description="each NIC has one port on each of the two planes")


def build(p: Parameters) -> Fabric:
    """Return one pod."""
    tree = _tree(p)
    return rail_fabric("hpn", p, tree.leaves * SERVERS, GPUS_PER_SERVER, SERVERS, tree, p.gbps / 2)


def _tree(p: Parameters) -> Tree:
    leaves = p.segments * GPUS_PER_SERVER
    return Tree(leaves, AGGREGATION_PER_PLANE, leaves, AGGREGATION_PER_PLANE, AGGREGATION_PER_PLANE)


def halving(fabric: Fabric) -> Halving | None:
    """Return the bounds on what two halves exchange; an up-link is twice as fast as a host's port."""
    tree = _tree(Parameters.model_validate(dict(fabric.parameters)))
    return tree_halving(tree, fabric.n_hosts, SERVERS, 2.0)
