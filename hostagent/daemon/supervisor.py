"""Keeps child processes running: starts them, waits, restarts with back-off, and ends them in order.

What it is not: it knows nothing of what a child does, and it never looks at a connection. While a child is down the
supervisor still holds the listening sockets, so connections wait in their backlog: nothing is let through.

Rules: a child that ended is replaced, ever and ever, but never in a tight loop; every end is told and counted; a stop
asks first (`drain`), then terminates, then kills.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from hostagent.daemon import log
from hostagent.errors import HostError

TERMINATE_SECONDS = 2.0  # from SIGTERM to SIGKILL


class Child(Protocol):
    """A running child process."""

    @property
    def pid(self) -> int:
        """Its process id."""

    async def wait(self) -> int:
        """Serve it until it has ended; its exit status, negative for a signal."""

    async def drain(self, seconds: float) -> None:
        """Ask it to take nothing new and to end what it has; returns when it has, or after `seconds`."""

    def terminate(self) -> None:
        """SIGTERM; nothing when it has ended."""

    def kill(self) -> None:
        """SIGKILL; nothing when it has ended."""


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next start, in seconds: doubling, and back to the first after a steady run."""

    first: float = 0.1
    last: float = 10.0
    steady: float = 30.0  # a child that lived this long was well
    _next: float = field(default=0.0, init=False)

    def after(self, lived: float) -> float:
        """The pause before replacing a child that lived `lived` seconds."""
        if lived >= self.steady or self._next == 0.0:
            self._next = self.first
        pause, self._next = self._next, min(self._next * 2, self.last)
        return pause


class Keeper:
    """One place in the tree of processes, and the child that fills it now."""

    def __init__(
        self,
        name: str,
        start: Callable[[], Awaitable[Child]],
        ended: Callable[[str, int], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.child: Child | None = None
        self.restarts = 0
        self.last_error = ""
        self._start = start
        self._ended = ended
        self._backoff = backoff or Backoff()
        self._stopping = asyncio.Event()
        self._gone = asyncio.Event()

    async def run(self) -> None:
        """Keep a child running until `stop()`."""
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                await self._one_life()
                if not self._stopping.is_set():
                    self.restarts += 1
                    await self._pause(self._backoff.after(time.monotonic() - began))
        finally:
            if self.child is not None:
                self.child.kill()
            self._gone.set()

    async def _one_life(self) -> None:
        try:
            self.child = await self._start()
        except (HostError, OSError) as error:
            self.last_error = str(error)
            log.error("child_not_started", name=self.name, error=error)
            return
        if self._stopping.is_set():
            self.child.kill()
        log.info("child_started", name=self.name, pid=self.child.pid)
        status = await self.child.wait()
        pid, self.child = self.child.pid, None
        if not self._stopping.is_set():
            self.last_error = f"ended with status {status}"
            log.error("child_ended", name=self.name, pid=pid, status=status)
            self._ended(self.name, status)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def stop(self, drain_seconds: float) -> None:
        """End the child: drained for at most `drain_seconds`, then terminated, then killed."""
        self._stopping.set()
        if (child := self.child) is None:
            return
        await child.drain(drain_seconds)
        child.terminate()
        try:
            async with asyncio.timeout(TERMINATE_SECONDS):
                await self._gone.wait()
        except TimeoutError:
            child.kill()
            await self._gone.wait()
