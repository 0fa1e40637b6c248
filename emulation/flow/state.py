"""The tables of a flow-level run.

A *channel* joins two endpoints that talk, as a PDC does: its messages go one after the other, at the
channel's rate. A *resource* is a port, or one that stands for several that are loaded alike. Rates and
capacities are wire bytes per picosecond.
"""

from __future__ import annotations

from emulation.operations import OPERATIONS
from uet.base.heap import HEAP
from uet.base.jit import WorldLayout
from uet.base.tables import table

CLOCK = table(
    "clock",
    """
    now_ps i8 ps time of the last event
    n_times i8 - entries in `times`
    n_region i8 - channels whose rates are to be found
    n_touched i8 - resources they cross, and those that others have left
    n_active i8 - channels with a message under way
    events i8 - events processed
    fills i8 - times rates were found
    rerated i8 - rates found in all
    """,
)
CHANNEL = table(
    "channel",
    """
    first i8 - its first entry
    n i8 - entries
    rate f8 B/ps what it gets
    fresh f8 B/ps what it is about to get
    left f8 B wire bytes left of its first message, at `at_ps`
    at_ps i8 ps when that was
    due_ps i8 ps when its first message will have left, -1 if it has none or no rate yet
    head i4 - first message, -1 none
    tail i4 - last message
    bottleneck i4 - resource that limits it, -1 none
    marked u1 - 1: in the region
    frozen u1 - 1: `fresh` is found
    there_ps i8 ps latency of its path
    back_ps i8 ps what an ACK takes back
    rest_ps_per_byte f8 ps/B serialisation behind the first link
    """,
)
ENTRY = table(
    "entry",
    """
    share f8 - part of the channel's rate that crosses the resource
    resource i4 - which
    channel i4 - whose
    next i4 - next entry of the resource's active channels, -1 none
    before i4 - the one before, -1 none
    """,
)
RESOURCE = table(
    "resource",
    """
    capacity f8 B/ps its rate
    load f8 B/ps used by channels outside the region
    left f8 B/ps what is left during a filling
    weight f8 - shares of channels not yet frozen
    level f8 B/ps rate at which it froze channels, -1 none
    n_open i4 - channels not yet frozen
    n_bound i4 - channels outside the region that it limits
    head i4 - first entry of its active channels, -1 none
    touched u1 - 1: in the list of touched resources
    """,
)
MESSAGE = table(
    "message",
    """
    channel i4 - its channel
    step i4 - the send it belongs to
    next i4 - next message of the channel, -1 none
    wire_bytes f8 B payload and overhead
    tail_bytes f8 B its longest packet on the wire
    start_ps i8 ps when it was posted, -1 not yet
    arrive_ps i8 ps when all of it had arrived, -1 not yet
    finish_ps i8 ps when the sender knew, -1 not yet
    """,
)
REGION = table("region", "channel i4 - channel whose rate is to be found")
TOUCHED = table("touch", "resource i4 - resource whose channels may be affected")

TIMES = WorldLayout("times", HEAP)
LEVELS = WorldLayout("levels", HEAP)
FLOW = WorldLayout(
    "flow", CLOCK, CHANNEL, ENTRY, RESOURCE, MESSAGE, REGION, TOUCHED, TIMES, LEVELS, OPERATIONS
)  # fmt: skip

clock_at = FLOW.rows("clock")
channel_at = FLOW.rows("channel")
entry_at = FLOW.rows("entry")
resource_at = FLOW.rows("resource")
message_at = FLOW.rows("message")
region_at = FLOW.rows("region")
touch_at = FLOW.rows("touch")
times_of = FLOW.rows("times")
levels_of = FLOW.rows("levels")
operations_of = FLOW.rows("operations")
