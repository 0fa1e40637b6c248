"""`nvlink-islands`: islands of accelerators on NVLink switches, joined by a scale-out network.

islands * size hosts, host h in island h // size; each has one NVLink to every one of its island's
`island_switches` (NVL72: size 72, 18 switches, 1,296 links). `scale_out=(SPEC)` is any other family with
that many hosts, filled in as hosts or gpus where the family has such a key; its planes and order are
those of the whole, since islands are bought with their accelerators. With several planes each copy has
its share of island_gbps. Group = island.
Source: NVIDIA DGX SuperPOD GB200 reference architecture for NVL72.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from topologies.fabric import Fabric, FabricBuilder, Order
from topologies.families.base import FamilyModel, spec_text
from topologies.islands import Islands, island_routes
from topologies.registry import build as build_fabric
from topologies.registry import family_model
from topologies.routes import Routes
from topologies.routing.table_build import table_routes
from uet.base.errors import BadInput
from uet.base.spec import Spec, parse_spec
from uet.base.tables import Records


class Parameters(FamilyModel):
    """Keys of `nvlink-islands`."""

    islands: int = Field(1, ge=1, description="islands")
    size: int = Field(72, ge=2, description="accelerators of an island")
    island_gbps: float = Field(7200, gt=0, description="NVLink rate of an accelerator in each direction, Gb/s")
    island_switches: int = Field(1, ge=1, description="NVLink switches of an island, a link from each host to each")
    scale_out: str | dict[str, Any] | None = Field(None, description="network between islands, (SPEC)")

    @property
    def hosts(self) -> int:
        """Accelerators."""
        return self.islands * self.size

    @model_validator(mode="after")
    def _rules(self) -> Parameters:
        if self.scale_out is None and self.islands > 1:
            raise ValueError(
                f"islands={self.islands} need a network between them; add scale_out=(SPEC) or set islands=1"
            )
        common = set(FamilyModel.model_fields) & self.model_fields_set
        if self.scale_out is not None and common - {"latency_ns"}:
            raise ValueError(f"{', '.join(sorted(common))}: belongs to the network; write it inside scale_out=(...)")
        return self

    def network(self) -> Fabric | None:
        """Return the network between islands; BadInput if it has not as many hosts."""
        if self.scale_out is None:
            return None
        spec = _inner_spec(self.scale_out)
        keys = family_model(spec.family).model_fields
        missing = [key for key in ("hosts", "gpus") if key in keys and key not in spec.arguments]
        fabric = build_fabric(Spec(spec.family, {**spec.arguments, **dict.fromkeys(missing, self.hosts)}))
        if fabric.n_hosts != self.hosts:
            raise BadInput(
                f"nvlink-islands: {self.islands} islands of {self.size} have {self.hosts} hosts, but scale_out has "
                f"{fabric.n_hosts}; make islands * size equal to it"
            )
        return fabric


def _inner_spec(value: str | dict[str, Any]) -> Spec:
    if isinstance(value, str):
        return parse_spec(value.strip().removeprefix("(").removesuffix(")"))
    family = value.get("family")
    if not isinstance(family, str):
        raise BadInput("nvlink-islands: scale_out: the key 'family' is missing or not a word; name the family there")
    return Spec(family, {k: v for k, v in value.items() if k != "family"})


def _routes(islands: Islands, network: Fabric | None, nodes: Records, ports: Records) -> Routes:
    """Return the `islands` routes beside a tree or alone; by table, so that hosts forward, beside others."""
    if network is None:
        return island_routes(islands, None, False, nodes, ports)
    if network.routes.rule != "up_down":
        return table_routes(nodes, ports)
    return island_routes(islands, network.route_plan, False, nodes, ports)


def build(p: Parameters) -> Fabric:
    """Return the islands and the network; a host's first ports lead to the network."""
    network = p.network()
    group = np.arange(p.hosts) // p.size
    graph = FabricBuilder(p.hosts, group) if network is None else FabricBuilder.of(network, group)
    islands = Islands(p.hosts, p.size, p.island_switches)
    planes = network.planes if network else p.planes
    islands.add(graph, p.island_gbps / planes, p.latency_ns)
    return graph.build(
        spec_text("nvlink-islands", p), "nvlink-islands", planes, network.order if network else Order(0, {}),
        partial(_routes, islands, network),
        network.switch_latency_ps / 1000 if network else p.switch_latency_ns,
        p.model_dump() | {"radix": network.parameters.get("radix", 0) if network else 0},
    )  # fmt: skip
