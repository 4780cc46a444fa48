"""Which of the policy's host names an address has: targets may be given by name, connections only have addresses.

Names are looked up here, by the host's own resolver, never taken from what a client says. A name that cannot be
resolved has no address, so its target covers nothing; an answer stays good for a while, because names with many
addresses give another choice each time.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Iterable

from hostagent.daemon import log

REFRESH_SECONDS = 30.0
KEEP_SECONDS = 600.0  # after its last answer an address loses the name
LOOKUP_SECONDS = 3.0  # a flow waits for it, with its own deadline of five
AGAIN_SECONDS = 1.0  # unknown addresses cause at most one round of lookups in this time

Lookup = Callable[[str], Awaitable[list[str]]]


async def look_up(name: str) -> list[str]:
    """The addresses of a name, by the system's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class TargetNames:
    """address → names, for the names that `hosts` gives."""

    def __init__(self, hosts: Callable[[], Iterable[str]], lookup: Lookup = look_up) -> None:
        self._hosts = hosts
        self._lookup = lookup
        self._until: dict[tuple[str, str], float] = {}  # (address, name) → when it is forgotten
        self._refreshed = -AGAIN_SECONDS
        self._refreshing = asyncio.Lock()

    async def of(self, address: str) -> list[str]:
        """The names of an address; looked up anew when it has none."""
        if not (names := self._known(address)):
            await self._refresh(AGAIN_SECONDS)
            names = self._known(address)
        return names

    async def run(self) -> None:
        """Keep the table fresh until cancelled."""
        while True:
            await self._refresh(0.0)
            await asyncio.sleep(REFRESH_SECONDS)

    def _known(self, address: str) -> list[str]:
        now, hosts = time.monotonic(), set(self._hosts())
        return sorted(n for (a, n), until in self._until.items() if a == address and n in hosts and until > now)

    async def _refresh(self, younger: float) -> None:
        """Look all names up, unless that was done less than `younger` seconds ago."""
        async with self._refreshing:
            if time.monotonic() - self._refreshed < younger:
                return
            names = sorted(set(self._hosts()))
            answers = await asyncio.gather(*map(self._addresses, names))
            now = self._refreshed = time.monotonic()
            self._until = {pair: until for pair, until in self._until.items() if until > now}
            for name, addresses in zip(names, answers, strict=True):
                self._until |= {(address, name): now + KEEP_SECONDS for address in addresses}

    async def _addresses(self, name: str) -> list[str]:
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._lookup(name)
        except (OSError, UnicodeError) as error:
            log.warning("target_not_resolved", host=name, error=error or "no answer in time")
            return []
