"""Templates of replaceable parts: the text of a working controller or balancer to start from."""

from __future__ import annotations

from uet.base.errors import BadInput, nearest

CONTROLLER = '''"""{name}: a congestion controller. Use it with --cc ./FILE.py:{name}."""

import numpy as np

from uet.transport.congestion.contract import ACK, START, TIMEOUT


class {name}:
    """Additive increase per round trip; a mark or a loss halves the window, once per round trip."""

    # What one connection remembers: zero before START, at most 256 bytes; use i8 and f8.
    STATE = np.dtype([("halved_ps", "i8"), ("window", "f8")])

    @staticmethod
    def control(state, event, settings):
        """Return the new congestion window in bytes, as an int.

        event: kind (START, ACK, NACK: trimmed, TIMEOUT), now_ps, cwnd_bytes, in_flight_bytes, acked_bytes
        (newly delivered), packet_bytes (of the lost packet), rtt_ps (-1: unknown), ecn (1: marked),
        last_hop (1: trimmed there). settings: the keys of `uet parameters` as integers; names, scales
        and units are in uet.transport.settings. This is compiled: numbers only, no objects, no print.
        """
        kind, packet = event["kind"], settings["payload_bytes"] + settings["nominal_bytes"]
        if kind == START:
            state["window"] = np.float64(settings["window_bytes"])
        elif kind == ACK and event["ecn"] == 0:
            state["window"] += packet * event["acked_bytes"] / state["window"]
        elif kind == TIMEOUT:
            state["window"] = np.float64(packet)
        elif event["now_ps"] - state["halved_ps"] > settings["base_rtt_ps"]:  # a marked ACK or a NACK
            state["window"] = state["window"] / 2
            state["halved_ps"] = event["now_ps"]
        state["window"] = min(max(state["window"], np.float64(packet)), 2.0 * settings["window_bytes"])
        return int(state["window"])
'''

BALANCER = '''"""{name}: a load balancer. Use it with --lb ./FILE.py:{name}."""

import numpy as np

from uet.base.rng import draw
from uet.transport.balancing.contract import ECN, NACK, SELECT, START, TIMEOUT


class {name}:
    """Stay on one entropy value until it is marked, trimmed or lost; then draw another."""

    # What one connection remembers: zero before START, at most 256 bytes; use i8 and f8.
    STATE = np.dtype([("stream", "i8"), ("draws", "i8"), ("entropy", "i8")])
    MAX_ENTROPIES = 65536  # the most values of lb.entropies it can deal with

    @staticmethod
    def balance(state, settings, event, value, now):
        """Return the entropy value of the next packet on SELECT, anything (0) otherwise.

        event: START (value: the connection's random stream), SELECT, or what became of an earlier
        packet with entropy `value`: GOOD, ECN, NACK (trimmed), TIMEOUT. now: picoseconds. settings:
        the keys of `uet parameters` as integers. Randomness comes from draw(seed, stream, counter).
        This is compiled: numbers only, no objects, no print.
        """
        if event == START:
            state["stream"] = value
        bad = (event == ECN or event == NACK or event == TIMEOUT) and value == state["entropy"]
        if event == START or bad:
            state["draws"] += 1
            bits = draw(settings["seed"], state["stream"], state["draws"])
            state["entropy"] = np.int64(bits & np.uint64(settings["entropies"] - 1))
        return int(state["entropy"]) if event == SELECT else 0
'''

_TEMPLATES = {"controller": CONTROLLER, "balancer": BALANCER}


def new_part(kind: str, name: str) -> str:
    """Return the text of a file that defines a working part `name`, 'controller' or 'balancer'.

    Raises BadInput for another kind and for a name that is no Python identifier.
    """
    if kind not in _TEMPLATES:
        raise BadInput(f"there are no templates for '{kind}'; {nearest(kind, _TEMPLATES)}")
    if not name.isidentifier():
        raise BadInput(f"'{name}' cannot name a part; use letters, digits and _")
    return _TEMPLATES[kind].replace("{name}", name)
