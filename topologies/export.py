"""Fabrics as text that other programs read: JSON, GraphML, DOT, and .topo for trees."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from types import MappingProxyType

from topologies.document import to_document
from topologies.fabric import HOST, LINK_CLASSES, Fabric
from topologies.topo_file import to_topo


def to_json(fabric: Fabric) -> str:
    """Return the document of a fabric, which can be read back wherever a spec is legal."""
    return json.dumps(to_document(fabric), separators=(",", ":")) + "\n"


def to_graphml(fabric: Fabric) -> str:
    """Return one plane as GraphML, with names, kinds, rates, latencies and cable classes."""
    import networkx as nx

    buffer = BytesIO()
    nx.write_graphml_xml(fabric.to_networkx(), buffer, named_key_ids=True)
    return buffer.getvalue().decode()


def to_dot(fabric: Fabric) -> str:
    """Return one plane as a Graphviz graph; parallel links stay parallel."""
    lines = [f'graph "{fabric.spec}" {{', "  node [shape=box];"]
    for node, row in enumerate(fabric.nodes):
        shape = " [shape=circle]" if row["kind"] == HOST else ""
        lines.append(f"  {fabric.node_name(node)}{shape};")
    end = fabric.ports["node"]
    for row in fabric.links:
        a, b = (fabric.node_name(int(end[row[port]])) for port in ("port_a", "port_b"))
        lines.append(f"  {a} -- {b} [class={LINK_CLASSES[row['kind']]}, gbps={row['gbps']:g}];")
    return "\n".join([*lines, "}", ""])


FORMATS: Mapping[str, Callable[[Fabric], str]] = MappingProxyType(
    {".json": to_json, ".graphml": to_graphml, ".dot": to_dot, ".topo": to_topo}
)
"""File suffix -> writer."""
