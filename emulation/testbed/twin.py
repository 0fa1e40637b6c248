"""Runs with their captures, and twins: the same run over namespaces and in memory, compared byte by byte."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulation.testbed.run import Testbed, TestbedSettings, compare_captures, run_testbed
from topologies.fabric import Fabric
from uet.base.errors import CheckFailed, UetError
from uet.base.runs import replacing
from uet.schedule.model import Schedule

Say = Callable[[str], None]
Outcome = tuple[dict[str, Any], UetError | None]


def _telling(say: Say | None) -> Callable[[Testbed], None] | None:
    """Return what tells of a run's progress."""
    if say is None:
        return None

    def tell(bed: Testbed) -> None:
        done, total = bed.simulation.progress
        say(f"{bed.simulation.now_ps / 1e6:,.1f} us of testbed time, {done:,} of {total:,} operations done")

    return tell


def run_with_capture(fabric: Fabric, schedule: Schedule, settings: TestbedSettings, say: Say | None) -> Outcome:
    """Run once; a capture that was asked for gets its name when the run has ended."""
    if settings.capture is None:
        return run_testbed(fabric, schedule, settings, _telling(say))
    with replacing(settings.capture) as draft:
        return run_testbed(fabric, schedule, replace(settings, capture=draft), _telling(say))


def run_twins(fabric: Fabric, schedule: Schedule, settings: TestbedSettings, say: Say | None) -> Outcome:
    """Run over wires and again in memory; the report says how many captured bytes differ (`twin_differing_bytes`)."""
    with tempfile.TemporaryDirectory(prefix="uet-twin-") as folder:
        real, twin = Path(folder, "wires.pcapng"), Path(folder, "memory.pcapng")
        report, problem = run_testbed(fabric, schedule, replace(settings, capture=real), _telling(say))
        if problem is not None and report["status"] == "partial":
            return report, problem
        run_testbed(fabric, schedule, replace(settings, capture=twin, links="memory"), _telling(say))
        report["twin_differing_bytes"] = compare_captures(real, twin)
        report["captured_bytes"] = real.stat().st_size
        if settings.capture is not None:
            with replacing(settings.capture) as draft:
                draft.write_bytes(real.read_bytes())
    if problem is None and report["twin_differing_bytes"]:
        problem = CheckFailed(
            f"{report['twin_differing_bytes']} captured bytes differ between the wires and the simulation"
        )
    return report, problem
