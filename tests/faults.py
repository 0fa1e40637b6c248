"""Seed faults into a copy of the engine, one at a time, and see whether the tests notice.

Each fault replaces a piece of source that occurs exactly once in its file. The tests named with it run over
the copy with kernels as plain Python; a fault that they miss meets a compiled random walk of a pair. Usage:

    python tests/faults.py [--only WORD] [--json FILE]

prints one line a fault; docs/faults.md tells what came out. Exit code 1 if more than a tenth survive.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAIR = ("tests/transport/test_reliability.py", "tests/transport/test_lifecycle.py")
NSCC = ("tests/transport/congestion/test_nscc.py",)
TSS = ("tests/transport/test_security.py",)
WALK = ("tests/emulation/pair/test_walk.py::test_a_million_random_steps_violate_nothing",)
WIRE = ("tests/transport/test_wire_codec.py", "tests/transport/test_wire_frames.py")
TIMEOUT_S = 300
"""A run that takes longer than that hangs because of the fault, which counts as noticed."""


@dataclass(frozen=True)
class Fault:
    """A piece of source, what takes its place, what that means, and the tests that should notice."""

    meaning: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = PAIR


FAULTS = (
    Fault("SACK base one too high", "reply.py", 'packet["sack_offset"] = base - cack\n    packet["sack_bitmap"] = '
          "_received(e, pdc, base)\n    packet[\"detail\"]", 'packet["sack_offset"] = base - cack + 1\n    '
          'packet["sack_bitmap"] = _received(e, pdc, base)\n    packet["detail"]'),
    Fault("cumulative ACK one too high", "reply.py", 'cack = p["rx_expected"] - 1\n    base = number if',
          'cack = p["rx_expected"]\n    base = number if'),
    Fault("ECN mark not echoed", "reply.py", "flags = (packet[\"pds_flags\"] & RETX) | (MARKED if packet[\"net\"] & CE "
          "else 0)\n    turn_round(e, slot, pdc, settings[\"ack_bytes\"], now)",
          "flags = packet[\"pds_flags\"] & RETX\n    turn_round(e, slot, pdc, settings[\"ack_bytes\"], now)"),
    Fault("ACK reports no received bytes", "reply.py", '(asked << 40) | (received << 16)', "(asked << 40)"),
    Fault("no clear is requested", "reply.py", 'packet["pds_flags"] |= REQUEST_CLEAR', 'packet["pds_flags"] |= 0'),
    Fault("answer goes to the wrong PDC", "reply.py", 'packet["dpdcid"] = asker',
          'packet["dpdcid"] = packet["spdcid"] + 1'),
    Fault("clear forgets one response too few", "clearing.py", "free_saved(e, pdc, number)",
          "free_saved(e, pdc, number - 1)"),
    Fault("clear command names one PSN too few", "clearing.py", 'p["tx_cack"] - 1', 'p["tx_cack"] - 2'),
    Fault("missed clear", "receive.py", 'clear_up_to(e, pdc, number + packet["psn_offset"])', "pass"),
    Fault("receive window one too wide", "receive.py", 'number >= p["rx_expected"] + window or',
          'number > p["rx_expected"] + window or'),
    Fault("duplicates delivered again", "receive.py", 'if packet["net"] & IS_TRIMMED or known:',
          'if packet["net"] & IS_TRIMMED:'),
    Fault("trimmed packets taken as whole", "receive.py", 'if packet["net"] & IS_TRIMMED or known:', "if known:"),
    Fault("ordered mode takes packets out of order", "receive.py", "if ahead and mode == ROD:", "if False:"),
    Fault("SYN of another start PSN taken", "receive.py", 'return pdc if p["rx_start"] == start else -INVALID_SYN',
          "return pdc"),
    Fault("old SYN opens a closed PDC again", "receive.py",
          'if pdc >= 0 and pdc_at(e, pdc)["rx_start"] == start:', "if False:"),
    Fault("delivery modes not told apart", "receive.py",
          'return pdc if pdc_at(e, pdc)["mode"] == mode else -MODE_MISMATCH', "return pdc"),
    Fault("ACK request ignored", "receive.py", 'asked = packet["pds_flags"] & AR', "asked = 0"),
    Fault("closing a gap keeps the count", "receive.py", 'p["rx_out_of_order"] -= 1', "pass"),
    Fault("bitmap never given back", "receive.py", "        give_bitmap(e, pdc)", "        pass"),
    Fault("ACK of packets never sent taken", "answers.py", 'if cack >= p["tx_next"] or', "if False or"),
    Fault("SACK shifted by one", "answers.py", "bits >> np.uint64(below)", "bits >> np.uint64(below - 1)"),
    Fault("acknowledged packets stay in flight", "answers.py", 'p["in_flight"] -= sent_size(e, pdc, n)', "pass"),
    Fault("round trip of retransmissions taken", "answers.py",
          '(row["tries"] == 1 and retx == 0) or (row["tries"] == 2 and retx != 0)', "True"),
    Fault("lowest lost packet not kept", "losses.py", 'if p["tx_lost"] == 0 or number < p["tx_lost_low"]:',
          'if p["tx_lost"] == 0:'),
    Fault("lost packets still count as in flight", "losses.py", 'p["in_flight"] -= size', "pass"),
    Fault("gap found one word late", "bits.py", "        bits = read64(e, first, window, n)\n        if bits != ZERO:",
          "        bits = read64(e, first, window, n + 1)\n        if bits != ZERO:"),
    Fault("wrong quadrant: delay without a mark cuts", "congestion/nscc.py",
          'elif delay >= target:\n        window = _cut', 'elif delay < target:\n        window = _cut', NSCC),
    Fault("more than one cut a round trip", "congestion/nscc.py",
          'average <= target or now - state["decreased_ps"] <= state["base_rtt_ps"]', "average <= target", NSCC),
    Fault("replayed frames taken", "security/replay.py", "and not self._received >> behind & 1", "", TSS),
    Fault("payload length counts the SES header", "wire/codec.py", 'packet["payload_bytes"] = whole - offset',
          'packet["payload_bytes"] = whole - pds_bytes', WIRE),
)  # fmt: skip


def seed(fault: Fault, root: Path) -> str:
    """Write the fault into the copy at `root` and return the file's sound text; raises ValueError if it fits not."""
    path = root / "uet" / "transport" / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.meaning}: its piece occurs {text.count(fault.old)} times in {fault.file}")
    path.write_text(text.replace(fault.old, fault.new))
    return text


def run(tests: tuple[str, ...], root: Path, plain: bool = True) -> tuple[bool, str]:
    """Run tests over the copy, as plain Python or compiled; return whether they failed, and the first that did."""
    environment = os.environ | {
        "NUMBA_DISABLE_JIT": str(int(plain)),
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return True, "hangs"
    if done.returncode not in (0, 1, 2):
        raise RuntimeError(done.stdout + done.stderr)
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode != 0, failed[0].split(" - ")[0].split("::")[-1] if failed else ""


def main() -> int:
    """Try all faults, or those whose meaning contains a word."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part in ("uet", "tests", "emulation", "topologies", "solvers", "pyproject.toml"):
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            copy(ROOT / part, root / part)
        if run(tuple(sorted({test for fault in FAULTS for test in fault.tests})), root)[0]:
            raise RuntimeError("the tests fail without any fault, or take too long")
        for fault in FAULTS:
            if arguments.only not in fault.meaning:
                continue
            sound = seed(fault, root)
            killed, by = run(fault.tests, root)
            if not killed and fault.tests == PAIR:
                killed, by = run(WALK, root, plain=False)
            (root / "uet" / "transport" / fault.file).write_text(sound)
            print(f"{'killed' if killed else 'SURVIVED':<9} {fault.meaning:<48} {by}", flush=True)
            found.append({**asdict(fault), "killed": killed, "by": by})
    killed_ones = sum(bool(f["killed"]) for f in found)
    print(f"{killed_ones} of {len(found)} killed")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0 if 10 * killed_ones >= 9 * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
