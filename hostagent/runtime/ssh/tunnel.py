"""Streams that a client opens towards something behind the server. What goes to a target is a flow of its own,
attributed to the actor of the flow that it comes in; what is no target's is bytes, once the forward was decided, unless
it begins as a protocol that only targets may speak.

    direct-tcpip, direct-streamlocal   client ──▶ server ──▶ host:port, or a socket
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import asyncssh

from hostagent.protocols.detect import Protocol, detect
from hostagent.runtime.ssh.places import Place
from hostagent.runtime.ssh.stream import Stream, join
from hostagent.runtime.ssh.upstream import LoginFailed
from hostagent.runtime.way import FIRST_SECONDS, Attributed
from hostagent.values.flow import Endpoint, FlowId, FlowKey

if TYPE_CHECKING:
    from hostagent.runtime.leg import Leg
    from hostagent.runtime.ssh.bridge import Bridge
    from hostagent.runtime.worker import Worker

SPOKEN_TO_TARGETS = frozenset({Protocol.SSH, Protocol.POSTGRES})


class Within:
    """The way of a flow that came in a channel of another."""

    def __init__(self, bridge: Bridge, number: int, place: Place) -> None:
        self._bridge = bridge
        self._number = number
        self._place = place
        self.first = b""  # what was looked at already

    def session(self) -> LegSession:
        """The client's side: a leg of a new flow."""
        flow = self._bridge.flow.worker.new_flow(self)
        return LegSession(flow.client)

    async def attributed(self, worker: Worker, flow_id: FlowId, transport: asyncio.Transport) -> Attributed:  # noqa: ARG002
        """Whoever made the flow that this one came in."""
        outer = self._bridge.flow
        key = FlowKey(outer.standing.told().key.source, self._place.named)
        through = f"{outer.id} channel {self._number}"
        return Attributed(key, self._place.known, outer.actor, self._place.names, through)

    async def first_bytes(self, leg: Leg) -> bytes:  # noqa: ARG002
        """What was looked at before this became a flow."""
        return self.first

    async def connect(self, destination: Endpoint, leg: Leg) -> None:  # noqa: ARG002
        """A channel of the outer flow's own connection. Raises OSError."""
        try:
            await self.reach(lambda: LegSession(leg))
        except (asyncssh.Error, LoginFailed) as error:
            raise OSError(0, str(getattr(error, "reason", error))) from None

    async def reach(self, session: Callable[[], Any]) -> None:
        """Have the server open it. Raises ChannelOpenError or LoginFailed."""
        await self._place.open(await self._bridge.upstream(), session)


class ChannelTransport(asyncio.Transport):
    """An SSH channel as a leg's transport."""

    def __init__(self, chan: Any) -> None:
        super().__init__()
        self._chan = chan
        self._reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._chan.is_closing():
            self._chan.write(bytes(data))

    def is_closing(self) -> bool:
        return bool(self._chan.is_closing())

    def close(self) -> None:
        self._chan.close()

    def abort(self) -> None:
        self._chan.abort()

    def is_reading(self) -> bool:
        return self._reading

    def pause_reading(self) -> None:
        self._reading = False
        self._chan.pause_reading()

    def resume_reading(self) -> None:
        self._reading = True
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


class Unknown(asyncssh.SSHTCPSession[bytes]):
    """A channel to no target: what the client says first decides what becomes of it."""

    def __init__(self, stream: Stream, bridge: Bridge, way: Within) -> None:
        self._bridge = bridge
        self._way = way
        self._stream = stream
        self._near, self._far = self._stream.ends()
        self._is: Any = self._near
        self._first = b""
        self._chan: Any = None
        self._settled = asyncio.Event()
        self._reaching = False

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
        if found.protocol not in SPOKEN_TO_TARGETS:
            self._pass_first()
        elif self._reaching:
            self._stream.error = f"{found.protocol}, which is spoken to targets alone, after a silence"
            self._chan.close()
        else:
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
        if self._is is not self._near:
            return
        self._reaching = True  # a client that waits for its server: what it says is looked at all the same
        try:
            await self._way.reach(lambda: self._far)
        except (asyncssh.ChannelOpenError, LoginFailed):
            self._chan.close()
            return
        join(self._near, self._far)

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
