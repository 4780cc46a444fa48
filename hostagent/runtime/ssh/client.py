"""Our server: who a client is, the kernel has said, so whatever it shows is taken; what it asks for is decided.

Agent forwarding is refused, whatever the policy says; the decision is made and recorded all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.tuntap import SSH_TUN_MODE_ETHERNET, SSH_TUN_MODE_POINTTOPOINT

from hostagent.runtime.ssh.channel import SessionChannel
from hostagent.runtime.ssh.forwards import listen_at, listen_at_socket, open_socket, open_tun, open_tunnel
from hostagent.runtime.ssh.windows import ServerSide
from hostagent.ssh.operation import Operation, SshKind

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

MAX_CHANNELS = 200  # open at a time on one connection; OpenSSH's own limit of sessions is 10


class ServerConnection(ServerSide):
    """asyncssh's connection, without its own ideas of agents, displays and configuration files."""

    @property
    def channels_open(self) -> int:
        """How many channels of all kinds are open."""
        return len(self._channels)

    async def reload_config(self) -> None:
        """There is no configuration that depends on who logs in."""

    async def create_agent_listener(self) -> bool:
        """Refused: an agent would be the client's credential on the server."""
        server = self.get_owner()
        if isinstance(server, Server):
            await server.bridge.decide(Operation(SshKind.AGENT, server.bridge.user, "agent forwarding"))
        return False


class Server(asyncssh.SSHServer):
    """What asyncssh asks our server."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self._login = ""

    @property
    def _full(self) -> bool:
        return self.bridge.server.channels_open >= MAX_CHANNELS

    def connection_lost(self, exc: Exception | None) -> None:
        self.bridge.client_ended(exc)

    def begin_auth(self, username: str) -> bool:
        self._login = username
        return False  # nothing is asked for

    def auth_completed(self) -> None:
        self.bridge.logged_in(self._login)

    def session_requested(self) -> Any:
        return not self._full and SessionChannel(self.bridge)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        return not self._full and open_tunnel(self.bridge, dest_host, dest_port, orig_host, orig_port)

    def server_requested(self, listen_host: str, listen_port: int) -> Any:
        return listen_at(self.bridge, listen_host, listen_port)

    def unix_connection_requested(self, dest_path: str) -> Any:
        return not self._full and open_socket(self.bridge, dest_path)

    def unix_server_requested(self, listen_path: str) -> Any:
        return listen_at_socket(self.bridge, listen_path)

    def tun_requested(self, unit: int | None) -> Any:
        return not self._full and open_tun(self.bridge, SSH_TUN_MODE_POINTTOPOINT, unit)

    def tap_requested(self, unit: int | None) -> Any:
        return not self._full and open_tun(self.bridge, SSH_TUN_MODE_ETHERNET, unit)
