"""Packets per CPU second through the engine's receiver: decode, receive, ACK, over one PDC and over many.

Encoded requests are decoded and received, and the ACKs that follow are taken out, in one compiled loop. Usage:

    python benchmarks/engine.py [--packets 2000000] [--pdcs 10000]
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.base.rng import draw
from uet.transport.completions import next_completion
from uet.transport.engine import Capacity, Engine
from uet.transport.plugins import balancer_address, controller_address
from uet.transport.receive import receive
from uet.transport.record import NextHeader, PdsFlag, PdsType, SesFlag, SesOpcode
from uet.transport.settings import chosen, delay_targets, fill
from uet.transport.slots import free_slot, pop_control, slot_ses, take_slot
from uet.transport.state import endpoint_at, packet_at, pdc_at, ses_at
from uet.transport.wire.codec import decode, encode

RUD, STD, SYN = int(PdsType.RUD_REQ), int(NextHeader.REQUEST_STD), int(PdsFlag.SYN)
WHOLE, TAGGED = int(SesFlag.SOM | SesFlag.EOM), int(SesOpcode.TAGGED_SEND)
PAYLOAD = 4096


@kernel
def run(e: Any, room: int, pdcs: int, packets: int) -> int:
    """Receive `packets` requests, each for a PDC drawn at random, and return how many ACKs came."""
    acks = 0
    for k in range(packets):
        pdc = k if k < pdcs else np.int64(draw(1, 2, k) % np.uint64(pdcs))  # first open all, in order of their rows
        slot = take_slot(e)
        packet, s = packet_at(e, slot), ses_at(e, slot_ses(e, slot))
        number = pdc_at(e, pdc)["rx_expected"]
        packet["pds_type"], packet["next_hdr"], packet["src"], packet["dst"] = RUD, STD, 1 + (pdc >> 15), 0
        packet["spdcid"], packet["psn"], packet["psn_offset"] = 1 + (pdc & 0x7FFF), number, -1
        packet["pds_flags"] = SYN if number == 0 else 0
        packet["dpdcid"] = 0 if number == 0 else pdc_at(e, pdc)["pdcid"]
        packet["detail"], packet["payload_bytes"], packet["net"] = WHOLE, PAYLOAD, 0
        s["opcode"], s["request_length"], s["job_id"] = TAGGED, PAYLOAD, 0
        n = encode(packet, s, room, 4096)
        decode(room, n + PAYLOAD, n + PAYLOAD, packet, s)
        packet["ses"], packet["wire_bytes"] = slot_ses(e, slot), PAYLOAD + 126
        receive(e, slot, k)
        while next_completion(e) >= 0:
            pass
        while endpoint_at(e, 0)["control_head"] >= 0:
            free_slot(e, pop_control(e, 0))
            acks += 1
    return acks


def engine_for(pdcs: int, pools: int | None = None) -> Engine:
    """Return an engine whose endpoint 0 may be the target of that many PDCs; `pools` as `Capacity` takes them."""
    values = chosen("uet-1.0", {})
    base = {"cc.base_rtt_us": 10.0, "cc.line_gbps": 400.0, "cc.window_bytes": 750_000.0, "rto.init_us": 100.0}
    values = {**base, "rccc.max_bytes": 1e6, **delay_targets(values, 10.0, True), **values}
    settings = fill(values, 1, controller_address("constant"), balancer_address("oblivious"))
    capacity = Capacity(np.array([0, 0]), np.array([pdcs, 0]), 16, 64, rings=0, bitmaps=pools, saved=pools)
    return Engine(settings, capacity)


def idle_bytes() -> tuple[float, float]:
    """Return the bytes an idle PDC has for itself, and those reserved for when it has timers or gives commands.

    Send rings, bitmaps and responses to be kept come from pools, which an idle PDC has nothing of.
    """
    small, large = (engine_for(n, 0).world.tables for n in (2048, 4096))
    each = {name: (rows.nbytes - small[name].nbytes) / 2048 for name, rows in large.items()}
    used = sum(each[name] for name in ("pdc", "cc_state", "lb_state", "directory"))
    return used, sum(each.values()) - used


def measure(pdcs: int, packets: int) -> float:
    """Return millions of packets per CPU second, encoding them included."""
    engine = engine_for(pdcs)
    room = np.zeros(8192, np.uint8)
    run(engine.world.handle, room.ctypes.data, pdcs, 20 * pdcs)
    started = time.process_time()
    run(engine.world.handle, room.ctypes.data, pdcs, packets)
    return packets / 1e6 / (time.process_time() - started)


def main() -> None:
    """Measure one PDC and many, and say what an idle one takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=2_000_000)
    parser.add_argument("--pdcs", type=int, default=10_000)
    arguments = parser.parse_args()
    for pdcs in (1, arguments.pdcs):
        rates = sorted(measure(pdcs, arguments.packets) for _ in range(5))
        print(f"{pdcs:>6} PDCs: {rates[2]:5.1f} M packets/s (of five: {rates[0]:.1f} to {rates[-1]:.1f})", flush=True)
    print("idle PDC: {:.0f} bytes, and {:.0f} reserved for its timers and commands".format(*idle_bytes()))


if __name__ == "__main__":
    main()
