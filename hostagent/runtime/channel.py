"""The channel between the supervisor and a worker: calls in both directions over one inherited socket pair.

A frame is a 4-byte big-endian length and a JSON object: `{"id", "op", "args"}` asks, `{"id", "result"}` or
`{"id", "error"}` answers. No byte that a client or a server sent is interpreted on it: statements never cross.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hostagent.errors import HostError

MAX_FRAME = 16 << 20  # a policy with thousands of rules fits; more is a fault on the other side

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class ChannelError(HostError):
    """The other side is gone, did not answer in time, or refused; `what` is its text."""


class Channel:
    """One end of the channel. `run()` serves it until the other side is gone."""

    def __init__(self, sock: socket.socket, handlers: Mapping[str, Handler]) -> None:
        self._sock = sock
        self._handlers = handlers
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._opened = asyncio.Event()

    async def run(self) -> None:
        """Serve both directions. Returns when the other side has closed."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock, limit=MAX_FRAME)
        self._opened.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                while (frame := await _read_frame(reader)) is not None:
                    if "op" in frame:
                        tasks.create_task(self._serve(frame))
                    else:
                        self._answered(frame)
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ChannelError("the other side of the channel is gone"))
            self._writer.close()

    async def call(self, op: str, args: dict[str, Any], timeout: float = 5.0) -> dict[str, Any]:
        """Ask the other side. Raises ChannelError when it is gone, refuses, or takes longer than `timeout` seconds."""
        await self._opened.wait()
        if self._writer is None or self._writer.is_closing():
            raise ChannelError("the other side of the channel is gone")
        number = next(self._numbers)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._send({"id": number, "op": op, "args": args})
        try:
            async with asyncio.timeout(timeout):
                result: dict[str, Any] = await future
        except TimeoutError:
            raise ChannelError(f"no answer to {op} within {timeout:g} s") from None
        finally:
            del self._waiting[number]
        return result

    async def _serve(self, frame: dict[str, Any]) -> None:
        handler = self._handlers.get(frame["op"])
        if handler is None:
            self._send({"id": frame["id"], "error": f"unknown operation {frame['op']}"})
            return
        try:
            answer = {"id": frame["id"], "result": await handler(frame["args"])}
        except (HostError, OSError, ValueError, KeyError) as error:
            answer = {"id": frame["id"], "error": str(error) or type(error).__name__}
        self._send(answer)

    def _answered(self, frame: dict[str, Any]) -> None:
        future = self._waiting.get(frame["id"])
        if future is None or future.done():
            return
        if "error" in frame:
            future.set_exception(ChannelError(frame["error"]))
        else:
            future.set_result(frame["result"])

    def _send(self, frame: dict[str, Any]) -> None:
        if self._writer is None or self._writer.is_closing():
            return  # whoever waits for it is told by run()
        data = json.dumps(frame, separators=(",", ":")).encode()
        self._writer.write(len(data).to_bytes(4, "big") + data)


async def _read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    try:
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > MAX_FRAME:
            raise ChannelError(f"a frame of {length} bytes on the channel (limit {MAX_FRAME})")
        frame: dict[str, Any] = json.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return frame
