"""Serves metrics over HTTP/1.1 on listening sockets of ours: `GET /metrics`, nothing else, one request a connection.

Who may ask is what the socket says: the group `hostagent` on the unix socket, any process of the host on a loopback
address (governed ones are intercepted there as everywhere). Nothing that is asked changes anything.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

import h11

from hostagent.approvals.config import address_of
from hostagent.approvals.serving import Serving
from hostagent.daemon.metrics_text import OPENMETRICS, TYPES, Family, text
from hostagent.errors import HostError

_READ = 16_384

Collect = Callable[[], Awaitable[list[Family]]]


class MetricsServer:
    """Serves what `collect` gives on these sockets until cancelled."""

    def __init__(self, sockets: Iterable[socket.socket], collect: Collect) -> None:
        self._served = [Serving(sock, self._conversation) for sock in sockets]
        self._collect = collect

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for served in self._served:
                tasks.create_task(served.run())

    async def _conversation(self, connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ))
        if not isinstance(event, h11.Request):
            raise ConnectionResetError("the client left")
        if event.method != b"GET" or event.target.partition(b"?")[0] != b"/metrics":
            return 404, TYPES[False], b"GET /metrics is all there is\n"
        openmetrics = any(name == b"accept" and OPENMETRICS.encode() in value for name, value in event.headers)
        try:
            families = await self._collect()
        except HostError as error:
            return 503, TYPES[False], f"{error.what}\n".encode()
        return 200, TYPES[openmetrics], text(families, openmetrics).encode()


def listening(listen: str) -> socket.socket:
    """A listening TCP socket at that loopback address. Raises HostError."""
    host, port = address_of(listen)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        what = f"metrics cannot be served at {listen}: {error.strerror}"
        raise HostError(what, "is the port taken? give another: metrics.listen") from None
