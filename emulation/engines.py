"""Reserve a transport engine just large enough for a schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uet.schedule.model import SEND
from uet.transport.engine import Capacity, Engine
from uet.transport.plugins import balancer_address, controller_address, paces, split_credit
from uet.transport.settings import fill

if TYPE_CHECKING:
    from uet.schedule.model import Schedule

MAX_PACKETS = 1 << 24


def engine_for(
    schedule: Schedule,
    own: NDArray[np.int64],
    peer: NDArray[np.int64],
    n_endpoints: int,
    values: dict[str, float],
    seed: int,
    controller: str,
    balancer: str,
) -> Engine:
    """Return an engine with one PDC per pair that talks and a window no longer than what a pair sends.

    Operations run at the endpoints `own` [n_operations] and talk to `peer`. `values` are complete settings;
    `pdc.window_packets` is lowered in place where less will do.
    """
    ops = schedule.operations
    sends = ops[ops["kind"] == SEND]
    src, dst = own[ops["kind"] == SEND], peer[ops["kind"] == SEND]
    payload = int(values["mtu.payload_bytes"])
    packets = np.maximum(-(-sends["bytes"] // payload), 1)
    pairs, inverse = np.unique(src * n_endpoints + dst, return_inverse=True)
    per_pair = np.bincount(inverse, packets).astype(np.int64)
    longest = int(per_pair.max(initial=1))
    window = min(int(values["pdc.window_packets"]), max(64, 1 << (longest - 1).bit_length()))
    values["pdc.window_packets"] = window
    bdp = values["cc.base_rtt_us"] * values["cc.line_gbps"] * 125
    in_window = int(max(values["cc.window_bytes"], values["nscc.max_window_bdp"] * bdp) // payload) + 2
    under_way = int(np.minimum(per_pair, min(window, in_window)).sum())
    slots = min(3 * under_way + 1024, MAX_PACKETS)
    capacity = Capacity(
        initiators=np.bincount(pairs // n_endpoints, minlength=n_endpoints),
        targets=np.bincount(pairs % n_endpoints, minlength=n_endpoints),
        messages=max(len(sends), 1),
        packets=slots,
        rings=len(pairs),
    )
    addresses = controller_address(controller), balancer_address(balancer, int(values["lb.entropies"]))
    return Engine(fill(values, seed, *addresses, split_credit(controller)[1], paces(controller)), capacity)
