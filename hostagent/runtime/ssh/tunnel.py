"""Forwarded streams. What goes to a target is a flow of its own, attributed to the actor of the flow that it comes in;
what is no target's is bytes, once the forward was decided, unless it begins as a protocol that only targets may speak.

    direct-tcpip   client ──▶ server ──▶ host:port        forwarded-tcpip   host:port ──▶ server ──▶ client
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncssh

from hostagent.policy.match import find_target
from hostagent.protocols.detect import Protocol, detect
from hostagent.recording import ssh_notes
from hostagent.recording.capture import INPUT, OUTPUT
from hostagent.runtime.ssh.upstream import LoginFailed
from hostagent.runtime.way import FIRST_SECONDS, Attributed
from hostagent.ssh.operation import Operation, SshKind
from hostagent.values.decision import Decision, Outcome
from hostagent.values.flow import Endpoint, FlowId, FlowKey

if TYPE_CHECKING:
    from hostagent.runtime.leg import Leg
    from hostagent.runtime.ssh.bridge import Bridge
    from hostagent.runtime.worker import Worker

SPOKEN_TO_TARGETS = frozenset({Protocol.SSH, Protocol.POSTGRES})
MAX_EARLY = 2 << 20  # bytes before the other side is open: asyncssh's window


async def open_tunnel(bridge: Bridge, host: str, port: int, orig_host: str, orig_port: int) -> Any:
    """The session of a direct-tcpip channel. Raises ChannelOpenError when it is denied."""
    number = bridge.next_channel()
    destination = _written(host, port)
    decision = await _decided(bridge, SshKind.FORWARD_LOCAL, f"connect to {destination}", destination, number)
    bridge.flow.tape.note_now(ssh_notes.channel_opened(number, "direct-tcpip", destination))
    end = Endpoint(_address(host), port)
    way = Within(bridge, number, host, port, (orig_host, orig_port))
    if find_target(bridge.flow.worker.gate.policy, end, frozenset({host})) is not None:
        return way.session()
    return Unknown(bridge, number, decision, way)


async def listen_upstream(bridge: Bridge, host: str, port: int) -> Any:
    """Have the server listen there for the client; False when it is denied, or the server will not."""
    destination = _written(host or "*", port)
    try:
        decision = await _decided(bridge, SshKind.FORWARD_REMOTE, f"listen at {destination}", destination, 0)
        connection = await bridge.upstream()
        return await connection.create_server(lambda *orig: Incoming(bridge, host, port, orig, decision), host, port)
    except (asyncssh.ChannelOpenError, asyncssh.ChannelListenError, LoginFailed):
        return False


async def _decided(bridge: Bridge, kind: SshKind, text: str, destination: str, number: int) -> Decision:
    operation = Operation(kind, bridge.user, text, destination=destination)
    decision = await bridge.decide(operation, number=number)
    if not decision.forwards:
        reason = f"{decision.ruling.reason} (decision {decision.id})"
        raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, reason)
    return decision


class Within:
    """The way of a flow that came in a channel of another."""

    def __init__(self, bridge: Bridge, number: int, host: str, port: int, origin: tuple[str, int]) -> None:
        self._bridge = bridge
        self._number = number
        self.host = host
        self.port = port
        self.origin = origin
        self.first = b""  # what was looked at already

    def session(self) -> LegSession:
        """The client's side: a leg of a new flow."""
        flow = self._bridge.flow.worker.new_flow(self)
        return LegSession(flow.client)

    async def attributed(self, worker: Worker, flow_id: FlowId, transport: asyncio.Transport) -> Attributed:  # noqa: ARG002
        """Whoever made the flow that this one came in."""
        outer = self._bridge.flow
        key = FlowKey(outer.standing.told().key.source, Endpoint(self.host, self.port))
        through = f"{outer.id} channel {self._number}"
        return Attributed(key, Endpoint(_address(self.host), self.port), outer.actor, frozenset({self.host}), through)

    async def first_bytes(self, leg: Leg) -> bytes:  # noqa: ARG002
        """What was looked at before this became a flow."""
        return self.first

    async def connect(self, destination: Endpoint, leg: Leg) -> None:  # noqa: ARG002
        """A channel of the outer flow's own connection. Raises OSError."""
        try:
            connection = await self._bridge.upstream()
            await connection.create_connection(lambda: LegSession(leg), self.host, self.port, *self.origin)
        except (asyncssh.Error, LoginFailed) as error:
            raise OSError(0, str(getattr(error, "reason", error))) from None


class ChannelTransport(asyncio.Transport):
    """An SSH channel as a leg's transport."""

    def __init__(self, chan: Any) -> None:
        super().__init__()
        self._chan = chan

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._chan.is_closing():
            self._chan.write(bytes(data))

    def is_closing(self) -> bool:
        return bool(self._chan.is_closing())

    def close(self) -> None:
        self._chan.close()

    def abort(self) -> None:
        self._chan.abort()

    def pause_reading(self) -> None:
        self._chan.pause_reading()

    def resume_reading(self) -> None:
        self._chan.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._chan.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return int(self._chan.get_write_buffer_size())


class LegSession(asyncssh.SSHTCPSession[bytes]):
    """A channel that is a leg of a flow."""

    def __init__(self, leg: Leg, early: bytes = b"") -> None:
        self._leg = leg
        self._protocol = leg.protocol
        self._early = early

    def connection_made(self, chan: Any) -> None:
        self._protocol.connection_made(ChannelTransport(chan))
        if self._early:
            self.data_received(self._early, None)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002
        self._protocol.data_received(data)

    def eof_received(self) -> bool:
        self._protocol.eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


class Pipe(asyncssh.SSHTCPSession[bytes]):
    """One end of a stream that is passed on as it is, in one direction; `other` is its other end."""

    def __init__(self, told: Callable[[bytes], bool], ended: Callable[[], None]) -> None:
        self.chan: Any = None
        self.other: Pipe | None = None
        self.early: list[bytes] = []
        self.at_end = False
        self._told = told
        self._ended = ended

    def connection_made(self, chan: Any) -> None:
        self.chan = chan

    def joined(self, other: Pipe) -> None:
        """The other end is open."""
        self.other = other
        early, self.early = self.early, []
        for data in early:
            self._pass(data)
        if self.at_end:
            other.chan.write_eof()
        self.chan.resume_reading()

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002
        if self.other is None:
            self.early.append(data)
            if sum(map(len, self.early)) > MAX_EARLY // 2:
                self.chan.pause_reading()
        else:
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        assert self.other is not None
        if self._told(data) and not self.other.chan.is_closing():
            self.other.chan.write(data)

    def eof_received(self) -> bool:
        self.at_end = True
        if self.other is not None and not self.other.chan.is_closing():
            self.other.chan.write_eof()
        return True

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.chan.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.chan.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self.other is not None and self.other.chan is not None:
            self.other.chan.close()
        self._ended()


class Stream:
    """The two ends of a forwarded stream: counted, recorded, and its end told once."""

    def __init__(self, bridge: Bridge, number: int, decision: Decision) -> None:
        self._bridge = bridge
        self._number = number
        self._decision = decision
        self._totals = [0, 0]
        self._over = False

    def ends(self) -> tuple[Pipe, Pipe]:
        """The client's end, and the server's."""
        return Pipe(lambda data: self._told(INPUT, data), self._ended), Pipe(
            lambda data: self._told(OUTPUT, data), self._ended
        )

    def _told(self, stream: int, data: bytes) -> bool:
        self._totals[stream] += len(data)
        return self._bridge.capture(self._number, stream, data)

    def _ended(self) -> None:
        if not self._over:
            self._over = True
            sent, got = self._totals
            facts = (("channel", self._number), ("bytes_in", sent), ("bytes_out", got))
            self._bridge.finished(self._decision.id, Outcome(0, got), facts)
            self._bridge.flow.tape.note_now(ssh_notes.ended(self._number, None, "", (sent, got, 0)))
            self._bridge.flow.tape.channel_ended(self._number)


class Unknown(asyncssh.SSHTCPSession[bytes]):
    """A direct-tcpip channel to no target: what the client says first decides what becomes of it."""

    def __init__(self, bridge: Bridge, number: int, decision: Decision, way: Within) -> None:
        self._bridge = bridge
        self._way = way
        self._stream = Stream(bridge, number, decision)
        self._near, self._far = self._stream.ends()
        self._is: Any = self._near
        self._first = b""
        self._chan: Any = None
        self._settled = asyncio.Event()

    def connection_made(self, chan: Any) -> None:
        self._chan = chan
        self._near.connection_made(chan)
        self._bridge.spawn(self._settle())

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._settled.is_set():
            self._is.data_received(data, datatype)
            return
        self._first += data
        found = detect(self._first)
        if found is None:
            return
        if found.protocol in SPOKEN_TO_TARGETS:
            self._way.first = self._first
            self._is = self._way.session()
            self._is.connection_made(self._chan)
        self._pass_first()

    def _pass_first(self) -> None:
        self._settled.set()
        first, self._first = self._first, b""
        if first:
            self._is.data_received(first, None)

    async def _settle(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                await self._settled.wait()
        if not self._settled.is_set():
            self._pass_first()
        if self._is is not self._near:
            return
        try:
            connection = await self._bridge.upstream()
            await connection.create_connection(lambda: self._far, self._way.host, self._way.port, *self._way.origin)
        except (asyncssh.ChannelOpenError, LoginFailed):
            self._chan.close()
            return
        self._near.joined(self._far)
        self._far.joined(self._near)

    def eof_received(self) -> bool:
        if not self._settled.is_set():
            self._pass_first()
        return bool(self._is.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._settled.set()
        self._is.connection_lost(exc)

    def pause_writing(self) -> None:
        self._is.pause_writing()

    def resume_writing(self) -> None:
        self._is.resume_writing()


class Incoming(asyncssh.SSHTCPSession[bytes]):
    """A connection that the server took for the client, at a port that it listens at."""

    def __init__(self, bridge: Bridge, host: str, port: int, origin: Any, decision: Decision) -> None:
        self._bridge = bridge
        self._destination = (host, port)
        self._origin = origin
        number = bridge.next_channel()
        bridge.flow.tape.note_now(ssh_notes.channel_opened(number, "forwarded-tcpip", _written(host or "*", port)))
        self._near, self._far = Stream(bridge, number, decision).ends()

    def connection_made(self, chan: Any) -> None:
        self._far.connection_made(chan)
        self._bridge.spawn(self._join())

    async def _join(self) -> None:
        try:
            await self._bridge.server.create_connection(lambda: self._near, *self._destination, *self._origin)
        except asyncssh.ChannelOpenError:
            self._far.chan.close()
            return
        self._near.joined(self._far)
        self._far.joined(self._near)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._far.data_received(data, datatype)

    def eof_received(self) -> bool:
        return self._far.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._far.connection_lost(exc)

    def pause_writing(self) -> None:
        self._far.pause_writing()

    def resume_writing(self) -> None:
        self._far.resume_writing()


def _address(host: str) -> str:
    """The address that a host is, as text; empty for a name: only the server knows what that resolves to."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
