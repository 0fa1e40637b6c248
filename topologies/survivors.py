"""Fabrics after failures: what is left of the links, with routes around what is gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from topologies.fabric import Fabric, FabricBuilder
from topologies.failures import Damage, Failure, damage
from topologies.routing.table_build import table_routes


def survivors(fabric: Fabric, failures: str | Iterable[Failure] | Damage, seed: int = 1) -> tuple[Fabric, ...]:
    """Return what failures leave of a fabric: one Fabric per kind of plane, its `planes` how many are like it.

    Nodes keep their numbers and names; links that are down are gone, slow ones have their rate. Planes
    without a lost link keep the family's routes, others are routed by table. The order stays that of the
    whole. Raises BadInput as `topologies.failures.damage` does.
    """
    left = failures if isinstance(failures, Damage) else damage(fabric, failures, seed)
    rates, planes = np.unique(left.link_rate, axis=0, return_counts=True)
    return tuple(_plane(fabric, rate, int(count)) for rate, count in zip(rates[::-1], planes[::-1], strict=True))


def _plane(fabric: Fabric, rate: np.ndarray, planes: int) -> Fabric:
    if np.all(rate == 1):
        return replace(fabric, planes=planes)
    graph = FabricBuilder.of(fabric, link_rate=rate)
    plan = fabric.route_plan if np.all(rate > 0) else table_routes
    return graph.build(
        fabric.spec, fabric.family, planes, fabric.order, plan, fabric.switch_latency_ps / 1000, fabric.parameters
    )
