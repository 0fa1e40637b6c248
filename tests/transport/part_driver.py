"""Drive a controller or a balancer without an engine: events in, windows or entropy values out."""

import numpy as np

from uet.base.jit import JIT, PlainRow, kernel
from uet.transport.balancing.contract import BALANCER, SELECT
from uet.transport.balancing.contract import START as LB_START
from uet.transport.congestion.contract import CONTROLLER, START
from uet.transport.plugins import balancer_address, controller_address, load, split_credit
from uet.transport.settings import chosen, delay_targets, fill
from uet.transport.state import CC_EVENT, CC_STATE, LB_STATE

_call_controller, _call_balancer = CONTROLLER.call, BALANCER.call


@kernel
def _control(address, state, event, settings):
    return _call_controller(address, state, event, settings)


@kernel
def _balance(address, state, settings, event, value, now):
    return _call_balancer(address, state, settings, event, value, now)


def _row(records):
    return records[0] if JIT else PlainRow(records, 0)


def settings_row(profile, overrides, controller=0, balancer=0, credit=0):
    """Return a settings row for a network with trimming."""
    settled = chosen(profile, overrides)
    base = {
        "cc.base_rtt_us": 10,
        "cc.line_gbps": 400,
        "cc.window_bytes": 750_000,
        "rto.init_us": 100,
        "rccc.max_bytes": 750_000,
    }
    values = base | settled
    derived = delay_targets(settled, values["cc.base_rtt_us"], True, profile)
    return fill(derived | values, 1, controller, balancer, credit)


class ControllerDriver:
    """One controller with its state; `window` follows what it returns."""

    def __init__(self, name, profile="uet-1.0", overrides=None):
        self.address = controller_address(name)
        credit, self.rate_mbps = split_credit(name)[1], 0
        self.settings = settings_row(profile, overrides or {}, controller=self.address, credit=credit)
        self.rows, self.event = CC_STATE.zeros(1), CC_EVENT.zeros(1)
        self.dtype, self.window = load("controller", name).STATE, int(self.settings["window_bytes"][0])
        self.tell(START)

    @property
    def state(self):
        """The controller's record."""
        return np.ndarray(1, self.dtype, buffer=self.rows.data)[0]

    def tell(self, kind, now=0, acked=0, packet=0, rtt=-1, ecn=0, in_flight=0, last_hop=0, pressure=0, restore=0):
        """Report one event and return the window after it."""
        self.event[0] = (kind, now, self.window, in_flight, acked, packet, rtt, ecn, last_hop, pressure, restore, 0)
        self.window = int(_control(self.address, _row(self.rows), _row(self.event), _row(self.settings)))
        self.rate_mbps = int(self.event["rate_mbps"][0])
        return self.window


class BalancerDriver:
    """One balancer with its state."""

    def __init__(self, name, stream=7, profile="uet-1.0", overrides=None):
        self.address = balancer_address(name)
        self.settings = settings_row(profile, overrides or {}, balancer=self.address)
        self.rows = LB_STATE.zeros(1)
        self.tell(LB_START, stream)

    def tell(self, event, value=0, now=0):
        """Report one event and return the answer."""
        return int(_balance(self.address, _row(self.rows), _row(self.settings), event, value, now))

    def select(self, n, now=0):
        """Return the entropy values of the next n packets."""
        return [self.tell(SELECT, 0, now) for _ in range(n)]
