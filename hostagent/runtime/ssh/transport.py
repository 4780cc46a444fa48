"""A transport without a socket: what asyncssh writes goes to a session's list, and the pump is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class MemoryTransport(asyncio.Transport):
    """One of a session's two connections, as asyncssh sees it. Whether it may be read, the legs decide."""

    def __init__(self, write: Callable[[bytes], None], closed: Callable[[], None]) -> None:
        super().__init__()
        self._write = write
        self._closed = closed
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._write(bytes(data))

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._closed()

    def abort(self) -> None:
        self.close()
