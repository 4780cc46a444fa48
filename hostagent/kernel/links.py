"""The links of another network namespace, seen from here: no need to enter it, so no CAP_SYS_ADMIN.

pyroute2 takes IFLA_TARGET_NETNSID for a filter of its own and not for a part of the request, hence the bare netlink.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from hostagent.kernel.netlink import dump

_GETLINK = 18  # RTM_GETLINK
_IFNAME, _LINK, _LINK_NETNSID, _TARGET_NETNSID = 3, 5, 37, 46  # linux/if_link.h
_UP = 1  # IFF_UP
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
        return [parse_link(data) for data in dump(netlink, _GETLINK, request)]


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
