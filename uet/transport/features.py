"""What each UET profile offers: one table of named switches; whatever a profile lacks is refused.

Source: the profile matrix of UE 1.0 as public implementations report it (uet-simulator, secondary notes);
sources differ on delivery modes, so AI Full and HPC have all of them here. Deferrable sends are plain sends
where a profile does not defer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from uet.transport.record import SesOpcode
from uet.transport.state import ROD, RUD, RUDI, UUD


class Profile(IntEnum):
    """Values of the setting ses.profile."""

    EVERYTHING = 0
    AI_BASE = 1
    AI_FULL = 2
    HPC = 3


@dataclass(frozen=True)
class Features:
    """The switches of one profile."""

    opcodes: frozenset[SesOpcode]
    modes: frozenset[int]
    wildcards: bool  # receives may leave bits of a tag open
    defers: bool  # deferrable sends may be asked for again


_BASE = frozenset({
    SesOpcode.NO_OP, SesOpcode.SEND, SesOpcode.DATAGRAM_SEND, SesOpcode.WRITE, SesOpcode.ATOMIC,
    SesOpcode.DEFERRABLE_SEND, SesOpcode.MSG_ERROR,
})  # fmt: skip
_FULL = _BASE | {
    SesOpcode.READ, SesOpcode.TAGGED_SEND, SesOpcode.DEFERRABLE_TSEND, SesOpcode.DEFERRABLE_RTR,
}  # fmt: skip
_HPC = _FULL - {SesOpcode.DEFERRABLE_RTR} | {
    SesOpcode.FETCHING_ATOMIC, SesOpcode.RENDEZVOUS_SEND, SesOpcode.RENDEZVOUS_TSEND,
}  # fmt: skip
_ALL_MODES = frozenset({RUD, ROD, RUDI, UUD})

FEATURES = {
    Profile.EVERYTHING: Features(_HPC | _FULL, _ALL_MODES, True, True),
    Profile.AI_BASE: Features(_BASE, frozenset({RUD, ROD, UUD}), False, False),
    Profile.AI_FULL: Features(_FULL, _ALL_MODES, False, True),
    Profile.HPC: Features(_HPC, _ALL_MODES, True, False),
}


def _mask(members: frozenset[int]) -> int:
    return sum(1 << int(m) for m in members)


OPCODES = np.array([_mask(frozenset(map(int, FEATURES[p].opcodes))) for p in Profile], dtype=np.int64)
MODES = np.array([_mask(FEATURES[p].modes) for p in Profile], dtype=np.int64)
WILDCARDS = np.array([FEATURES[p].wildcards for p in Profile])
DEFERS = np.array([FEATURES[p].defers for p in Profile])
"""The same for kernels, by profile: bit k of a mask is opcode or mode k."""
