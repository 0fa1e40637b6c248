"""htsim connection matrices (.cm): lists of flows with start times and triggers, read as schedules.

    Nodes N / Connections C [/ Triggers T] [/ Failures F]
    SRC->DST [id FLOW] (start US | trigger T) size BYTES [send_done_trigger T] [prio P] [msg [M]]
    trigger id T (oneshot | multishot | barrier) [count N]

A flow is a send whose tag is its id and a receive at the other end. A start time is a calc before the
send. A trigger makes sends wait for other sends, possibly of other ranks: a send is done when its
last cumulative acknowledgement is in, as in htsim. What htsim accepts but does not do (recv_done_trigger,
failure lines, fractions of a microsecond, empty flows) is refused with the line that asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from uet.base.errors import BadInput, nearest
from uet.base.units import PS_PER_US
from uet.schedule.model import Index, Schedule, ScheduleBuilder
from uet.schedule.patterns import side_by_side

HEADERS = {"Nodes", "Connections", "Triggers", "Failures"}
FLOW_KEYS = {"id", "start", "trigger", "size", "send_done_trigger", "recv_done_trigger", "prio", "msg"}
TRIGGER_KINDS = {"oneshot", "multishot", "barrier"}

FIRST_OWN_ID = 1_000_000_001
"""Flows without an id are numbered from here on, as htsim does."""

LATEST_START_US = 10_000_000
"""Later starts are taken for picoseconds, which some generators write."""


@dataclass
class _Flow:
    line: int
    source: int
    target: int
    size_bytes: int
    id: int
    start_us: int
    trigger: int
    done_trigger: int
    message: bool


@dataclass
class _Trigger:
    line: int
    kind: str
    count: int
    activators: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)


def read_cm(path: str | Path) -> Schedule:
    """Return the schedule of a .cm file; its ranks are the file's nodes.

    Raises BadInput naming file and line of everything that is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read as text ({error}); check the path") from None
    reader = _Reader(str(path))
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if words:
            reader.read_line(number, words)
    reader.finish()
    return _schedule(path.name, reader)


class _Reader:
    """Headers, flows and triggers read so far, and everything found wrong with them."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.headers: dict[str, int] = {}
        self.flows: list[_Flow] = []
        self.triggers: dict[int, _Trigger] = {}
        self.problems: list[str] = []
        self.unnumbered = 0

    def complain(self, line: int, problem: str) -> None:
        self.problems.append(f"{self.path}:{line}: {problem}")

    def read_line(self, line: int, words: list[str]) -> None:
        try:
            if words[0] in HEADERS:
                self.headers[words[0]] = _whole(words[1] if len(words) > 1 else "", words[0])
            elif "->" in words[0]:
                self.flows.append(self._flow(line, words))
            elif words[0] == "trigger":
                self._trigger(line, words)
            elif words[0] == "failure":
                raise BadInput("failure lines are not run by htsim either; describe failures with the --fail option")
            else:
                raise BadInput(f"'{words[0]}' starts no known line; {nearest(words[0], HEADERS | {'trigger'})}")
        except BadInput as problem:
            self.complain(line, str(problem))

    def _flow(self, line: int, words: list[str]) -> _Flow:
        source, _, target = words[0].partition("->")
        keys = _flow_keys(words[1:])
        flow = _Flow(
            line, _whole(source, "source"), _whole(target, "destination"), keys.get("size", 0), keys.get("id", -1),
            keys.get("start", 0), keys.get("trigger", -1), keys.get("send_done_trigger", -1), "msg" in keys,
        )  # fmt: skip
        if flow.size_bytes == 0:
            raise BadInput("the flow has no size, so nothing would be sent; give size BYTES")
        if flow.source == flow.target:
            raise BadInput(f"source and destination are both {flow.source}; a flow needs two hosts")
        if flow.start_us > LATEST_START_US:
            raise BadInput(f"start {flow.start_us} is {flow.start_us / 1e6:g} s; write whole microseconds")
        if "start" in keys and "trigger" in keys:
            raise BadInput("the flow has a start and a trigger; keep one")
        if flow.id < 0:
            flow.id = FIRST_OWN_ID + self.unnumbered
            self.unnumbered += 1
        return flow

    def _trigger(self, line: int, words: list[str]) -> None:
        if len(words) < 4 or words[1] != "id" or words[3] not in TRIGGER_KINDS:
            raise BadInput("write 'trigger id NUMBER oneshot|multishot|barrier [count N]'")
        counted = len(words) == 6 and words[4] == "count"
        if len(words) > 4 and not counted:
            raise BadInput(f"'{' '.join(words[4:])}' is not 'count N'")
        if (words[3] == "barrier") != counted:
            raise BadInput("a barrier needs 'count N', the other triggers take none")
        number = _whole(words[2], "trigger id")
        if number in self.triggers:
            raise BadInput(f"trigger {number} stands already in line {self.triggers[number].line}; keep one")
        self.triggers[number] = _Trigger(line, words[3], _whole(words[5], "count") if counted else 1)

    def finish(self) -> None:
        """Join triggers to flows and check the file as a whole; raises all problems at once."""
        if not self.problems:  # lines that could not be read would make the counts and joins wrong
            self._check_headers()
            self._check_flows()
            for number, trigger in self.triggers.items():
                wanted = len(trigger.targets) if trigger.kind == "multishot" else trigger.count
                if trigger.targets and len(trigger.activators) < wanted:
                    self.complain(
                        trigger.line,
                        f"trigger {number} needs {wanted} activations to start its {len(trigger.targets)} flows "
                        f"but only {len(trigger.activators)} flows name it as send_done_trigger",
                    )
        if self.problems:
            raise BadInput(*self.problems)

    def _check_headers(self) -> None:
        counts = {"Connections": len(self.flows), "Triggers": len(self.triggers), "Failures": 0}
        if "Nodes" not in self.headers or "Connections" not in self.headers:
            self.complain(1, "the headers 'Nodes N' and 'Connections C' must both be there")
        for name, count in counts.items():
            if self.headers.get(name, 0) != count:
                self.complain(1, f"the header says {name} {self.headers.get(name, 0)} but the file has {count}")

    def _check_flows(self) -> None:
        nodes = self.headers.get("Nodes", 0)
        first_of: dict[int, _Flow] = {}
        for k, flow in enumerate(self.flows):
            if max(flow.source, flow.target) >= nodes:
                self.complain(flow.line, f"host {max(flow.source, flow.target)} is not one of the {nodes} nodes")
            twin = first_of.setdefault(flow.id, flow)
            if twin is not flow and not (flow.message and twin.message):
                self.complain(
                    flow.line, f"id {flow.id} stands already in line {twin.line}; number flows or mark both msg"
                )
            for number, role in ((flow.trigger, "targets"), (flow.done_trigger, "activators")):
                if number >= 0 and number not in self.triggers:
                    self.complain(flow.line, f"trigger {number} is not defined; add 'trigger id {number} ...'")
                elif number >= 0:
                    getattr(self.triggers[number], role).append(k)


def _flow_keys(words: list[str]) -> dict[str, int]:
    """Read 'key value' pairs; the value of msg may be left out."""
    keys: dict[str, int] = {}
    rest = list(words)
    while rest:
        key = rest.pop(0)
        if key not in FLOW_KEYS:
            raise BadInput(f"unknown key '{key}'; {nearest(key, FLOW_KEYS)}")
        if key == "recv_done_trigger":
            raise BadInput(
                "recv_done_trigger never fires in htsim, so its flows would not start; use send_done_trigger"
            )
        if key == "msg" and (not rest or not rest[0].isdigit()):
            keys[key] = 0
        else:
            keys[key] = _whole(rest.pop(0) if rest else "", key)
    return keys


def _whole(word: str, what: str) -> int:
    if not (word.isascii() and word.isdigit()):
        raise BadInput(f"{what} '{word}' is not a whole number; write one (htsim would cut or refuse it)")
    return int(word)


def _schedule(name: str, reader: _Reader) -> Schedule:
    flows = reader.flows
    table = np.array([(f.source, f.target, f.size_bytes, f.id) for f in flows], np.int64).reshape(-1, 4).T
    source, target, size, flow_id = table
    places, data_bytes = side_by_side(target, size)
    builder = ScheduleBuilder(name, reader.headers["Nodes"], data_bytes, result="messages")
    waits = [[delay] if delay >= 0 else [] for delay in _start_times(builder, flows)]
    needed = np.array([len(w) for w in waits], np.int32)
    first_send = builder.n_operations
    for trigger in reader.triggers.values():
        for place, k in enumerate(trigger.targets):
            # a oneshot fires with the first activation, the k-th flow of a multishot with the k-th
            waits[k] = [first_send + activator for activator in trigger.activators]
            needed[k] = place + 1 if trigger.kind == "multishot" else trigger.count
    builder.transfer(source, target, size, to_offset=places, tag=flow_id, after=_columns(waits))
    schedule = builder.build()
    if not reader.triggers:
        return schedule
    counts = schedule.waits_for.astype(np.int32)
    counts[first_send : first_send + len(flows)] = needed
    return replace(schedule, needed=counts)


def _start_times(builder: ScheduleBuilder, flows: list[_Flow]) -> list[int]:
    """Add one chain of delays per host and return the delay that ends when each flow starts, -1 at time 0.

    A chain, so that delays of one host end on time even where calcs of one rank run one after another.
    """
    delays: dict[tuple[int, int], int] = {}
    last: dict[int, tuple[int, int]] = {}
    for host, start_us in sorted({(f.source, f.start_us) for f in flows if f.start_us > 0}):
        before_us, before = last.get(host, (0, -1))
        delay = int(builder.calc(host, (start_us - before_us) * PS_PER_US, after=(before,)))
        delays[host, start_us] = delay
        last[host] = (start_us, delay)
    return [delays.get((f.source, f.start_us), -1) for f in flows]


def _columns(waits: list[list[int]]) -> tuple[Index, ...]:
    """Turn ragged lists into arrays padded with -1, one per position."""
    width = max(map(len, waits), default=0)
    padded = np.array([w + [-1] * (width - len(w)) for w in waits], np.int64).reshape(len(waits), width)
    return tuple(padded.T)
