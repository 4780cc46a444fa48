"""What the supervisor holds of secrets that have an end: fetched once, refreshed in time, given to whoever asks.

Rules: a file is read each time and never held; one question at a time goes to a source, however many ask; a refresh
that fails keeps what is held until its end, and from then on whoever asks is told why; a source that failed is left
alone for a moment, so that a storm of connections is no storm of helpers.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from hostagent.credentials.helper import HelperSpec, run_helper
from hostagent.credentials.secret import Secret, Unavailable
from hostagent.credentials.sources import Source, read_secret
from hostagent.credentials.timing import NEVER, Deadlines, deadlines, retry_at
from hostagent.credentials.vault import Vault, VaultSpec
from hostagent.errors import FileError, HostError

LOGIN_NAME = "*"  # stands for the name that a client asks for, which no source is asked about
MAX_SLEEP = 60.0  # seconds: asyncio's clock stands still while the host sleeps, ours does not


class Entry(Source, Protocol):
    """A credential of the policy: exactly one source is given."""

    @property
    def name(self) -> str: ...
    @property
    def user(self) -> str | None: ...
    @property
    def exec(self) -> HelperSpec | None: ...
    @property
    def vault(self) -> VaultSpec | None: ...
    @property
    def ssh(self) -> object | None: ...


Obtain = Callable[[Entry, Secret | None], Awaitable[Secret]]
Told = Callable[[Entry, HostError | FileError], None]


def boot_time() -> float:
    """Seconds since boot, those asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


async def obtain(entry: Entry, held: Secret | None) -> Secret:
    """A secret from the entry's source, or what is held for longer. Raises Unavailable, FileError."""
    user = entry.user if entry.ssh is None else entry.user or LOGIN_NAME
    if entry.exec is not None:
        return await run_helper(entry.name, user, entry.exec)
    if entry.vault is None:
        return Secret(user or "", read_secret(entry, f"credential {entry.name}"))
    vault = Vault(entry.name, user, entry.vault)
    renewed = await vault.renew(held) if held is not None else None
    return renewed or await vault.fetch()


@dataclass(slots=True, eq=False)
class _Held:
    """What is held for one entry. `deadlines` are of `secret`; `again`: after a failure, not asked before."""

    entry: Entry
    secret: Secret | None = None
    deadlines: Deadlines = NEVER
    again: float = 0.0
    failures: int = 0
    error: Unavailable | FileError | None = None
    refreshing: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def usable(self, now: float) -> Secret | None:
        return self.secret if now < self.deadlines.end else None

    @property
    def due(self) -> float:
        """When it is to be refreshed; never while that is being done, or before anybody asked for it."""
        if self.refreshing or self.secret is None:
            return NEVER.refresh
        return max(self.deadlines.refresh, self.again)


class Credentials:
    """The secrets of one policy. `get` asks, `run` keeps fresh what was asked for, `reload` is for another policy."""

    def __init__(
        self,
        told: Told,
        obtain: Obtain = obtain,
        clock: Callable[[], float] = boot_time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`told` hears of each failure to fetch or refresh. The others are for tests."""
        self._told = told
        self._obtain = obtain
        self._clock = clock
        self._chance = chance
        self._held: dict[str, _Held] = {}
        self._changed = asyncio.Event()

    async def get(self, entry: Entry) -> Secret:
        """The secret of that entry. Raises Unavailable or FileError when there is none."""
        if entry.exec is None and entry.vault is None:
            try:
                return await self._obtain(entry, None)
            except FileError as error:
                self._told(entry, error)
                raise
        held = self._of(entry)
        if (secret := held.usable(self._clock())) is not None:
            return secret
        async with held.lock:
            if (secret := held.usable(self._clock())) is not None:
                return secret
            if held.error is not None and self._clock() < held.again:
                raise held.error
            return await self._fetch(held)

    def reload(self, entries: Iterable[Entry]) -> None:
        """Forget what is held for entries that are not among these, and refresh the others now: a password that was
        changed at its source is found. What has a lease was made for us alone, and stays."""
        current, now = {entry.name: entry for entry in entries}, self._clock()
        self._held = {name: held for name, held in self._held.items() if current.get(name) == held.entry}
        for held in self._held.values():
            if held.secret is not None and held.secret.lease is None:
                held.deadlines = Deadlines(min(now, held.deadlines.refresh), held.deadlines.end)
        self._changed.set()

    async def run(self) -> None:
        """Refresh what is held, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                now = self._clock()
                for held in self._held.values():
                    if held.due <= now:
                        held.refreshing = True
                        tasks.create_task(self._refresh(held))
                await self._sleep(min((held.due for held in self._held.values()), default=NEVER.refresh) - now)

    async def _refresh(self, held: _Held) -> None:
        try:
            async with held.lock:
                await self._fetch(held)
        except (Unavailable, FileError):
            pass  # it was told, and what is held goes on until its end
        finally:
            held.refreshing = False
            self._changed.set()

    async def _fetch(self, held: _Held) -> Secret:
        asked_at = self._clock()
        before = held.usable(asked_at)
        try:
            secret = await self._obtain(held.entry, before)
            ends = deadlines(asked_at, secret.lifetime, self._chance())
        except (Unavailable, FileError) as error:
            raise self._failed(held, error) from None
        except ValueError as error:
            what = f"credential {held.entry.name}: its source gave it {error}"
            raise self._failed(held, Unavailable(what, "give it a longer one at the source")) from None
        held.secret, held.deadlines = secret, ends
        held.failures, held.again, held.error = 0, 0.0, None
        self._changed.set()
        return secret

    def _failed(self, held: _Held, error: Unavailable | FileError) -> Unavailable | FileError:
        held.failures += 1
        held.again = retry_at(self._clock(), held.failures, self._chance())
        held.error = error
        self._told(held.entry, error)
        return error

    def _of(self, entry: Entry) -> _Held:
        held = self._held.get(entry.name)
        if held is None or held.entry != entry:
            held = self._held[entry.name] = _Held(entry)
        return held

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, min(seconds, MAX_SLEEP))):
                await self._changed.wait()
        except TimeoutError:
            return
