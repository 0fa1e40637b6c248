"""Network namespaces without names, joined by veth pairs: they end with the process that made them.

Every host is a namespace with one interface `eth0`; its other end `h<k>` lies in the fabric's namespace.
Nothing is mounted or recorded, so a killed process leaves nothing behind. Without root the process first
moves into a user namespace of its own, where the kernel allows that.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from uet.base.errors import Unavailable

_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # CLONE_NEWUSER, CLONE_NEWNET
_SOL_PACKET, _IGNORE_OUTGOING = 263, 23
_RECEIVE_FORCE, _SEND_FORCE = 33, 32  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
_SET_FLAGS, _UP, _NO_ARP = 0x8914, 0x1, 0x80  # SIOCSIFFLAGS, IFF_UP, IFF_NOARP
_BUFFER_BYTES = 8 << 20
_OWN = "/proc/thread-self/ns/net"
ETHERTYPES = {4: 0x0800, 6: 0x86DD}


def become_root_of_own() -> None:
    """Move an unprivileged process into a user namespace in which it is root; root stays as it is.

    To be called before any thread is started. Raises Unavailable when the kernel forbids it.
    """
    if os.geteuid() == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    _system_call("unshare", _NEW_USER | _NEW_NET)  # a thread may return only to a namespace of its own user namespace
    Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1", encoding="utf-8")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1", encoding="utf-8")


def _system_call(name: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) == 0:
        return
    code = ctypes.get_errno()
    if code in (errno.EPERM, errno.EACCES):
        raise Unavailable(
            f"the kernel forbids {name}() of namespaces here; run as root, or use --links memory (see 'uet doctor')"
        )
    raise Unavailable(f"{name}() of namespaces fails: {os.strerror(code)}; use --links memory (see 'uet doctor')")


@contextmanager
def _inside(namespace: int) -> Iterator[None]:
    """Let the calling thread be in another network namespace for a while."""
    own = os.open(_OWN, os.O_RDONLY)
    try:
        _system_call("setns", namespace, _NEW_NET)
        yield
    finally:
        _system_call("setns", own, _NEW_NET)
        os.close(own)


class Wires:
    """Namespaces of `n_hosts` hosts, their veth pairs into the fabric, and a raw socket at every end.

    `host_sockets[k]` is at host k, `fabric_sockets[k]` at the other end of its pair.
    """

    def __init__(self, n_hosts: int, mtu_bytes: int, ip_version: int, macs: list[str]) -> None:
        """Make everything, or nothing. Raises Unavailable naming what the kernel does not do."""
        self._namespaces: list[int] = []
        self.host_sockets: list[socket.socket] = []
        self.fabric_sockets: list[socket.socket] = []
        try:
            fabric = self._new_namespace()
            hosts = [self._new_namespace() for _ in range(n_hosts)]
            with _inside(fabric):
                _quiet()
                _make_pairs(hosts, mtu_bytes, macs)
                self.fabric_sockets = [_raw_socket(f"h{k}", ip_version) for k in range(n_hosts)]
            for host in hosts:
                with _inside(host):
                    _quiet()
                    self.host_sockets.append(_raw_socket("eth0", ip_version))
        except BaseException:
            self.close()
            raise

    def _new_namespace(self) -> int:
        """Make a namespace and return a descriptor, which alone keeps it alive."""
        own = os.open(_OWN, os.O_RDONLY)
        try:
            _system_call("unshare", _NEW_NET)
            self._namespaces.append(os.open(_OWN, os.O_RDONLY))
            _system_call("setns", own, _NEW_NET)
        finally:
            os.close(own)
        return self._namespaces[-1]

    def close(self) -> None:
        """Let go of sockets and namespaces; with them the pairs vanish."""
        for end in (*self.host_sockets, *self.fabric_sockets):
            end.close()
        for namespace in self._namespaces:
            os.close(namespace)
        self.host_sockets, self.fabric_sockets, self._namespaces = [], [], []


def _quiet() -> None:
    """Let new interfaces of this namespace send nothing of their own: no IPv6 discovery."""
    for scope in ("default", "all"):
        with suppress(OSError):  # a kernel without IPv6 has nothing to be quiet about
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1", encoding="utf-8")


def _make_pairs(hosts: list[int], mtu_bytes: int, macs: list[str]) -> None:
    from pyroute2 import IPRoute, NetlinkError

    with IPRoute() as link:
        for k, host in enumerate(hosts):
            peer = {"ifname": "eth0", "net_ns_fd": host, "mtu": mtu_bytes, "address": macs[k]}
            try:
                link.link("add", ifname=f"h{k}", kind="veth", mtu=mtu_bytes, peer=peer)
            except NetlinkError as error:
                reason = os.strerror(error.code)
                raise Unavailable(
                    f"a veth pair cannot be made ({reason}); use --links memory (see 'uet doctor')"
                ) from None


def _raise_link(name: str) -> None:
    """Set an interface up; by ioctl, as a netlink socket for every namespace would take a while."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        request = struct.pack("16sH14x", name.encode(), _UP | _NO_ARP)
        fcntl.ioctl(end, _SET_FLAGS, request)


def _raw_socket(interface: str, ip_version: int) -> socket.socket:
    """Return a socket that sends and receives whole frames of one interface of the current namespace."""
    ethertype = ETHERTYPES[ip_version]
    _raise_link(interface)
    try:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    except OSError as error:
        raise Unavailable(f"raw sockets cannot be opened ({error.strerror}); run as root (see 'uet doctor')") from None
    end.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, 1)
    for forced, option in ((_RECEIVE_FORCE, socket.SO_RCVBUF), (_SEND_FORCE, socket.SO_SNDBUF)):
        try:
            end.setsockopt(socket.SOL_SOCKET, forced, _BUFFER_BYTES)
        except PermissionError:  # root of a user namespace is held to the system's limit
            end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    end.bind((interface, ethertype))
    return end
