"""Where a forwarded stream goes on the server's side: a host and port, or a unix socket."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hostagent.runtime.ssh.windows import ClientSide
from hostagent.values.flow import Endpoint


@dataclass(frozen=True, slots=True)
class HostPort:
    """What direct-tcpip names; `origin` is what the client says of its own end."""

    host: str
    port: int
    origin: tuple[str, int] = ("", 0)

    @property
    def named(self) -> Endpoint:
        """As it was named."""
        return Endpoint(self.host, self.port)

    @property
    def known(self) -> Endpoint:
        """Its address, empty for a name: only the server knows what that resolves to."""
        try:
            return Endpoint(str(ipaddress.ip_address(self.host)), self.port)
        except ValueError:
            return Endpoint("", self.port)

    @property
    def names(self) -> frozenset[str]:
        """By which targets know it."""
        return frozenset({self.host})

    async def open(self, connection: ClientSide, session: Callable[[], Any]) -> None:
        """Have the server connect to it. Raises ChannelOpenError."""
        await connection.create_connection(session, self.host, self.port, *self.origin)


@dataclass(frozen=True, slots=True)
class Socket:
    """What direct-streamlocal@openssh.com names. No target covers one: they are of addresses and names."""

    path: str

    @property
    def named(self) -> Endpoint:
        """As it was named."""
        return Endpoint(self.path, 0)

    @property
    def known(self) -> Endpoint:
        """It has no address."""
        return Endpoint("", 0)

    @property
    def names(self) -> frozenset[str]:
        """It has no host's name."""
        return frozenset()

    async def open(self, connection: ClientSide, session: Callable[[], Any]) -> None:
        """Have the server connect to it. Raises ChannelOpenError."""
        await connection.create_unix_connection(session, self.path)


Place = HostPort | Socket
