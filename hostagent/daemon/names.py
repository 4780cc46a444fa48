"""Which names of the policy's targets an address has now, by the host's own resolver.

A client connects to an address; a target may say `hosts:`. The names that a client claims (SNI) are never asked.
"""

from __future__ import annotations

import asyncio
import socket

from hostagent.daemon import log
from hostagent.daemon.policies import PolicyInForce

INTERVAL = 30.0  # seconds; a failover by DNS is followed within this time
LOOKUP_DEADLINE = 5.0  # seconds for one name


class HostNames:
    """Keeps the addresses of all host names in the policy. A name that stops resolving keeps its last addresses."""

    def __init__(self, policies: PolicyInForce) -> None:
        self._policies = policies
        self._addresses: dict[str, frozenset[str]] = {}

    def of(self, address: str) -> list[str]:
        """The names that resolve to this address."""
        return [name for name, addresses in self._addresses.items() if address in addresses]

    async def resolve(self) -> None:
        """Look all names up once."""
        names = {name for target in self._policies.current.targets for name in target.match.hosts or ()}
        found = await asyncio.gather(*(_lookup(name) for name in sorted(names)))
        known = dict(zip(sorted(names), found, strict=True))
        self._addresses = {name: known[name] or self._addresses.get(name, frozenset()) for name in known}

    async def run(self) -> None:
        """Look all names up, for ever."""
        while True:
            await self.resolve()
            await asyncio.sleep(INTERVAL)


async def _lookup(name: str) -> frozenset[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKUP_DEADLINE):
            infos = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError) as error:
        log.error("host_not_resolved", name=name, error=error)
        return frozenset()
    return frozenset(str(info[4][0]) for info in infos)
