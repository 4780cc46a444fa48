"""What a client asks to have forwarded: decided, then a stream of its own.

    direct-tcpip, direct-streamlocal@openssh.com   open_tunnel      one stream, from the client
    tcpip-forward, streamlocal-forward@openssh.com listen_at…       streams from whoever comes to the server
    tun@openssh.com                                open_tun         packets, from the client
    x11                                            x11_opened       streams from X clients on the server

Rules: a channel that is denied is not opened, with the reason and the decision's id; a listener that is denied is a
request that fails; each stream is recorded as a channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.tuntap import SSH_TUN_MODE_POINTTOPOINT

from hostagent.policy.match import find_target
from hostagent.recording import ssh_notes
from hostagent.runtime.ssh.places import HostPort, Place, Socket
from hostagent.runtime.ssh.stream import Pipe, Stream, incoming, outgoing
from hostagent.runtime.ssh.tunnel import Unknown, Within
from hostagent.runtime.ssh.upstream import LoginFailed
from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.paths import canonical
from hostagent.values.decision import Decision

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

NO_PATH = "the path of a socket begins with `/` and has no NUL in it"


async def open_tunnel(bridge: Bridge, host: str, port: int, orig_host: str, orig_port: int) -> Any:
    """The session of a direct-tcpip channel. Raises ChannelOpenError when it is denied."""
    number = bridge.next_channel()
    destination = _written(host, port)
    operation = Operation(SshKind.FORWARD_LOCAL, bridge.user, f"connect to {destination}", destination=destination)
    decision = await _decided(bridge, operation, number)
    bridge.flow.tape.note_now(ssh_notes.channel_opened(number, "direct-tcpip", destination))
    return _towards(bridge, number, decision, HostPort(host, port, (orig_host, orig_port)))


async def open_socket(bridge: Bridge, path: str) -> Any:
    """The session of a direct-streamlocal channel. Raises ChannelOpenError when it is denied."""
    number = bridge.next_channel()
    operation = _of_socket(bridge, SshKind.FORWARD_STREAM, "connect to", path)
    decision = await _decided(bridge, operation, number)
    bridge.flow.tape.note_now(ssh_notes.channel_opened(number, "direct-streamlocal", path))
    return _towards(bridge, number, decision, Socket(canonical(path)))


async def listen_at(bridge: Bridge, host: str, port: int) -> Any:
    """Have the server listen there for the client; False when it is denied, or the server will not."""
    destination = _written(host or "*", port)
    operation = Operation(SshKind.FORWARD_REMOTE, bridge.user, f"listen at {destination}", destination=destination)

    def came(decision: Decision, *origin: Any) -> Pipe:
        def to_client(near: Any) -> Any:
            return bridge.server.create_connection(near, host, port, *origin)

        return incoming(bridge, decision, "forwarded-tcpip", destination, to_client)

    try:
        decision = await _decided(bridge, operation, 0)
        connection = await bridge.upstream()
        return await connection.create_server(lambda *origin: came(decision, *origin), host, port)
    except (asyncssh.ChannelOpenError, asyncssh.ChannelListenError, LoginFailed):
        return False


async def listen_at_socket(bridge: Bridge, path: str) -> Any:
    """Have the server listen at a socket for the client; False when it is denied, or the server will not."""
    operation = _of_socket(bridge, SshKind.FORWARD_STREAM_REMOTE, "listen at", path)

    def came(decision: Decision) -> Pipe:
        def to_client(near: Any) -> Any:
            return bridge.server.create_unix_connection(near, path)

        return incoming(bridge, decision, "forwarded-streamlocal", path, to_client)

    try:
        decision = await _decided(bridge, operation, 0)
        connection = await bridge.upstream()
        return await connection.create_unix_server(lambda: came(decision), canonical(path))
    except (asyncssh.ChannelOpenError, asyncssh.ChannelListenError, LoginFailed):
        return False


async def open_tun(bridge: Bridge, mode: int, unit: int | None) -> Pipe:
    """The session of a tunnel device's channel. Raises ChannelOpenError when it is denied, or the server will not."""
    number = bridge.next_channel()
    device = f"{'tun' if mode == SSH_TUN_MODE_POINTTOPOINT else 'tap'} device {'any' if unit is None else unit}"
    decision = await _decided(bridge, Operation(SshKind.TUN, bridge.user, device), number)
    connection = await bridge.upstream()
    bridge.flow.tape.note_now(ssh_notes.channel_opened(number, "tun", device))
    create: Any = connection.create_tun if mode == SSH_TUN_MODE_POINTTOPOINT else connection.create_tap
    return await outgoing(bridge, decision, number, lambda far: create(far, unit))


def x11_opened(bridge: Bridge, host: str, port: int) -> Pipe:
    """The server's end of a connection to the client's display. Raises ChannelOpenError where no channel has one."""
    if not bridge.displays:
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "no display was asked for")
    channel, decision = next(reversed(bridge.displays.items()))

    def to_client(near: Any) -> Any:
        return bridge.server.create_x11_connection(near, host, port)

    return incoming(bridge, decision, "x11", f"display of channel {channel.number}", to_client)


def _towards(bridge: Bridge, number: int, decision: Decision, place: Place) -> Any:
    way = Within(bridge, number, place)
    if find_target(bridge.flow.worker.gate.policy, place.known, place.names) is not None:
        return way.session()
    return Unknown(Stream(bridge, number, decision), bridge, way)


async def _decided(bridge: Bridge, operation: Operation, number: int) -> Decision:
    decision = await bridge.decide(operation, number=number)
    if not decision.forwards:
        reason = f"{decision.ruling.reason} (decision {decision.id})"
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, reason)
    return decision


def _of_socket(bridge: Bridge, kind: SshKind, what: str, path: str) -> Operation:
    """What is sent to the server is the canonical path, the one that is decided."""
    unparsed = "" if path.startswith("/") and "\0" not in path else NO_PATH
    paths = () if unparsed else (canonical(path),)
    return Operation(kind, bridge.user, f"{what} the socket {path}", paths=paths, unparsed=unparsed)


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
