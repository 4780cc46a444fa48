"""Ends the TCP connections that governed processes had open before they were governed.

Hooks and redirect must be in force before: what is opened during the sweep is governed already. A connection is swept
if its socket was made in a governed cgroup, or if a governed process holds it (also one that it was handed). Network
namespaces of containers are swept where we may enter them; where not, the egress hook drops what they send.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hostagent.errors import HostError
from hostagent.kernel.cgroups import find_cgroup2_root
from hostagent.kernel.netlink import HEADER, dump, error_of

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY, _SOCK_DESTROY = 20, 21  # linux/sock_diag.h
_ACK = 0x5  # NLM_F_REQUEST | NLM_F_ACK
_REQUEST = struct.Struct("=BBBBI48s")  # struct inet_diag_req_v2
_MESSAGE = struct.Struct("=BBBB48sIIIII")  # struct inet_diag_msg
_CGROUP_ID = 21  # INET_DIAG_CGROUP_ID, Linux 5.7
_STATES = 0xFFFFFFFF & ~(1 << 10 | 1 << 6)  # all but TCP_LISTEN and TCP_TIME_WAIT
_LIBC = ctypes.CDLL(None, use_errno=True)
_NO_SOCKET = bytes(48)


class Governs(Protocol):
    """What the sweep asks of the hooks."""

    def governed_trees(self) -> dict[int, str]:
        """Id → path of each live cgroup whose processes are governed, those below a pattern's match included."""


@dataclass(frozen=True, slots=True)
class _Connection:
    family: int
    identity: bytes  # struct inet_diag_sockid: addresses, ports, interface, cookie
    inode: int
    cgroup: int


def sweep(hooks: Governs) -> int:
    """Destroy them; how many there were. HostError where the kernel has no SOCK_DESTROY (CONFIG_INET_DIAG_DESTROY)."""
    governed = hooks.governed_trees()
    pids = list(_pids(governed.values()))
    inodes = {inode for pid in pids for inode in _socket_inodes(pid)}
    swept = _sweep_here(set(governed), inodes)
    own = Path("/proc/self/ns/net").stat().st_ino
    for pid in _one_each_namespace(pids, own):
        with suppress(PermissionError, ProcessLookupError, FileNotFoundError), _inside(pid):
            swept += _sweep_here(set(governed), inodes)
    return swept


def _sweep_here(cgroups: set[int], inodes: set[int]) -> int:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        found = [c for family in (socket.AF_INET, socket.AF_INET6) for c in _connections(diag, family)]
        ours = [c for c in found if c.cgroup in cgroups or (c.inode and c.inode in inodes)]
        return sum(_destroy(diag, connection) for connection in ours)


def _connections(diag: socket.socket, family: int) -> Iterator[_Connection]:
    request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _STATES, _NO_SOCKET)
    try:
        for data in dump(diag, _SOCK_DIAG_BY_FAMILY, request):
            yield parse_message(data)
    except OSError as error:
        raise _failure(error.errno or errno.EIO) from None


def parse_message(data: bytes) -> _Connection:
    """One struct inet_diag_msg and its attributes. struct.error where it is shorter."""
    family, _state, _timer, _retrans, identity, _expires, _rqueue, _wqueue, _uid, inode = _MESSAGE.unpack_from(data)
    cgroup, offset = 0, _MESSAGE.size
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if kind == _CGROUP_ID:
            cgroup = struct.unpack_from("=Q", data, offset + 4)[0]
        offset += max((length + 3) & ~3, 4)
    return _Connection(family, identity, inode, cgroup)


def _destroy(diag: socket.socket, connection: _Connection) -> bool:
    request = _REQUEST.pack(connection.family, socket.IPPROTO_TCP, 0, 0, _STATES, connection.identity)
    diag.send(HEADER.pack(HEADER.size + len(request), _SOCK_DESTROY, _ACK, 2, 0) + request)
    code = error_of(diag.recv(1 << 16))
    if code not in (0, errno.ENOENT):  # ENOENT: it ended by itself
        raise _failure(code)
    return code == 0


def _pids(paths: Iterable[str]) -> Iterator[int]:
    root = find_cgroup2_root()
    for path in paths:
        with suppress(OSError):  # it went meanwhile, or is threaded: then its domain cgroup lists the processes
            yield from map(int, (root / path.lstrip("/") / "cgroup.procs").read_text().split())


def _socket_inodes(pid: int) -> Iterator[int]:
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                target = str(fd.readlink())
                if target.startswith("socket:["):
                    yield int(target[8:-1])


def _one_each_namespace(pids: list[int], own: int) -> Iterator[int]:
    seen = {own}
    for pid in pids:
        with suppress(OSError):
            namespace = Path(f"/proc/{pid}/ns/net").stat().st_ino
            if namespace not in seen:
                seen.add(namespace)
                yield pid


@contextmanager
def _inside(pid: int) -> Iterator[None]:
    """This thread in the network namespace of that process, and back."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def _setns(fd: int) -> None:
    if _LIBC.setns(fd, 0x40000000) != 0:  # CLONE_NEWNET
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _failure(code: int) -> HostError:
    hint = (
        "run as root with CAP_NET_ADMIN" if code == errno.EPERM else "a kernel with CONFIG_INET_DIAG_DESTROY is needed"
    )
    return HostError(f"open connections cannot be ended: {os.strerror(code)}", hint)
