"""Impairments of packets from end to end: lost singly or in bursts, doubled, held back.

A lost packet has used the network's links; a doubled one leaves its host twice; one held back leaves
later, after packets that followed it. Every draw depends on the seed and the number of the packet alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emulation.events import schedule
from emulation.operations import ARRIVAL
from emulation.packet.edge import TWIN, tell_edge
from emulation.packet.state import IMPAIR, engine_of, events_of, hop_at, impair_at, network_at
from uet.base.errors import BadInput, nearest
from uet.base.jit import kernel
from uet.base.rng import below, draw, strikes
from uet.base.tables import Records
from uet.transport.slots import copy_slot

STREAM_LOSS, STREAM_BURST, STREAM_TWIN, STREAM_HOLD, STREAM_DELAY = (k << 40 for k in range(22, 27))
BURST_PACKETS = 8
"""Packets lost one after another in a burst."""


@dataclass(frozen=True)
class Impairments:
    """Probabilities per packet: lost, first of a lost burst, doubled, held back, one bit flipped."""

    loss: float = 0.0
    burst: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0

    def __post_init__(self) -> None:
        """Raise BadInput for what is no probability below 1."""
        wrong = [name for name, value in vars(self).items() if not 0 <= value < 1]
        if wrong:
            raise BadInput(
                *(f"{name}={getattr(self, name):g} is no probability below 1; choose 0 to 1" for name in wrong)
            )

    def row(self, seed: int, longest_ps: int) -> Records:
        """Return the row for kernels; packets are held back by at most `longest_ps`."""
        row = IMPAIR.zeros(1)
        for name in ("loss", "burst", "duplicate", "reorder"):
            row[name] = round(getattr(self, name) * 2**32)
        row["active"], row["seed"], row["longest_ps"] = self != Impairments(), seed, longest_ps
        return row


def parse_impairments(text: str) -> Impairments:
    """Return the impairments that `text` names, such as `loss=0.01,reorder=0.2`. Raises BadInput."""
    legal = Impairments.__dataclass_fields__
    values: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, number = part.partition("=")
        if name not in legal:
            raise BadInput(f"--impair: there is no impairment '{name}'; {nearest(name, legal)}")
        try:
            values[name] = float(number)
        except ValueError:
            raise BadInput(f"--impair: {name}={number} is no number; write {name}=0.01") from None
    return Impairments(**values)


def counts(row: Any) -> Mapping[str, int]:
    """Return how many packets were impaired in each way."""
    return {
        "drops_injected": int(row["lost"]),
        "duplicated_injected": int(row["doubled"]),
        "reordered_injected": int(row["held"]),
    }


@kernel
def _strikes(impair: Any, stream: int, threshold: int) -> bool:
    """Tell whether an impairment befalls the packet counted last."""
    return threshold != 0 and strikes(impair["seed"], stream, impair["packets"], threshold)


@kernel
def is_lost(s: Any) -> bool:
    """Tell whether the packet that has just crossed the network is lost."""
    impair = impair_at(s, 0)
    impair["packets"] += 1
    if impair["burst_left"] == 0 and _strikes(impair, STREAM_BURST, impair["burst"]):
        impair["burst_left"] = BURST_PACKETS
    burst = impair["burst_left"] > 0
    if burst:
        impair["burst_left"] -= 1
    lost = burst or _strikes(impair, STREAM_LOSS, impair["loss"])
    impair["lost"] += lost
    return lost


@kernel
def twin_of(s: Any, slot: int, now: int) -> int:
    """Return the slot of a second copy of the packet in `slot`, -1 if it is not doubled."""
    impair, e = impair_at(s, 0), engine_of(s, 0)
    impair["packets"] += 1
    if not _strikes(impair, STREAM_TWIN, impair["duplicate"]):
        return -1
    twin = copy_slot(e, slot)
    if twin < 0:
        return -1
    impair["doubled"] += 1
    if network_at(s, 0)["edge"] != 0:
        tell_edge(s, TWIN, twin, slot, now)
    return twin


@kernel
def hold_back(s: Any, host: int, slot: int, now: int) -> bool:
    """Let a packet start its journey later, now and then; True if so."""
    impair = impair_at(s, 0)
    impair["packets"] += 1
    if not _strikes(impair, STREAM_HOLD, impair["reorder"]):
        return False
    impair["held"] += 1
    delay = below(draw(impair["seed"], STREAM_DELAY, impair["packets"]), impair["longest_ps"])
    hop_at(s, slot)["node"] = host
    schedule(events_of(s, 0), now + 1 + delay, ARRIVAL | slot)
    return True
