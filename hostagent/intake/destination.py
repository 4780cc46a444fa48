"""What an accepted connection says of its flow: with TPROXY the local address is the original destination."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any, Protocol

from hostagent.values.flow import Endpoint, FlowKey


class Accepted(Protocol):
    """An accepted socket, or a wrapper of one."""

    def getpeername(self) -> Any:
        """The client's end."""

    def getsockname(self) -> Any:
        """Our end, which is where the client meant to go."""


def destination_of(accepted: Accepted | socket.socket) -> tuple[FlowKey, Endpoint]:
    """The key of the flow and its destination. OSError when the client is gone already."""
    destination = endpoint(accepted.getsockname())
    return FlowKey(endpoint(accepted.getpeername()), destination), destination


def endpoint(name: tuple[Any, ...]) -> Endpoint:
    """A socket address as an endpoint: no scope id, an IPv4-mapped address as IPv4. ValueError for another family."""
    address = ipaddress.ip_address(name[0].partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return Endpoint(str(address), name[1])
