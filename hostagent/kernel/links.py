"""The links of another network namespace, seen from here: no need to enter it, so no CAP_SYS_ADMIN.

pyroute2 takes IFLA_TARGET_NETNSID for a filter of its own and not for a part of the request, hence the bare netlink.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_GETLINK, _DUMP = 18, 0x301  # RTM_GETLINK; NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_IFNAME, _LINK, _LINK_NETNSID, _TARGET_NETNSID = 3, 5, 37, 46  # linux/if_link.h
_UP = 1  # IFF_UP
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_INTERFACE = struct.Struct("=BxHiII")  # struct ifinfomsg
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr


@dataclass(frozen=True, slots=True)
class Link:
    """A link; `peer` is the index of the other end of a pair, `peer_nsid` says where (None: in the same namespace)."""

    index: int
    name: str
    up: bool
    peer: int | None
    peer_nsid: int | None


def links_of(nsid: int) -> list[Link]:
    """All links of the namespace that this one knows as `nsid`. OSError where it is gone or not ours to look into."""
    wanted = _ATTRIBUTE.pack(8, _TARGET_NETNSID) + struct.pack("=i", nsid)
    request = _INTERFACE.pack(0, 0, 0, 0, 0) + wanted
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        netlink.send(_HEADER.pack(_HEADER.size + len(request), _GETLINK, _DUMP, 1, 0) + request)
        return list(_answers(netlink))


def parse_link(data: bytes) -> Link:
    """One struct ifinfomsg and its attributes. struct.error where it is cut short."""
    _family, _type, index, flags, _change = _INTERFACE.unpack_from(data)
    attributes: dict[int, bytes] = {}
    offset = _INTERFACE.size
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        attributes[kind] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += max((length + 3) & ~3, _ATTRIBUTE.size)
    name = attributes.get(_IFNAME, b"").rstrip(b"\0").decode("utf-8", "backslashreplace")
    numbers = [struct.unpack("=i", attributes[k])[0] if k in attributes else None for k in (_LINK, _LINK_NETNSID)]
    return Link(index, name, bool(flags & _UP), *numbers)


def _answers(netlink: socket.socket) -> Iterator[Link]:
    while True:
        data = netlink.recv(1 << 17)
        while data:
            length, kind, *_ = _HEADER.unpack_from(data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -struct.unpack_from("=i", data, _HEADER.size)[0]
                raise OSError(code, os.strerror(code))
            yield parse_link(data[_HEADER.size : length])
            data = data[(length + 3) & ~3 :]
