"""Who may be addressed: contexts (job, process, resource) for sends, memory regions with keys for RMA and atomics."""

from __future__ import annotations

from typing import Any

import numpy as np

from uet.base.jit import kernel
from uet.transport.record import NextHeader, SesFlag
from uet.transport.state import context_at, core_at, endpoint_at, region_at
from uet.transport.wire.codes import ReturnCode

OK, BAD_GENERATION, DISABLED = int(ReturnCode.OK), int(ReturnCode.BAD_GENERATION), int(ReturnCode.DISABLED)
BAD_JOB_ID, BAD_PID, BAD_INDEX = int(ReturnCode.BAD_JOB_ID), int(ReturnCode.BAD_PID), int(ReturnCode.BAD_INDEX)
BAD_MKEY, PERM_VIOLATION = int(ReturnCode.BAD_MKEY), int(ReturnCode.PERM_VIOLATION)
OUT_OF_RANGE = int(ReturnCode.AT_OUT_OF_RANGE)
RELATIVE, SMALL = int(SesFlag.RELATIVE), int(NextHeader.REQUEST_SMALL)
IDEMPOTENT_BIT = np.uint64(63)
REFUSALS = np.array([BAD_JOB_ID, BAD_PID, BAD_INDEX, BAD_GENERATION, DISABLED, OK], dtype=np.int64)
"""Return code by how far an address agrees with the closest context."""
FULL = -1
"""What `add_context` and `add_region` return when no row is left."""


@kernel
def add_context(e: Any, endpoint: int, job: int, pid: int, relative_pid: int, index: int, generation: int) -> int:
    """Let messages of a job go to a process and resource of an endpoint; returns the row, or FULL.

    Once an endpoint has a context, whatever is addressed to none of them is refused.
    """
    core = core_at(e, 0)
    row = core["used_contexts"]
    if row >= e["n_context"]:
        return FULL
    core["used_contexts"] += 1
    c, ep = context_at(e, row), endpoint_at(e, endpoint)
    c["job_id"], c["pid"], c["relative_pid"], c["resource_index"] = job, pid, relative_pid, index
    c["generation"], c["enabled"], c["next"] = generation, 1, ep["contexts"]
    ep["contexts"] = row
    return row


@kernel
def check_address(e: Any, endpoint: int, ses: Any, flags: int, next_hdr: int) -> int:
    """Return OK, or the return code that says what is wrong with the address in an SES request.

    Small requests carry a memory key in place of the resource index.
    """
    at = np.int64(endpoint_at(e, endpoint)["contexts"])
    if at < 0:
        return OK
    closest = 0  # how far the best context agrees: job, process, resource, generation
    while at >= 0:
        c = context_at(e, at)
        at = np.int64(c["next"])
        if c["job_id"] != ses["job_id"]:
            continue
        agrees = 1
        if (c["relative_pid"] if flags & RELATIVE else c["pid"]) == ses["pid_on_fep"]:
            agrees = 2
            if next_hdr == SMALL or c["resource_index"] == ses["resource_index"]:
                agrees = 3
                if c["generation"] == ses["ri_generation"]:
                    agrees = 4 if c["enabled"] == 0 else 5
        closest = max(closest, agrees)
    return REFUSALS[closest]


@kernel
def add_region(e: Any, endpoint: int, key: np.uint64, job: int, handle: int, n_bytes: int, access: int) -> int:
    """Open memory of an endpoint to a job under a key; returns the row, or FULL. `access` is a sum of ACCESS_*."""
    core = core_at(e, 0)
    row = core["used_regions"]
    if row >= e["n_region"]:
        return FULL
    core["used_regions"] += 1
    r, ep = region_at(e, row), endpoint_at(e, endpoint)
    r["key"], r["job_id"], r["handle"], r["bytes"], r["access"] = key, job, handle, n_bytes, access
    r["next"] = ep["regions"]
    ep["regions"] = row
    return row


@kernel
def find_region(e: Any, endpoint: int, key: np.uint64) -> int:
    """Return the region of an endpoint with a key, -1 if there is none."""
    at = np.int64(endpoint_at(e, endpoint)["regions"])
    while at >= 0 and region_at(e, at)["key"] != key:
        at = np.int64(region_at(e, at)["next"])
    return at


@kernel
def check_region(e: Any, row: int, job: int, access: int, offset: int, n_bytes: int, idempotent: int) -> int:
    """Return OK, or the return code that says why memory may not be used so; `row` is -1 for an unknown key."""
    if row < 0 or region_at(e, row)["access"] == 0:
        return BAD_MKEY
    r = region_at(e, row)
    if r["job_id"] != job:
        return BAD_JOB_ID
    if r["access"] & access != access or (idempotent != 0 and (r["key"] >> IDEMPOTENT_BIT) == np.uint64(0)):
        return PERM_VIOLATION
    if offset < 0 or n_bytes < 0 or n_bytes > r["bytes"] - offset:
        return OUT_OF_RANGE
    return OK
