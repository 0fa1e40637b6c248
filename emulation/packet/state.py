"""State of the packet simulator: ports, packets under way, hosts, and the worlds inside its world."""

from __future__ import annotations

from emulation.events import EVENTS
from emulation.operations import OPERATIONS
from topologies.routing.next_hop import ROUTE
from uet.base.jit import WorldLayout
from uet.base.tables import table
from uet.transport.state import ENGINE

NETWORK = table(
    "network",
    """
    n_hosts i8 - hosts are nodes 0..n_hosts-1
    seed i8 - seed of ECN and trim decisions
    next_hop i8 - address of the fabric's routing kernel
    edge i8 - address of the function at the network's edge, 0 for none
    edge_losses i8 - packets it lost
    paced i8 - 1: the edge says what time it is when an event is due, 0: the time it is due
    queue_bytes i8 bytes data queue of a port as fast as a NIC
    control_bytes i8 bytes control queue of a port
    ecn_low_bytes i8 bytes no packet is marked below this queue
    ecn_high_bytes i8 bytes every packet is marked above it
    ecn_last_hop i8 - 1: ports that lead to hosts mark too
    trimming i8 - 1 trim when the data queue is full, 0 drop
    pfc i8 - 1: ports are paused instead of queues overflowing
    xoff_bytes i8 bytes a port is paused above this much held of what it sent
    xon_bytes i8 bytes and let go below this
    loss i8 - packets lost on a link, of 2**32
    trim_bytes i8 bytes size of a trimmed packet on the link
    hops i8 - packets that left a port
    marks i8 - packets marked with ECN CE
    trims i8 - packets trimmed
    drops i8 - packets dropped
    control_drops i8 - of these, packets of the control class
    losses i8 - packets lost on links
    pauses i8 - times a port was paused
    paused_ps i8 ps sum of finished pauses
    """,
)
PORT = table(
    "sim_port",
    """
    busy_until_ps i8 ps when the packet being sent leaves
    latency_ps i8 ps propagation, and the latency of the switch behind it
    sent_bytes i8 bytes sent so far
    ps_per_4k i4 ps to send 4,096 bytes
    data_head i4 - first packet of the data queue
    data_tail i4 - last packet of the data queue
    control_head i4 - first packet of the control queue
    control_tail i4 - last packet of the control queue
    data_bytes i4 bytes in the data queue
    control_bytes i4 bytes in the control queue
    peer i4 - node at the other end
    owner i4 - endpoint the port belongs to, -1 a switch
    waking u1 - 1 while a PORT_FREE event is scheduled
    paused u1 - 1 while it may send no data
    speed u1 - rate in those of a NIC, at least 1; queues and their thresholds grow with it
    """,
    row_bytes=64,
)
PORT_COUNT = table(
    "port_count",
    """
    marks i8 - packets marked with ECN CE
    trims i8 - packets trimmed
    drops i8 - packets dropped
    """,
)
HOP = table(
    "hop",
    """
    hash u8 - of flow and entropy value, for equal-cost choices
    node i4 - node it is on the way to
    next i4 - next packet of the queue
    before i4 - previous packet of the data queue when it was appended; with PFC the port it came from, -1 none
    dst i4 - destination host
    bytes u2 bytes size on the link now
    vc u1 - virtual channel
    control u1 - 1 in the control class
    own u1 - 1 until it leaves its source's port
    """,
    row_bytes=32,
)
PAUSE_ROW = table(
    "pause",
    """
    held_bytes i8 bytes what the switch at the other end holds of what this port sent
    since_ps i8 ps when the pause began
    off u1 - 1 from the decision to pause the port to that to let it go on
    told u1 - 1 while a message about it is on its way
    message u1 - what that message says: 1 pause, 0 go on
    """,
)
HOST = table(
    "host",
    """
    node i4 - host that this endpoint is a device of
    other i4 - its other device, -1 if it has but one
    first_port i4 - first port
    n_ports i4 - how many
    waiting i4 - own packets in its port queues
    """,
)

NO_EDGE = WorldLayout("edge_world")
IMPAIR = table(
    "impair",
    """
    active i8 - 0: no packet is impaired
    seed i8 - seed of the draws
    packets i8 - draws so far
    loss i8 - a packet is lost if 32 random bits are below this
    burst i8 - likewise: it is the first of a lost burst
    duplicate i8 - likewise: it leaves its host twice
    reorder i8 - likewise: it is held back
    longest_ps i8 ps a packet is held back for less than this, at most 2.1 ms
    burst_left i8 - packets of the burst still to be lost
    lost i8 - packets lost
    doubled i8 - packets doubled
    held i8 - packets held back
    """,
)

SIM = WorldLayout(
    "sim", NETWORK, PORT, PORT_COUNT, PAUSE_ROW, HOP, HOST, ENGINE, ROUTE, EVENTS, OPERATIONS, NO_EDGE, IMPAIR,
)  # fmt: skip

network_at = SIM.rows("network")
port_at = SIM.rows("sim_port")
port_count_at = SIM.rows("port_count")
hop_at = SIM.rows("hop")
host_at = SIM.rows("host")
pause_at = SIM.rows("pause")
engine_of = SIM.rows("engine")
route_of = SIM.rows("route")
events_of = SIM.rows("events")
operations_of = SIM.rows("operations")
edge_of = SIM.rows("edge_world")
impair_at = SIM.rows("impair")
