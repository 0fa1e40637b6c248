"""Fabrics as JSON documents: everything of a fabric, readable without this program.

A document holds the tables in full. A fabric read back gets its family's own routes if building the
family with the document's parameters gives the same graph, else routes by table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from topologies.fabric import LINK_CLASSES, Fabric, FabricBuilder, NameRange, Order
from uet.base.errors import BadInput
from uet.base.tables import Records

SCHEMA = "uet-fabric-1"


def to_document(fabric: Fabric) -> dict[str, Any]:
    """Return a fabric as a JSON-ready mapping; columns of nodes and links are lists."""
    end = fabric.ports["node"]
    links, nodes = fabric.links, fabric.nodes
    return {
        "schema": SCHEMA,
        "spec": fabric.spec,
        "family": fabric.family,
        "parameters": _plain(fabric.parameters),
        "planes": fabric.planes,
        "hosts": fabric.n_hosts,
        "switch_latency_ns": fabric.switch_latency_ps / 1000,
        "order": {
            "switches": fabric.order.switches,
            "cables": dict(fabric.order.cables),
            "parts": dict(fabric.order.parts),
        },
        "names": [[r.prefix, r.count] for r in fabric.names],
        "link_classes": list(LINK_CLASSES),
        "nodes": {"level": nodes["level"].tolist(), "group": nodes["group"].tolist()},
        "links": {
            "a": end[links["port_a"]].tolist(),
            "b": end[links["port_b"]].tolist(),
            "port_a": links["port_a"].tolist(),
            "port_b": links["port_b"].tolist(),
            "class": links["kind"].tolist(),
            "gbps": links["gbps"].tolist(),
            "latency_ns": (links["latency_ps"] / 1000).tolist(),
        },
    }


def from_document(document: Mapping[str, Any], where: str = "document") -> Fabric:
    """Return the fabric of a document; BadInput names a missing or unreadable part."""
    if document.get("schema") != SCHEMA:
        raise BadInput(f"{where}: schema is {document.get('schema')!r}, not '{SCHEMA}'; save the fabric again")
    try:
        fabric = _rebuild(document)
    except KeyError as missing:
        raise BadInput(f"{where}: the key {missing} is missing; save the fabric again") from None
    except (TypeError, ValueError, IndexError) as error:
        raise BadInput(f"{where}: is not a saved fabric ({error}); save it again") from None
    return _with_own_routes(fabric)


def _rebuild(document: Mapping[str, Any]) -> Fabric:
    from topologies.routing.table_build import table_routes

    nodes, links, order = document["nodes"], document["links"], document["order"]
    level, group = np.asarray(nodes["level"], np.int64), np.asarray(nodes["group"], np.int64)
    n_hosts = int(document["hosts"])
    graph = FabricBuilder(n_hosts, group[:n_hosts])
    at = n_hosts
    for prefix, count in document["names"][1:]:
        graph.switches(prefix, count, level[at : at + count], group[at : at + count])
        at += count
    ends = np.asarray([links["a"], links["b"]], np.int64)
    if at != len(level) or (ends.size and not 0 <= ends.min() <= ends.max() < at):
        raise ValueError("names, nodes and links do not fit together")
    kinds = np.array([LINK_CLASSES.index(name) for name in document["link_classes"]], np.uint8)
    kind = kinds[np.asarray(links["class"], np.int64)]
    graph.links(ends[0], ends[1], kind, links["gbps"], links["latency_ns"], (links["port_a"], links["port_b"]))
    return graph.build(
        document["spec"], document["family"], int(document["planes"]),
        Order(int(order["switches"]), dict(order["cables"]), dict(order.get("parts", {}))), table_routes,
        float(document["switch_latency_ns"]), document["parameters"],
    )  # fmt: skip


def _with_own_routes(fabric: Fabric) -> Fabric:
    """Return the family's own fabric if it is the same, else the one given."""
    from topologies.registry import FAMILIES, build
    from uet.base.spec import Spec

    if fabric.family not in FAMILIES:
        return fabric
    try:
        own = build(Spec(fabric.family, {k: v for k, v in fabric.parameters.items() if v is not None}))
    except BadInput:
        return fabric
    return own if same_graph(own, fabric) else fabric


def same_graph(one: Fabric, other: Fabric) -> bool:
    """Tell whether two fabrics have equal nodes, ports, links, names, planes, order and switch latency."""

    def rest(f: Fabric) -> tuple[int, tuple[NameRange, ...], Order, int]:
        order = Order(f.order.switches, dict(f.order.cables), dict(f.order.parts))
        return f.planes, f.names, order, f.switch_latency_ps

    return rest(one) == rest(other) and all(
        _equal(a, b) for a, b in ((one.nodes, other.nodes), (one.ports, other.ports), (one.links, other.links))
    )


def _equal(a: Records, b: Records) -> bool:
    return len(a) == len(b) and all(np.array_equal(a[name], b[name]) for name in a.dtype.names or ())


def _plain(value: Any) -> Any:
    """Return parameters with tuples as lists, so that a document equals itself after JSON."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value
