"""One HTTP/1.1 answer a connection, on a listening socket of ours: what the callback and the metrics have in common."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import h11

MAX_HEADERS = 16 << 10  # bytes
DEADLINE = 10.0  # seconds for one connection
MAX_CLIENTS = 16

Converse = Callable[[h11.Connection, asyncio.StreamReader], Awaitable[tuple[int, str, bytes]]]


class Serving:
    """Answers each connection with the status, content type and body that `converse` gives. It may raise
    h11.RemoteProtocolError, which is answered too, and OSError for a client that left."""

    def __init__(self, sock: socket.socket, converse: Converse) -> None:
        self._sock = sock
        self._converse = converse
        self._clients = 0

    async def run(self) -> None:
        """Serve until cancelled."""
        start = asyncio.start_unix_server if self._sock.family == socket.AF_UNIX else asyncio.start_server
        server = await start(self._client, sock=self._sock, limit=MAX_HEADERS)
        async with server:
            await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            async with asyncio.timeout(DEADLINE):
                if self._clients <= MAX_CLIENTS:
                    await self._answer(reader, writer)
        except (OSError, TimeoutError):
            pass  # whoever asked is gone, or too slow: there is nobody to tell
        finally:
            self._clients -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEADERS)
        try:
            status, kind, body = await self._converse(connection, reader)
        except h11.RemoteProtocolError as error:
            status, kind, body = error.error_status_hint, "application/json", b'{"error": "not HTTP/1.1"}'
        headers = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Connection", "close")]
        for event in (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
