"""Checks of any fabric against an independent reading of its graph."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np

from topologies.distances import Graph, hop_matrix
from topologies.fabric import Fabric
from topologies.routes import Routes
from topologies.routing.next_hop import candidates
from topologies.routing.table_build import table_routes


def networkx_hops(fabric: Fabric) -> np.ndarray:
    """Distances between all nodes by networkx; -1 where there is no path."""
    graph = nx.Graph(fabric.to_networkx())
    n = len(fabric.nodes)
    hops = np.full((n, n), -1)
    number = {fabric.node_name(i): i for i in range(n)}
    for source, reached in nx.all_pairs_shortest_path_length(graph):
        for target, d in reached.items():
            hops[number[source], number[target]] = d
    return hops


def ports_of(fabric: Fabric) -> list[list[tuple[int, int]]]:
    """Per node its (port, node at the other end) pairs."""
    far = fabric.ports["node"][fabric.ports["peer"]].tolist()
    first, count = fabric.nodes["first_port"].tolist(), fabric.nodes["n_ports"].tolist()
    return [[(p, far[p]) for p in range(f, f + n)] for f, n in zip(first, count, strict=True)]


def check_routes(fabric: Fabric, *, full: bool = True, routes: Routes | None = None) -> None:
    """Every reached next-hop set is minimal and not empty; with `full` it is the whole minimal set."""
    routes = routes or fabric.routes
    matrix = hop_matrix(Graph.of(fabric), np.arange(fabric.n_hosts))
    ports, far = ports_of(fabric), fabric.ports["node"][fabric.ports["peer"]].tolist()
    for destination in range(fabric.n_hosts):
        hops = matrix[:, destination].tolist()
        todo = [(source, 0) for source in range(fabric.n_hosts)]
        seen = set(todo)
        while todo:
            node, vc = todo.pop()
            got = candidates(routes, node, destination, vc)
            if node == destination:
                assert not got
                continue
            wanted = {p for p, near in ports[node] if hops[near] == hops[node] - 1}
            found = {p for p, _ in got}
            where = f"{fabric.spec}: {fabric.node_name(node)} to host{destination} on channel {vc}"
            assert len(found) == len(got), where
            assert found == wanted if full else found and found <= wanted, (where, found, wanted)
            for port, channel in got:
                assert 0 <= channel < routes.virtual_channels, where
                state = (far[port], channel)
                if state not in seen:
                    seen.add(state)
                    todo.append(state)


def with_table(fabric: Fabric) -> Fabric:
    """The same fabric routed by table."""
    return replace(fabric, route_plan=table_routes)


def check_tables(fabric: Fabric) -> None:
    """Ports, peers, links and nodes agree with each other; no port exceeds its node's range."""
    ports, links, nodes = fabric.ports, fabric.links, fabric.nodes
    numbers = np.arange(len(ports))
    assert np.array_equal(ports["peer"][ports["peer"]], numbers)
    ends = np.sort(np.stack([links["port_a"], links["port_b"]], axis=1).reshape(-1))
    assert np.array_equal(ends, numbers)
    assert np.array_equal(ports["link"][links["port_a"]], np.arange(len(links)))
    first = nodes["first_port"][ports["node"]]
    assert np.all((first <= numbers) & (numbers < first + nodes["n_ports"][ports["node"]]))
    for name in (fabric.node_name(i) for i in range(0, len(nodes), max(1, len(nodes) // 50))):
        assert fabric.node_name(fabric.node_number(name)) == name
