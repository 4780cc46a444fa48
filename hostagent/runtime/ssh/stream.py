"""Streams that are passed on as they are: two channels, one on each connection, whose bytes are counted and recorded.

Rules: what comes before the other end is open is kept, up to half a window; an end that cannot take more pauses the
other; when one ends so does the other, and the end is told once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import asyncssh

from hostagent.recording import ssh_notes
from hostagent.recording.capture import INPUT, OUTPUT
from hostagent.runtime.ssh.windows import WINDOW
from hostagent.values.decision import Decision, Outcome

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

Opener = Callable[[Callable[[], "Pipe"]], Awaitable[object]]


class Pipe(asyncssh.SSHTCPSession[bytes]):
    """One end of a stream; `other` is its other end. `made` is called when its own channel is open."""

    def __init__(self, told: Callable[[bytes], bool], ended: Callable[[], None]) -> None:
        self.chan: Any = None
        self.other: Pipe | None = None
        self.made: Callable[[], None] | None = None
        self._early: list[bytes] = []
        self._at_end = False
        self._lost = False
        self._told = told
        self._ended = ended

    def connection_made(self, chan: Any) -> None:
        self.chan = chan
        if self.made is not None:
            self.made()

    def joined(self, other: Pipe) -> None:
        """The other end is open."""
        self.other = other
        if self._lost:
            other.chan.close()
            return
        early, self._early = self._early, []
        for data in early:
            self._pass(data)
        if self._at_end:
            other.chan.write_eof()
        self.chan.resume_reading()

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002
        if self.other is None:
            self._early.append(data)
            if sum(map(len, self._early)) > WINDOW // 2:
                self.chan.pause_reading()
        else:
            self._pass(data)

    def _pass(self, data: bytes) -> None:
        assert self.other is not None
        if self._told(data) and not self.other.chan.is_closing():
            self.other.chan.write(data)

    def eof_received(self) -> bool:
        self._at_end = True
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
        self._lost = True
        if self.other is not None and self.other.chan is not None:
            self.other.chan.close()
        self._ended()


def join(one: Pipe, other: Pipe) -> None:
    """Both ends are open: from now on what comes to one goes to the other."""
    one.joined(other)
    other.joined(one)


class Stream:
    """The two ends of a forwarded stream: counted, recorded, and its end told once."""

    def __init__(self, bridge: Bridge, number: int, decision: Decision) -> None:
        self._bridge = bridge
        self._number = number
        self._decision = decision
        self._totals = [0, 0]
        self._over = False
        self.error = ""  # why it was ended, where it was not by its ends

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
            self._bridge.finished(self._decision.id, Outcome(0, got, self.error), facts)
            self._bridge.flow.tape.note_now(ssh_notes.ended(self._number, None, "", (sent, got, 0)))
            self._bridge.flow.tape.channel_ended(self._number)


def incoming(bridge: Bridge, decision: Decision, type: str, destination: str, to_client: Opener) -> Pipe:
    """The server's end of a stream that the server opens; `to_client` opens the client's."""
    number = bridge.next_channel()
    bridge.flow.tape.note_now(ssh_notes.channel_opened(number, type, destination))
    near, far = Stream(bridge, number, decision).ends()

    async def reach() -> None:
        try:
            await to_client(lambda: near)
        except asyncssh.ChannelOpenError:
            far.chan.close()
        else:
            join(near, far)

    far.made = lambda: bridge.spawn(reach())
    return far


async def outgoing(bridge: Bridge, decision: Decision, number: int, to_server: Opener) -> Pipe:
    """The client's end of a stream that the client opens; `to_server` opens the server's, before the client's is.

    Raises ChannelOpenError in the server's words when it refuses.
    """
    near, far = Stream(bridge, number, decision).ends()
    await to_server(lambda: far)
    near.made = lambda: join(near, far)
    return near
