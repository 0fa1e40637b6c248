"""Have every kernel of the simulator ready before the clock of a run starts."""

from __future__ import annotations

import time

from topologies.fabric import Fabric


def warm_up(fabric: Fabric) -> float:
    """Compile or load the kernels that a run on `fabric` needs and return the CPU seconds that took.

    Runs one message between two hosts of a tree, which reaches the same machine code as any other run.
    """
    from emulation.packet.simulate import simulate
    from topologies.registry import build
    from uet.schedule.works import build_work

    started = time.process_time()
    _ = fabric.routes.address
    simulate(build("fat-tree:hosts=2,radix=2,levels=1"), build_work("sendrecv:src=0,dst=1,size=8KiB", 2))
    return time.process_time() - started
