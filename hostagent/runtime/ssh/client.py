"""Our server: who a client is, the kernel has said, so whatever it shows is taken; what it asks for is decided.

What is always refused, whatever the policy says, because it is not relayed here: agent and X11 forwarding, streams to
and from unix sockets, tun devices. The decision is made and recorded all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh

from hostagent.runtime.ssh.channel import SessionChannel
from hostagent.runtime.ssh.tunnel import listen_upstream, open_tunnel
from hostagent.runtime.ssh.windows import ServerSide
from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.paths import canonical

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

MAX_CHANNELS = 200  # open at a time on one connection; OpenSSH's own limit of sessions is 10
NOT_RELAYED = "this is not relayed here, whatever the policy says"


class ServerConnection(ServerSide):
    """asyncssh's connection, without its own ideas of agents, displays and configuration files."""

    async def reload_config(self) -> None:
        """There is no configuration that depends on who logs in."""

    async def create_agent_listener(self) -> bool:
        """Refused: an agent would be the client's credential on the server."""
        await _decided_and_refused(self, SshKind.AGENT, "agent forwarding")
        return False

    async def attach_x11_listener(self, *_: Any) -> str | None:
        """Refused."""
        await _decided_and_refused(self, SshKind.X11, "X11 forwarding")
        return None


class Server(asyncssh.SSHServer):
    """What asyncssh asks our server."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self.open = 0
        self._login = ""

    def connection_lost(self, exc: Exception | None) -> None:
        self.bridge.client_ended(exc)

    def begin_auth(self, username: str) -> bool:
        self._login = username
        return False  # nothing is asked for

    def auth_completed(self) -> None:
        self.bridge.logged_in(self._login)

    def session_requested(self) -> Any:
        if self.open >= MAX_CHANNELS:
            return False
        self.open += 1
        return SessionChannel(self.bridge, self)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        return open_tunnel(self.bridge, dest_host, dest_port, orig_host, orig_port)

    def server_requested(self, listen_host: str, listen_port: int) -> Any:
        return listen_upstream(self.bridge, listen_host, listen_port)

    def unix_connection_requested(self, dest_path: str) -> Any:
        return self._refused(SshKind.FORWARD_STREAM, f"connect to the socket {dest_path}", dest_path)

    async def unix_server_requested(self, listen_path: str) -> bool:
        operation = self._operation(SshKind.FORWARD_STREAM_REMOTE, f"listen at the socket {listen_path}", listen_path)
        await self.bridge.decide(operation)
        return False

    def tun_requested(self, unit: int | None) -> Any:
        return self._refused(SshKind.TUN, f"tun device {'any' if unit is None else unit}")

    def tap_requested(self, unit: int | None) -> Any:
        return self._refused(SshKind.TUN, f"tap device {'any' if unit is None else unit}")

    def _operation(self, kind: SshKind, text: str, path: str = "") -> Operation:
        return Operation(kind, self.bridge.user, text, paths=(canonical(path),) if path else ())

    async def _refused(self, kind: SshKind, text: str, path: str = "") -> Any:
        decision = await self.bridge.decide(self._operation(kind, text, path))
        why = NOT_RELAYED if decision.forwards else decision.ruling.reason
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, f"{why} (decision {decision.id})")


async def _decided_and_refused(connection: ServerConnection, kind: SshKind, text: str) -> None:
    server = connection.get_owner()
    if isinstance(server, Server):
        await server.bridge.decide(Operation(kind, server.bridge.user, text))
