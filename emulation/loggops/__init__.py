"""The LogGOPS backend: schedules at message level, exactly as LogGOPSim computes them."""

from emulation.loggops.parameters import LogGOPS, parse_loggops
from emulation.loggops.simulate import LogGOPSResult, run_loggops

__all__ = ["LogGOPS", "LogGOPSResult", "parse_loggops", "run_loggops"]
