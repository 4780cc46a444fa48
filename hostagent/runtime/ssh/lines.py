"""A shell without a terminal, where rules let through commands but no shell: `ssh host <<EOF`, a line at a time.

Each line is decided as an exec would be before the shell gets it; the first that is denied ends the shell. So the shell
never reads a line that was not allowed as a command, whichever program reads it in the end. Lines are complete ones:
what a quote, a `\\` or an operator at the end would join to the next is not known to the parser, and denied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from hostagent.ssh.exec import operation_of_line
from hostagent.ssh.operation import Operation
from hostagent.ssh.shell import MAX_TEXT, MOVES

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge
    from hostagent.runtime.ssh.channel import SessionChannel

DENIED = 126  # exit status, as a shell gives for what may not be executed
MAX_LINE = 4 * MAX_TEXT  # bytes; MAX_TEXT counts characters
MOVED = "a relative redirection after `cd`: write its path from `/` on"


class Lines:
    """The input of one such shell; `open` starts the shell, which is done when the first line is allowed."""

    def __init__(self, channel: SessionChannel, bridge: Bridge, open: Callable[[], Awaitable[None]]) -> None:
        self._channel = channel
        self._bridge = bridge
        self._open = open
        self._opened = False
        self._waiting = b""
        self._more = asyncio.Event()
        self._ended = False
        self._moved = False

    def feed(self, data: bytes, ended: bool = False) -> None:
        """The client said this; `ended`: and will say no more. It is not read further before that is decided."""
        self._waiting += data
        self._ended = self._ended or ended
        if data:
            self._channel.hold("lines", True)
        self._more.set()

    async def run(self) -> None:
        """Decide line by line until the client has ended its input, or a line is denied."""
        while not self._channel.is_closed:
            line = self._next()
            if line:
                if not await self._passed(line):
                    self._channel.end(DENIED)
                    return
            elif self._ended:
                self._finish()
                return
            else:
                self._more.clear()
                self._channel.hold("lines", False)
                await self._more.wait()

    def _next(self) -> bytes:
        """The next whole line, with its end; without one the last, or one that is too long."""
        line, newline, rest = self._waiting.partition(b"\n")
        if newline or self._ended or len(line) > MAX_LINE:
            self._waiting = rest
            return line + newline
        return b""

    async def _passed(self, line: bytes) -> bool:
        if line.strip(b" \t\n"):
            operation = operation_of_line(line.decode("utf-8", "surrogateescape").removesuffix("\n"), self._bridge.user)
            if not await self._channel.allowed(self._within(operation)):
                return False
            if not self._opened:
                self._opened = True
                await self._open()
        if self._opened:
            self._channel.from_client(line)
        return True

    def _within(self, operation: Operation) -> Operation:
        """The operation, after those before it: `cd` holds for the lines that follow."""
        if self._moved and any(path[0] != "/" for path in operation.paths):
            return replace(operation, words=(), paths=(), unparsed=MOVED)
        self._moved = self._moved or any(words[0] in MOVES for words in operation.words)
        return operation

    def _finish(self) -> None:
        if self._opened:
            self._channel.input_ended()
        else:
            self._channel.end(0)
