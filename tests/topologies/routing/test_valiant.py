from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from topologies.distances import Graph, attachments, hop_matrix
from topologies.registry import build
from topologies.routing.next_hop import port_of, size_of, vc_of
from topologies.routing.valiant import choose_via, next_hop_via, prefers_minimal


@pytest.mark.parametrize("spec", ["dragonfly:p=1,a=3,h=1", "hyperx:dims=3x2,p=1", "torus:dims=3x3", "slimfly:q=3,p=1"])
def test_detours_visit_their_host_and_cannot_deadlock(spec):
    fabric = build(spec)
    r, address, channels = fabric.routes.world.handle, fabric.routes.address, fabric.routes.virtual_channels
    at = attachments(Graph.of(fabric)).node
    far = fabric.ports["node"][fabric.ports["peer"]].tolist()
    hops = hop_matrix(Graph.of(fabric), np.arange(fabric.n_hosts))
    waits: nx.DiGraph[tuple[int, int]] = nx.DiGraph()
    for source in range(fabric.n_hosts):
        for destination in range(fabric.n_hosts):
            for via in range(fabric.n_hosts):
                if source == destination:
                    continue
                node, vc, path, held = source, 0, [source], None
                while node != destination:
                    args = (r, address, node, destination, via, int(at[via]), vc)
                    hop = next_hop_via(*args, 0, channels)
                    size = size_of(hop)
                    for k in range(size):
                        other = next_hop_via(*args, ((k << 32) + size - 1) // size, channels)
                        if held:
                            waits.add_edge(held, (port_of(other), vc_of(other)))
                    held = (port_of(hop), vc_of(hop))
                    node, vc = far[held[0]], held[1]
                    path.append(node)
                legs = hops[at[via], source] + hops[at[via], destination]
                if at[via] in path:
                    assert len(path) - 1 == legs
                else:  # a forwarding host may meet its destination on the way
                    assert fabric.n_switches == 0
                    assert len(path) - 1 < legs
                assert vc < 2 * channels
    assert nx.is_directed_acyclic_graph(waits)


def test_intermediate_hosts_are_uniform_and_repeatable():
    drawn = [choose_via(7, 3, k, 10) for k in range(5000)]
    assert drawn[:50] == [choose_via(7, 3, k, 10) for k in range(50)]
    assert np.bincount(drawn, minlength=10).min() > 400


def test_ugal_takes_the_detour_only_behind_a_long_queue():
    assert prefers_minimal(0, 3, 0, 6, 0)
    assert prefers_minimal(10, 3, 5, 6, 0)
    assert not prefers_minimal(11, 3, 5, 6, 0)
    assert prefers_minimal(11, 3, 5, 6, 3)
