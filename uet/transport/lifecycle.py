"""The life of a packet delivery context (PDC) as one table: (state, input) -> (next state, action).

Kernels step through it (`uet.transport.closing`), `docs/transport.md` shows it as a diagram drawn from it,
and tests walk over every pair. An input that the table does not know in a state changes nothing.

Sources: UE specification 1.0 as uet-ref-prov, suet-fork and the Linux RFC implement it. The initiator opens
a PDC with its first packet (SYN until the first answer, no handshake) and closes it once everything is
acknowledged; the target follows, may ask for the close, and may insist on a start PSN of its own.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class State(IntEnum):
    """Where a PDC is in its life; the TARGET states are those of the side that did not open it."""

    CLOSED = 0  # the row is free, or remembers who had it last
    SYN_SENT = 1
    ESTABLISHED = 2
    QUIESCE = 3  # takes no more messages, sends those it has
    ACK_WAIT = 4  # everything is sent, answers are missing
    CLOSE_WAIT = 5  # the Close Command is under way
    TARGET_PENDING = 6  # answered NEW_START_PSN, waits for packets that use it
    TARGET_ESTABLISHED = 7
    TARGET_CLOSING = 8  # has asked for the close
    ERROR = 9  # given up; kept for a while, so that late packets find nobody else


class Input(IntEnum):
    """What moves a PDC from state to state."""

    OPEN = 0  # the application posts to a peer that has no open PDC
    ANSWER = 1  # the first answer, which carries the peer's identifier
    RENUMBER = 2  # NACK NEW_START_PSN
    CLOSE = 3  # the application or the peer wants the close, or the PSN range is used up
    SENT = 4  # no packet is left to be sent
    DRAINED = 5  # everything is acknowledged and answered
    CLOSE_DONE = 6  # the Close Command is acknowledged, or the peer no longer knows the PDC
    SYN = 7  # a packet of a new PDC arrives
    CHALLENGE = 8  # it does, and has to prove that it is not an old duplicate
    ASK_CLOSE = 9  # the target's application wants the close
    CLOSE_COMMAND = 10  # arrives
    FATAL = 11  # a fatal NACK, or retries are exhausted
    EXPIRED = 12  # the state has lasted too long


class Action(IntEnum):
    """What is done on the way."""

    NOTHING = 0
    START = 1  # choose a start PSN, start controller and balancer
    LEARN = 2  # note the peer's identifier
    RESTART = 3  # adopt the peer's start PSN and send everything again
    HIDE = 4  # new messages to the peer open another PDC
    SEND_CLOSE = 5  # send a Close Command
    ACCEPT = 6  # take the packet's start PSN
    CHOOSE = 7  # choose a start PSN and answer NEW_START_PSN
    SEND_REQUEST = 8  # send a Close Request
    FAIL = 9  # report every message as failed
    RELEASE = 10  # give row and rings back


TRANSITIONS: dict[tuple[State, Input], tuple[State, Action]] = {
    (State.CLOSED, Input.OPEN): (State.SYN_SENT, Action.START),
    (State.SYN_SENT, Input.ANSWER): (State.ESTABLISHED, Action.LEARN),
    (State.SYN_SENT, Input.RENUMBER): (State.SYN_SENT, Action.RESTART),
    (State.SYN_SENT, Input.CLOSE): (State.QUIESCE, Action.HIDE),
    (State.SYN_SENT, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.ESTABLISHED, Input.CLOSE): (State.QUIESCE, Action.HIDE),
    (State.ESTABLISHED, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.QUIESCE, Input.ANSWER): (State.QUIESCE, Action.LEARN),
    (State.QUIESCE, Input.RENUMBER): (State.QUIESCE, Action.RESTART),
    (State.QUIESCE, Input.SENT): (State.ACK_WAIT, Action.NOTHING),
    (State.QUIESCE, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.ACK_WAIT, Input.ANSWER): (State.ACK_WAIT, Action.LEARN),
    (State.ACK_WAIT, Input.RENUMBER): (State.ACK_WAIT, Action.RESTART),
    (State.ACK_WAIT, Input.DRAINED): (State.CLOSE_WAIT, Action.SEND_CLOSE),
    (State.ACK_WAIT, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.CLOSE_WAIT, Input.CLOSE_DONE): (State.CLOSED, Action.RELEASE),
    (State.CLOSE_WAIT, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.CLOSED, Input.SYN): (State.TARGET_ESTABLISHED, Action.ACCEPT),
    (State.CLOSED, Input.CHALLENGE): (State.TARGET_PENDING, Action.CHOOSE),
    (State.TARGET_PENDING, Input.SYN): (State.TARGET_ESTABLISHED, Action.NOTHING),
    (State.TARGET_PENDING, Input.EXPIRED): (State.CLOSED, Action.RELEASE),
    (State.TARGET_ESTABLISHED, Input.ASK_CLOSE): (State.TARGET_CLOSING, Action.SEND_REQUEST),
    (State.TARGET_ESTABLISHED, Input.CLOSE_COMMAND): (State.CLOSED, Action.RELEASE),
    (State.TARGET_ESTABLISHED, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.TARGET_CLOSING, Input.CLOSE_COMMAND): (State.CLOSED, Action.RELEASE),
    (State.TARGET_CLOSING, Input.FATAL): (State.ERROR, Action.FAIL),
    (State.TARGET_CLOSING, Input.EXPIRED): (State.ERROR, Action.FAIL),
    (State.ERROR, Input.EXPIRED): (State.CLOSED, Action.RELEASE),
}

N_INPUTS = len(Input)
NEXT = np.full(len(State) * N_INPUTS, -1, dtype=np.int64)
"""Next state at index state * N_INPUTS + input, -1 where the table has no entry."""
ACTION = np.zeros(len(State) * N_INPUTS, dtype=np.int64)
for (_state, _input), (_next, _action) in TRANSITIONS.items():
    NEXT[_state * N_INPUTS + _input] = _next
    ACTION[_state * N_INPUTS + _input] = _action

IS_OPEN = np.array([s not in (State.CLOSED, State.ERROR) for s in State])
"""Whether packets may belong to a PDC in a state."""
