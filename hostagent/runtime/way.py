"""How a flow came to us and how its destination is reached: over TCP, here; within a channel of another flow, see ssh/.

A flow is attributed by its way, and by nothing that its bytes say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hostagent.intake.destination import destination_of
from hostagent.recording import event
from hostagent.runtime.channel import ChannelError
from hostagent.upstream.connect import connect
from hostagent.values.actor import Actor
from hostagent.values.flow import Endpoint, FlowId, FlowKey

if TYPE_CHECKING:
    from hostagent.runtime.leg import Leg
    from hostagent.runtime.worker import Worker

FIRST_BYTES = 64  # that are looked at to tell protocols apart
FIRST_SECONDS = 2.0  # until a client is taken for one that waits for its server to speak


class Refused(Exception):
    """The flow is not opened. `reason` is for the event; the client sees its connection reset."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Attributed:
    """Who made a flow, and where it goes. `names`: by which the destination is known; an address may be empty then.

    `through`: the flow and channel that it came in, empty for a connection of its own.
    """

    key: FlowKey
    destination: Endpoint
    actor: Actor
    names: frozenset[str]
    through: str = ""


class Way(Protocol):
    """What a flow needs of it."""

    async def attributed(self, worker: Worker, flow_id: FlowId, transport: asyncio.Transport) -> Attributed:
        """Who made the flow. Raises Refused, after the refusal was recorded."""

    async def first_bytes(self, leg: Leg) -> bytes:
        """What the client says first, without taking it; empty when it waits for its server."""

    async def connect(self, destination: Endpoint, leg: Leg) -> None:
        """Open the upstream leg. Raises OSError."""


class Tcp:
    """A connection that was redirected to us."""

    async def attributed(self, worker: Worker, flow_id: FlowId, transport: asyncio.Transport) -> Attributed:
        """By the kernel's record. A client that reset its connection before it was accepted took the 4-tuple with it:
        there is nothing to record."""
        try:
            key, destination = destination_of(transport.get_extra_info("socket"))
        except OSError as error:
            raise Refused(f"the client was gone before it was accepted: {error.strerror}") from None
        try:
            facts = await worker.attribute(key)
        except ChannelError as error:
            facts = {"denied": error.what}
        if "denied" in facts:
            context = event.FlowContext(flow_id, key, None, None)
            worker.gate.record(event.flow_refused(context, facts["denied"]))
            raise Refused(f"not attributed: {facts['denied']}")
        return Attributed(key, destination, Actor.from_json(facts["actor"]), frozenset(facts["names"]))

    async def first_bytes(self, leg: Leg) -> bytes:
        """What the loop has read already, or what waits in the socket."""
        if leg.kept:
            return leg.kept
        sock = leg.transport.get_extra_info("socket")
        try:
            fd = os.dup(sock.fileno())  # the loop does not let a transport's own descriptor be watched
        except OSError:  # the client has left; that it came is recorded all the same
            return b""
        peeked = socket.socket(fileno=fd)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS):
                    await _readable(peeked)
            with contextlib.suppress(OSError):
                return leg.kept or peeked.recv(FIRST_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        finally:
            peeked.close()
        return b""

    async def connect(self, destination: Endpoint, leg: Leg) -> None:
        """Over TCP, from our own cgroup."""
        await connect(destination, lambda: leg.protocol)


TCP = Tcp()


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    found = asyncio.Event()
    loop.add_reader(sock.fileno(), found.set)
    try:
        await found.wait()
    finally:
        loop.remove_reader(sock.fileno())
