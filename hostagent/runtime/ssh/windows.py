"""asyncssh's channels and connections, with windows that mean what they say, and X11 requests that are passed on.

asyncssh gives a peer its whole window back as soon as the first packet that it has buffered is delivered, so a channel
that is paused and resumed again and again buffers without bound. Here what is still buffered counts as not taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.channel import (
    SSHChannel,
    SSHClientChannel,
    SSHServerChannel,
    SSHTCPChannel,
    SSHTunTapChannel,
    SSHUNIXChannel,
    SSHX11Channel,
)

from hostagent.runtime.ssh.display import Display

WINDOW = 2 << 20  # bytes a peer may send before it is told that they were taken; the same as OpenSSH
PACKET = 32 << 10
FAMILY = 4  # bytes before each packet of a layer 3 tunnel (OpenSSH's PROTOCOL, 2.3)

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

    def _process_x11_req_request(self, packet: Any) -> None:
        """RFC 4254 section 6.3.1: the session decides; asyncssh would listen here for X clients."""
        single, protocol, cookie, screen = (
            packet.get_boolean(), packet.get_string(), packet.get_string(), packet.get_uint32()
        )  # fmt: skip
        packet.check_end()
        self._conn.create_task(self._ask_for_display(Display(single, protocol, cookie, screen)))

    async def _ask_for_display(self, display: Display) -> None:
        session: Any = self._session
        self._report_response(display.is_whole and await session.display_requested(display))


class ClientChannel(_Counted, SSHClientChannel[bytes]):
    """A session channel upstream. `display`: what X11 forwarding is asked for with, if it is."""

    display: Display | None = None
    display_refused = False

    async def _make_request(self, request: bytes, *args: bytes) -> bool | None:
        result = await super()._make_request(request, *args)
        if request == b"x11-req" and not result:
            self.display_refused = True
        return result


class TcpChannel(_Counted, SSHTCPChannel[bytes]):
    """A forwarded stream, on either side."""


class UnixChannel(_Counted, SSHUNIXChannel[bytes]):
    """A forwarded stream of a unix socket, on either side."""


class X11Channel(_Counted, SSHX11Channel):
    """A connection to a display, on either side."""


class TunChannel(_Counted, SSHTunTapChannel):
    """Packets of a tunnel device, on either side: each goes whole or is lost, as in OpenSSH and in any network."""

    def write(self, data: bytes, datatype: int | None = None) -> None:
        """A packet, without the address family that a layer 3 tunnel puts before it."""
        if len(data) + FAMILY <= min(self._send_window - self._send_buf_len, self._send_pktsize):
            super().write(data, datatype)


class _Made:
    """What both connections make of asyncssh's channels: for bytes, with the windows of this module."""

    _loop: Any

    def create_tcp_channel(self, *_: Any, **__: Any) -> Any:
        return TcpChannel(self, self._loop, None, "strict", WINDOW, PACKET)  # type: ignore[arg-type]

    def create_unix_channel(self, *_: Any, **__: Any) -> Any:
        return UnixChannel(self, self._loop, None, "strict", WINDOW, PACKET)  # type: ignore[arg-type]

    def create_x11_channel(self, *_: Any, **__: Any) -> Any:
        return X11Channel(self, self._loop, None, "strict", WINDOW, PACKET)  # type: ignore[arg-type]

    def create_tuntap_channel(self, *_: Any, **__: Any) -> Any:
        return TunChannel(self, self._loop, None, "strict", WINDOW, PACKET)  # type: ignore[arg-type]


class ServerSide(_Made, asyncssh.SSHServerConnection):
    """The connection of a client."""

    def create_server_channel(self, *_: Any, **__: Any) -> Any:
        """A channel for bytes, with nothing of asyncssh's own in it."""
        return ServerChannel(self, self._loop, True, False, False, 0, 0, None, "strict", WINDOW, PACKET)


class ClientSide(_Made, asyncssh.SSHClientConnection):
    """The connection to a server. Who makes it sets what it tells.

    `x11_opened`: the session for an X client that came to it. `is_read`: whether what the server says is read just now.
    `silent`: it has not answered for so many seconds.
    """

    x11_opened: Callable[[str, int], Any]
    is_read: Callable[[], bool]
    silent: Callable[[float], None]

    def _keepalive_timer_callback(self) -> None:
        if not self.is_read():  # its answers may lie unread: a client that takes nothing holds both legs
            self._reset_keepalive_timer()
        elif self._keepalive_count >= self._keepalive_count_max:
            self.silent(self._keepalive_interval * (self._keepalive_count_max + 1))
        else:
            super()._keepalive_timer_callback()

    async def open_channel(
        self,
        session: Any,
        command: str | None,
        subsystem: str | None,
        environment: dict[bytes, bytes],
        pty: Any,
        display: Display | None,
    ) -> bool:
        """A session channel in which that runs; `pty`: its type, size and modes, or None. Raises ChannelOpenError.

        Whether the server forwards X11, where a `display` was asked for.
        """
        term, size, modes = pty if pty is not None else (None, None, {})
        channel = ClientChannel(self, self._loop, "strict", None, "strict", WINDOW, PACKET)
        channel.display = display
        x11: Any = "ignore_failure" if display is not None else False
        await channel.create(
            session,
            command,
            subsystem,
            environment,
            pty is not None,
            term,
            size,
            modes,
            x11,
            None,
            None,
            display is not None and display.single,
            False,
        )
        return not channel.display_refused

    async def attach_x11_listener(self, chan: Any, *_: Any) -> tuple[bytes, bytes, int]:
        """What X11 forwarding is asked for with: the client's own words."""
        return chan.display.protocol, chan.display.secret, chan.display.screen

    def _process_x11_open(self, packet: Any) -> Any:
        """RFC 4254 section 6.3.2: an X client came to the server; our client decides."""
        host, port = packet.get_string().decode("utf-8", "replace"), packet.get_uint32()
        packet.check_end()
        return self.create_x11_channel(), self.x11_opened(host, port)
