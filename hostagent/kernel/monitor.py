"""Tells that links, tc filters, routes, rules or nftables changed; not what: whoever listens verifies everything."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator

_SOL_NETLINK = 270
_ADD_MEMBERSHIP = 1  # include/uapi/linux/netlink.h
_NETLINK_NETFILTER = 12
_GROUPS = {  # include/uapi/linux/rtnetlink.h and nfnetlink.h
    socket.NETLINK_ROUTE: (1, 4, 7, 8, 11, 19),  # LINK, TC, IPV4_ROUTE, IPV4_RULE, IPV6_ROUTE, IPV6_RULE
    _NETLINK_NETFILTER: (7,),  # NFTABLES
}


async def changes() -> AsyncIterator[None]:
    """Yields once after one or more changes; also at the start, for what was changed before anybody listened."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    changed.set()
    with contextlib.ExitStack() as open_sockets:
        for protocol, groups in _GROUPS.items():
            sock = open_sockets.enter_context(_subscribe(protocol, groups))
            loop.add_reader(sock, _drain, sock, changed)
            open_sockets.callback(loop.remove_reader, sock)
        while True:
            await changed.wait()
            changed.clear()
            yield


def _subscribe(protocol: int, groups: tuple[int, ...]) -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    sock.bind((0, 0))
    for group in groups:
        sock.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
    return sock


def _drain(sock: socket.socket, changed: asyncio.Event) -> None:
    changed.set()
    while True:
        try:
            sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # events were lost: the one that is set stands for them
                raise
