"""asyncssh's channels and connections, with windows that mean what they say.

asyncssh gives a peer its whole window back as soon as the first packet that it has buffered is delivered, so a channel
that is paused and resumed again and again buffers without bound. Here what is still buffered counts as not taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.channel import SSHChannel, SSHClientChannel, SSHServerChannel, SSHTCPChannel

WINDOW = 2 << 20  # bytes a peer may send before it is told that they were taken; the same as OpenSSH
PACKET = 32 << 10

if TYPE_CHECKING:
    _Base = SSHChannel[bytes]
else:
    _Base = object


class _Counted(_Base):
    """Before any of asyncssh's channels."""

    def _deliver_data(self, data: bytes, datatype: int | None) -> None:
        waiting = sum(len(buffered) for buffered, _ in self._recv_buf)
        self._recv_window += waiting
        super()._deliver_data(data, datatype)
        self._recv_window -= waiting


class ServerChannel(_Counted, SSHServerChannel[bytes]):
    """A session channel of a client."""


class ClientChannel(_Counted, SSHClientChannel[bytes]):
    """A session channel upstream."""


class TcpChannel(_Counted, SSHTCPChannel[bytes]):
    """A forwarded stream, on either side."""


class ServerSide(asyncssh.SSHServerConnection):
    """The connection of a client."""

    def create_server_channel(self, *_: Any, **__: Any) -> Any:
        """A channel for bytes, with nothing of asyncssh's own in it."""
        return ServerChannel(self, self._loop, True, False, False, 0, 0, None, "strict", WINDOW, PACKET)

    def create_tcp_channel(self, *_: Any, **__: Any) -> Any:
        """A channel for bytes."""
        return TcpChannel(self, self._loop, None, "strict", WINDOW, PACKET)


class ClientSide(asyncssh.SSHClientConnection):
    """The connection to a server."""

    def create_tcp_channel(self, *_: Any, **__: Any) -> Any:
        """A channel for bytes."""
        return TcpChannel(self, self._loop, None, "strict", WINDOW, PACKET)

    async def open_channel(
        self, session: Any, command: str | None, subsystem: str | None, environment: dict[bytes, bytes], pty: Any
    ) -> None:
        """A session channel in which that runs; `pty`: its type, size and modes, or None. Raises ChannelOpenError."""
        term, size, modes = pty if pty is not None else (None, None, {})
        channel = ClientChannel(self, self._loop, "strict", None, "strict", WINDOW, PACKET)
        await channel.create(
            session,
            command,
            subsystem,
            environment,
            pty is not None,
            term,
            size,
            modes,
            False,
            None,
            None,
            False,
            False,
        )
