"""All children of the daemon: kept, asked how they are, told of a new policy, ended."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostagent.daemon import log
from hostagent.daemon.counts import WorkerCounts
from hostagent.daemon.supervisor import Child, Keeper
from hostagent.daemon.worker_calls import WorkerCalls
from hostagent.daemon.workers import Owner, Worker, start_analyzer, start_worker
from hostagent.errors import HostError
from hostagent.runtime.channel import ChannelError

START_SECONDS = 90.0  # an interpreter start and its imports; 1 s is usual, 30 s was seen on an emulated processor
PULSE_SECONDS = 8.0  # a worker whose loop does not turn for so long is ended and replaced


@dataclass(frozen=True, slots=True)
class Sockets:
    """What the supervisor holds open for its children: the transparent listeners and the analyzers' socket."""

    listeners: tuple[socket.socket, ...]
    analyzer: socket.socket


@dataclass(frozen=True, slots=True)
class Spots:
    """The children's cgroups, and whom they become."""

    workers: Path
    worker_owner: Owner
    analyzers: Path
    analyzer_owner: Owner


class Pool:
    """The workers and analyzers of one instance."""

    def __init__(self, sockets: Sockets, spots: Spots, ended: Callable[[str, int], None]) -> None:
        """`ended` hears of every child that ended unasked."""
        self._sockets = sockets
        self._spots = spots
        self._ended = ended
        self._ready: dict[str, asyncio.Event] = {}
        self._started: dict[str, float] = {}
        self.counted = WorkerCounts()
        self.workers: list[Keeper] = []
        self.analyzers: list[Keeper] = []

    def fill(self, workers: int, analyzers: int, calls: WorkerCalls) -> list[Keeper]:
        """Make the keepers; each has to be run."""
        self.workers = [self._worker(index, calls) for index in range(workers)]
        self.analyzers = [self._analyzer(index) for index in range(analyzers)]
        return self.analyzers + self.workers

    def ready(self, worker: str) -> None:
        """That worker accepts connections."""
        self._ready[worker].set()

    async def all_ready(self) -> None:
        """Wait until every worker accepts. Raises HostError after START_SECONDS."""
        try:
            async with asyncio.timeout(START_SECONDS):
                for event in self._ready.values():
                    await event.wait()
        except TimeoutError:
            causes = ", ".join(f"{keeper.name}: {keeper.last_error or 'no answer'}" for keeper in self.workers)
            raise HostError(f"the workers did not start: {causes}", "see what they logged above") from None

    async def pulse(self) -> bool:
        """Whether every worker's loop turns. One whose loop does not is killed; its keeper replaces it."""
        return all(await asyncio.gather(*map(self._beats, self.workers)))

    async def stats(self) -> Counter[str]:
        """The workers' counters, added up. A worker that is down counts nothing."""
        total: Counter[str] = Counter()
        for name, worker in self._running():
            try:
                answer = await worker.channel.call("stats", {})
            except ChannelError:
                continue
            self.counted.told(name, answer)
            total.update({name: value for name, value in answer.items() if isinstance(value, int)})
        return total

    async def tell(self, worker: str, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        """Call one worker by its name. Raises ChannelError, also when it is down."""
        for keeper in self.workers:
            if keeper.name == worker and isinstance(keeper.child, Worker):
                return await keeper.child.channel.call(operation, args)
        raise ChannelError(f"{worker} is down")

    async def push_policy(self, policy: dict[str, Any]) -> None:
        """Hand a policy, and what belongs to it, to all workers. One that does not take it, or still starts, is killed.

        Its successor starts with it: no worker goes on with an older policy.
        """
        for keeper in self.workers:
            if not isinstance(worker := keeper.child, Worker):
                continue
            try:
                if not self._ready[keeper.name].is_set():
                    raise ChannelError("it is still starting")
                await worker.channel.call("policy", policy)
            except ChannelError as error:
                log.error("policy_not_taken", name=keeper.name, pid=worker.pid, error=error)
                worker.kill()

    async def stop(self, drain_seconds: float) -> None:
        """End all: workers first, they need the analyzers while they drain."""
        await asyncio.gather(*(keeper.stop(drain_seconds) for keeper in self.workers))
        await asyncio.gather(*(keeper.stop(0.0) for keeper in self.analyzers))

    def _running(self) -> list[tuple[str, Worker]]:
        ready = [keeper for keeper in self.workers if self._ready[keeper.name].is_set()]
        return [(keeper.name, keeper.child) for keeper in ready if isinstance(keeper.child, Worker)]

    async def _beats(self, keeper: Keeper) -> bool:
        worker = keeper.child
        if not isinstance(worker, Worker):
            return False
        if not self._ready[keeper.name].is_set():
            if time.monotonic() - self._started[keeper.name] > START_SECONDS:
                log.error("worker_does_not_start", name=keeper.name, pid=worker.pid)
                worker.kill()
            return False
        try:
            self.counted.told(keeper.name, await worker.channel.call("stats", {}, timeout=PULSE_SECONDS))
        except ChannelError as error:
            log.error("worker_hangs", name=keeper.name, pid=worker.pid, error=error)
            worker.kill()
            return False
        return True

    def _worker(self, index: int, calls: WorkerCalls) -> Keeper:
        name = f"worker{index}"
        self._ready[name] = asyncio.Event()

        async def start() -> Child:
            self._ready[name].clear()
            self._started[name] = time.monotonic()
            spots, listeners = self._spots, self._sockets.listeners
            return await start_worker(index, spots.workers, spots.worker_owner, listeners, calls.handlers(name))

        def ended(who: str, status: int) -> None:
            self.counted.ended(who)
            calls.worker_ended(who)
            self._ended(who, status)

        return Keeper(name, start, ended)

    def _analyzer(self, index: int) -> Keeper:
        async def start() -> Child:
            return await start_analyzer(self._spots.analyzers, self._spots.analyzer_owner, self._sockets.analyzer)

        return Keeper(f"analyzer{index}", start, self._ended)
