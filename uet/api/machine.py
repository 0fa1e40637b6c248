"""What this machine can do: libraries, compiled kernels, rights and kernel features."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from uet.base.runs import versions

REQUIRED = (
    "click", "cryptography", "highspy", "matplotlib", "networkx", "numba", "numpy", "platformdirs", "pulp", "pyarrow",
    "pydantic", "pyroute2", "pyyaml", "rich", "scapy", "scipy",
)  # fmt: skip
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}
"""Capabilities the testbed needs and their bit in /proc/self/status (linux/capability.h)."""


@dataclass(frozen=True)
class Check:
    """One thing looked at: `ok` is None for a plain fact; `remedy` says how to mend what is not ok."""

    name: str
    ok: bool | None
    value: str
    remedy: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """All checks and what follows from them."""

    checks: tuple[Check, ...]
    can_simulate: bool
    can_open_raw_frames: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return asdict(self)


def doctor() -> Diagnosis:
    """Return what this machine can do; nothing is left changed."""
    software = [*_platform_checks(), *_library_checks(), *_kernel_checks()]
    frames = _frame_checks()
    return Diagnosis(
        (*software, *frames),
        can_simulate=all(c.ok is not False for c in software),
        can_open_raw_frames=all(c.ok is not False for c in frames),
    )


def _platform_checks() -> list[Check]:
    supported = sys.version_info >= (3, 11)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    facts = [
        Check("python", supported, platform.python_version(), None if supported else "install Python 3.11 or later"),
        Check("system", None, platform.platform()),
        Check("cores", None, f"{cores} usable"),
    ]
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        facts.append(Check("memory", None, f"{memory_bytes / 2**30:.1f} GiB"))
    return facts


def _library_checks() -> list[Check]:
    found = versions(REQUIRED)
    missing = [name for name in REQUIRED if found[name] is None]
    present = ", ".join(f"{name} {found[name]}" for name in REQUIRED if found[name])
    return [
        Check(
            "libraries", not missing, f"missing: {', '.join(missing)}" if missing else present,
            f"pip install {' '.join(missing)}" if missing else None,
        )
    ]  # fmt: skip


def _kernel_checks() -> list[Check]:
    from uet.base.jit import JIT
    from uet.base.kernel_cache import DIRECTORY

    compiled = len(list(DIRECTORY.glob("**/*.nbi")))
    temporary = DIRECTORY.is_relative_to(tempfile.gettempdir()) and "NUMBA_CACHE_DIR" not in os.environ
    return [
        Check(
            "compiler", JIT, "numba compiles kernels" if JIT else "NUMBA_DISABLE_JIT is set: plain Python",
            None if JIT else "unset NUMBA_DISABLE_JIT",
        ),
        Check(
            "kernels", None, f"{compiled} compiled"
            if compiled else "none compiled yet; the first simulation takes up to a minute longer",
        ),
        Check(
            "kernel cache", os.access(DIRECTORY, os.W_OK) and not temporary, str(DIRECTORY),
            "set NUMBA_CACHE_DIR to a writable folder, or every process compiles anew" if temporary else None,
        ),
    ]  # fmt: skip


def _frame_checks() -> list[Check]:
    """Return what the raw-frame testbed needs: rights, namespaces, AF_PACKET and veth pairs."""
    as_root = "run as root (or in a container with the capability)"
    if platform.system() != "Linux":
        return [Check("raw frames", False, platform.system(), "raw frames between namespaces need Linux")]
    held = _effective_capabilities()
    checks = [Check(name, held >> bit & 1 == 1, "held" if held >> bit & 1 else "not held", as_root)
              for name, bit in CAPABILITIES.items()]  # fmt: skip
    namespaces = Path("/proc/self/ns/net").exists()
    checks.append(
        Check("network namespaces", namespaces, "in the kernel" if namespaces else "not in the kernel",
              "use a kernel with CONFIG_NET_NS")
    )  # fmt: skip
    checks += [_af_packet_check(), _veth_check()]
    return [c if c.ok is False else Check(c.name, c.ok, c.value) for c in checks]


def _effective_capabilities() -> int:
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    words = [line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")]
    return int(words[0], 16) if words else 0


def _af_packet_check() -> Check:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()  # protocol 0: receives nothing
    except OSError as error:
        remedy = "run as root, on a kernel with CONFIG_PACKET"
        return Check("AF_PACKET sockets", False, f"cannot be opened ({error.strerror})", remedy)
    return Check("AF_PACKET sockets", True, "can be opened")


def _veth_check() -> Check:
    """Make a veth pair in a namespace of its own, which ends with the child process."""
    tools = [name for name in ("unshare", "ip") if shutil.which(name) is None]
    if tools:
        remedy = "install util-linux and iproute2"
        return Check("veth pairs", False, f"cannot be tried: {', '.join(tools)} not found", remedy)
    command = ["unshare", "--net", "ip", "link", "add", "uet0", "type", "veth", "peer", "name", "uet1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        return Check("veth pairs", False, reason, "run as root, on a kernel with CONFIG_VETH")
    return Check("veth pairs", True, "can be made")
