"""The socket to the real destination. Nothing marks it: the hooks leave the workers' own cgroup alone, and only it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from hostagent.values.flow import Endpoint

CONNECT_DEADLINE = 10.0  # seconds

P = TypeVar("P", bound=asyncio.BaseProtocol)


async def connect(destination: Endpoint, protocol: Callable[[], P]) -> P:
    """Open a TCP connection to the destination. Raises OSError (TimeoutError after CONNECT_DEADLINE)."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_DEADLINE):
        _, made = await loop.create_connection(protocol, destination.address, destination.port)
    return made
