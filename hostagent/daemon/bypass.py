"""The canary's attempts to get out, beyond those it makes at every start: what `doctor` asks for.

Each is a real attempt by a root process in a governed cgroup. It must be refused, or end at the worker like any other
connection; a kernel that does not have a protocol is as good as one that refuses it. `said` is what the child saw.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from hostagent.kernel.cgroups import find_cgroup2_root

_CLONE_NEWNET = 0x40000000
_IPPROTO_SCTP, _IPPROTO_MPTCP = 132, 262
_MSG_FASTOPEN = 0x20000000
_IP_TRANSPARENT, _TCP_REPAIR = 19, 19
_SOME_MARK = 0x77
_QUIC = b"\xc0\x00\x00\x00\x01\x08" + bytes(8) + b"\x00\x00" + bytes(1180)  # a long header, RFC 9000 section 17.2
_ABSENT = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EAFNOSUPPORT, errno.EACCES)  # ping_group_range
_PORT = 9  # discard, RFC 863; 443 for QUIC
_SECONDS = 5.0
REFUSED, ABSENT = "refused", "this kernel gives it to nobody here"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One form: it must be refused where `refused`, else intercepted."""

    number: int
    id: str
    name: str
    refused: bool
    make: Callable[[str], str]

    def good(self, said: str, answer: str) -> bool:
        """Whether that is what must happen; `answer` is what workers say."""
        return said in (REFUSED, ABSENT) if self.refused else said == f"answer {answer}"


def attempt(form: Attempt, address: str) -> str:
    """What the form sees on its way to an IPv4 address that is not this host's own."""
    try:
        return form.make(address)
    except OSError as error:
        return REFUSED if error.errno == errno.EPERM else ABSENT if error.errno in _ABSENT else str(error)


def _answer(sock: socket.socket) -> str:
    said = b""
    while chunk := sock.recv(256):
        said += chunk
    return f"answer {said.decode('ascii', 'replace').strip()}"


def _tcp(family: socket.AddressFamily = socket.AF_INET, protocol: int = 0) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM, protocol)
    sock.settimeout(_SECONDS)
    return sock


def _marked(address: str) -> str:
    with _tcp() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _SOME_MARK)
        sock.connect((address, _PORT))
        return "connected with a mark of its own"


def _bound_to_device(address: str) -> str:
    with _tcp() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
        sock.connect((address, _PORT))
        return "connected past routing"


def _transparent(_: str) -> str:
    with _tcp() as sock:
        sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
        return "may take foreign addresses"


def _repaired(_: str) -> str:
    with _tcp() as sock:
        sock.setsockopt(socket.SOL_TCP, _TCP_REPAIR, 1)
        return "may make a connection without connecting"


def _mptcp(address: str) -> str:
    with _tcp(protocol=_IPPROTO_MPTCP) as sock:
        sock.connect((address, _PORT))
        return "connected"


def _sctp(_: str) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM, _IPPROTO_SCTP).close()
    return "opened"


def _ping(_: str) -> str:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close()
    return "opened"


def _quic(address: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(_QUIC, (address, 443))
        return "sent"


def _connected_udp(address: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((address, _PORT))
        sock.send(b"canary")
        return "sent"


def _mapped(address: str) -> str:
    with _tcp(socket.AF_INET6) as sock:
        sock.connect((f"::ffff:{address}", _PORT))
        return _answer(sock)


def _fast_open(address: str) -> str:
    with _tcp() as sock:
        sock.setblocking(True)
        sock.sendto(b"canary", _MSG_FASTOPEN, (address, _PORT))
        sock.settimeout(_SECONDS)
        return _answer(sock)


def _own_namespace(_: str) -> str:
    """In a child: it does not come back from there."""
    return _in_child(_from_own_namespace)


def _from_own_namespace() -> str:
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        return REFUSED
    with _tcp() as sock:
        sock.connect(("127.0.0.1", _PORT))
        return "connected"


def _left_cgroup(address: str) -> str:
    """In a child: it stays where it has moved to."""
    return _in_child(lambda: _from_root_cgroup(address))


def _from_root_cgroup(address: str) -> str:
    (find_cgroup2_root() / "cgroup.procs").write_text("0")
    with _tcp() as sock:
        sock.connect((address, _PORT))
        return _answer(sock)


def _in_child(work: Callable[[], str]) -> str:
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = work()
        except PermissionError:
            said = REFUSED
        except OSError as error:
            said = str(error)
        os.write(theirs, said.encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as report:
        said = report.read().decode()
    os.waitpid(pid, 0)
    return said


ATTEMPTS = (
    Attempt(50, "bypass.mark", "a socket with a mark of its own is refused", True, _marked),
    Attempt(51, "bypass.device", "a socket bound to a device is refused", True, _bound_to_device),
    Attempt(52, "bypass.transparent", "a transparent socket is refused", True, _transparent),
    Attempt(53, "bypass.repair", "TCP repair is refused", True, _repaired),
    Attempt(54, "bypass.mptcp", "MPTCP is refused", True, _mptcp),
    Attempt(55, "bypass.sctp", "SCTP is refused", True, _sctp),
    Attempt(56, "bypass.ping", "a ping socket is refused", True, _ping),
    Attempt(57, "bypass.quic", "QUIC is refused", True, _quic),
    Attempt(58, "bypass.udp-connected", "connected UDP is refused", True, _connected_udp),
    Attempt(59, "bypass.mapped", "IPv4 within IPv6 is intercepted", False, _mapped),
    Attempt(60, "bypass.fast-open", "TCP Fast Open is intercepted", False, _fast_open),
    Attempt(61, "bypass.namespace", "a network namespace of its own leads nowhere", True, _own_namespace),
    Attempt(62, "bypass.cgroup", "who leaves the cgroup stays governed", False, _left_cgroup),
)
