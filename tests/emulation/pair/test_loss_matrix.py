"""Lose each kind of packet at each place, once, twice or always: every message comes to an end, no byte is wrong."""

from itertools import product

import pytest

from emulation.pair.pair import Pair, PairSettings
from emulation.pair.state import Violation
from uet.transport.record import Net, PdsType

MESSAGES = (160, 0, 300, 16)
TIMES = {"once": 1, "twice": 2, "always": 1 << 30}
PLACES = {"first": 0, "middle": 0.5, "last": 1}
REQUESTS = (PdsType.RUD_REQ, PdsType.ROD_REQ, PdsType.RUD_CC_REQ, PdsType.ROD_CC_REQ)
KINDS = ("request", "ack", "nack", "trimmed")
TRIM_EVERY = 3


def kind_of(packet) -> str:
    """Return the kind of a packet under way, as in the matrix."""
    kind = PdsType(int(packet["pds_type"]))
    if packet["net"] & Net.TRIMMED:
        return "trimmed"
    if kind in REQUESTS:
        return "request"
    return {PdsType.NACK: "nack", PdsType.ACK: "ack", PdsType.ACK_CC: "ack"}[kind]


def name_of(packet) -> tuple[str, int]:
    """Return kind and PSN concerned: equal for a packet and its repetition."""
    kind, psn = kind_of(packet), int(packet["psn"])
    return kind, (psn + int(packet["psn_offset"])) & 0xFFFFFFFF if kind == "ack" else psn


def run(lost: tuple[str, int] | None = None, times: int = 0) -> tuple[Pair, list[tuple[str, int]]]:
    """Send the messages, trim every third packet, lose `lost` as often as told; return the pair and what was sent."""
    pair, seen, left = Pair(PairSettings(messages=8, packets=256)), [], times
    for n_bytes in MESSAGES:
        pair.post(0, n_bytes)
    for _ in range(3000):
        if not pair.open_messages and not pair.n_flight:
            break
        if not pair.n_flight:
            assert pair.expire()
            continue
        packet = pair.flight()[0]
        psn = int(packet["psn"])
        cut = ("request", psn) not in seen and ("trimmed", psn) not in seen
        cut = cut or (left > 0 and lost in (("trimmed", psn), ("nack", psn)))  # as long as that form is to be lost
        if kind_of(packet) == "request" and psn % TRIM_EVERY == 0 and cut:
            pair.trim()
            packet = pair.flight()[0]
        seen.append(name_of(packet))
        if seen[-1] == lost and left:
            left -= 1
            pair.drop()
        else:
            pair.deliver()
        assert pair.violation() == Violation.NONE
    assert not pair.open_messages
    return pair, seen


@pytest.fixture(scope="module")
def reference() -> dict[str, list[tuple[str, int]]]:
    """What is sent when nothing is lost, by kind, in order and without repetition."""
    _, seen = run()
    return {
        kind: list(dict.fromkeys(s for s in seen if s[0] == kind)) for kind in ("request", "ack", "nack", "trimmed")
    }


@pytest.mark.parametrize(("kind", "place", "times"), list(product(KINDS, PLACES, TIMES)))
def test_every_message_ends_well_whatever_is_lost(kind: str, place: str, times: str, reference: dict) -> None:
    names = reference[kind]
    pair, seen = run(names[round(PLACES[place] * (len(names) - 1))], TIMES[times])
    dropped = int(pair.state["dropped"][0])
    goods, core = pair.goods(), pair.engine.table("core")[0]
    assert 1 <= dropped <= TIMES[times]
    if times == "always" and (kind != "ack" or place == "last"):
        assert goods["sent"].max() == 2, "what never arrives, or is never acknowledged, must end in an error"
        assert core["timeouts"] > 5
    else:
        assert (goods["sent"] == 1).all()
    if times != "always" or kind == "ack":
        assert (goods["received"] == 1).all()
    if kind == "request" and times != "always":
        repeated = len(seen) - len(set(seen))
        assert core["retransmitted"] == dropped + len(reference["trimmed"]), (repeated, "nothing else is sent again")
        assert core["duplicates"] == 0
