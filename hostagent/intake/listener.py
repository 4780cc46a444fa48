"""The transparent listeners: TPROXY hands them connections to any address."""

from __future__ import annotations

import errno
import socket

from hostagent.errors import HostError

BACKLOG = 4096  # the kernel cuts it to net.core.somaxconn, whose default it is
_IP_TRANSPARENT = 19  # linux/in.h
_IPV6_TRANSPARENT = 75  # linux/in6.h


def transparent_listeners(port: int) -> tuple[socket.socket, ...]:
    """Listening sockets on 127.0.0.1 and, where the host has IPv6, ::1. HostError: port taken, not permitted."""
    made: list[socket.socket] = []
    try:
        made.append(_listen(socket.AF_INET, "127.0.0.1", port))
        if _has_ipv6_loopback():
            made.append(_listen(socket.AF_INET6, "::1", port))
    except OSError as error:
        for sock in made:
            sock.close()
        raise _explained(port, error) from None
    return tuple(made)


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return False
        raise
    return True


def _explained(port: int, error: OSError) -> HostError:
    if error.errno == errno.EADDRINUSE:
        return HostError(f"port {port} is taken on loopback", f"see who has it: ss -tlnp 'sport = :{port}'")
    if error.errno in (errno.EPERM, errno.EACCES):
        return HostError("transparent listeners are not permitted", "run as root with CAP_NET_ADMIN or CAP_NET_RAW")
    return HostError(f"the listeners at port {port} cannot be made: {error.strerror}", "ip link set lo up")
