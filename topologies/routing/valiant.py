"""Non-minimal routing on top of any rule: by way of an intermediate host, and when to prefer it.

Valiant (SIAM J. Computing 1982): a packet goes minimally to a random intermediate attachment, then
minimally on; any traffic becomes two uniform random ones. UGAL (Singh 2005; Kim et al., ISCA 2008)
compares queues at the source and takes the detour only when the minimal path looks slower. The first leg
uses the rule's channels 0 .. V-1, the second V .. 2V-1, so waits never lead from the second to the
first and freedom from deadlock carries over.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from topologies.routing.next_hop import call_next_hop, pack, port_of, size_of, vc_of
from uet.base.jit import kernel
from uet.base.rng import below, draw


@kernel
def choose_via(seed: int, source: int, packet: int, n_hosts: int) -> int:
    """Return a uniformly drawn intermediate host for a packet of a source."""
    return below(draw(seed, source, packet), n_hosts)


@kernel
def prefers_minimal(queue_minimal: int, links_minimal: int, queue_via: int, links_via: int, bias: int) -> bool:
    """Tell whether UGAL sends minimally: queue times path length is no more than that of the detour plus `bias`.

    Queues are those of the first port of either path at the source, in any one unit; `bias` is in that unit
    times links.
    """
    return queue_minimal * links_minimal <= queue_via * links_via + bias


@kernel
def next_hop_via(
    r: Any, address: int, node: int, destination: int, via: int, via_node: int, vc: int, choice: int, channels: int
) -> int:
    """Return the packed next hop of a packet that visits `via_node`, the attachment of host `via`, on its way.

    `channels` is the number of virtual channels of the rule at `address`; a packet whose channel is that or
    more is on its second leg. The result's channels run to 2 * channels - 1. A packet that meets its
    destination on the first leg has arrived.
    """
    first_leg = vc < channels
    if first_leg and node not in (via, via_node):
        return call_next_hop(address, r, node, via, vc, choice)
    hop = call_next_hop(address, r, node, destination, np.int64(0) if first_leg else vc - channels, choice)
    return pack(port_of(hop), vc_of(hop) + channels, size_of(hop)) if hop >= 0 else hop
