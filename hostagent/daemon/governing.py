"""The kernel's part: put in force in an order that never leaves a gap, verified ever after, removed only when asked.

    hooks attached (the governed are refused) → redirect (they are led to the workers) → sweep (what was open ends)

Rules: an error leaves what stands standing; what is found changed is put back and told (`drift`); every refusal of the
hooks is counted and told.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

from hostagent.daemon import log
from hostagent.daemon.config import Config
from hostagent.daemon.counts import Counts
from hostagent.daemon.host_events import HostEvents
from hostagent.daemon.places import Places
from hostagent.errors import HostError
from hostagent.kernel.cgroups import path_of
from hostagent.kernel.hooks import PINS, Hooks
from hostagent.kernel.interfaces import Interfaces
from hostagent.kernel.layout import Reason
from hostagent.kernel.monitor import changes
from hostagent.kernel.redirect import Redirect
from hostagent.kernel.sweep import sweep

INIT_SCOPE = "/init.scope"  # systemd(1): where pid 1 itself lives
VERIFY_SECONDS = 2.0
MAX_PATHS = 10_000  # cgroup paths remembered for refusals
SETTLE_SECONDS = 0.05  # changes come in bursts: our own re-apply is one


class Governing:
    """The hooks and the redirect of one instance."""

    def __init__(self, config: Config, places: Places, objects: Path, counts: Counts, events: HostEvents) -> None:
        self._config = config
        self._places = places
        self._objects = objects
        self._counts = counts
        self._events = events
        self._redirect = Redirect(config.instance, config.port, config.container_interfaces, table=config.routing_table)
        self._paths: dict[int, str] = {}
        self._verifying = asyncio.Lock()
        self._changed = asyncio.Event()
        self._interfaces: Interfaces | None = None
        self._resolvers: list[str] | None = None  # what the kernel was told
        self.hooks: Hooks

    @property
    def patterns(self) -> list[str]:
        """The cgroup patterns that are governed."""
        govern = self._config.govern
        everything = [govern.everything_under] if govern.everything_under else []
        return [*govern.cgroups, *everything, *self._places.governed]

    @property
    def exempt(self) -> list[str]:
        """The cgroup patterns that are left alone. Of a host that is governed whole, pid 1: all units are its children,
        and children of the governed are governed wherever they move."""
        pid1 = [INIT_SCOPE] if self._config.govern.everything_under else []
        return [*self._places.exempt, *pid1, *self._config.govern.exempt]

    def begin(self) -> None:
        """Put everything in force. Raises HostError; what was in force before then still is."""
        self.hooks = Hooks.load(self._config.instance, self._objects, proxy_port=self._config.port)
        self.hooks.govern(self.patterns)
        self.hooks.exempt(self.exempt)
        self._follow_resolvers()
        self.hooks.attach()
        self._redirect.apply()
        if self._config.container_interfaces:
            self._interfaces = Interfaces(self.hooks, self._objects, self._config.container_interfaces)
            self._interfaces.refresh()
        self._counts.swept = sweep(self.hooks)
        log.info("governing", swept=self._counts.swept)

    async def watch(self) -> None:
        """Verify on every change of the network's configuration, and every two seconds."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(VERIFY_SECONDS):
                        await self._changed.wait()
                await asyncio.sleep(SETTLE_SECONDS)
                self._changed.clear()
                await self.verify()

    async def verify(self) -> list[str]:
        """Compare with what should be; put back what is not, and tell. What was found amiss.

        The redirect is looked at in a thread: nft is a process, and pyroute2 runs a loop of its own.
        """
        async with self._verifying:
            return await self._verify()

    async def _verify(self) -> list[str]:
        if self._interfaces is not None:
            await self._look_at_containers(self._interfaces)
        self._follow_resolvers()
        amiss = [*self.hooks.verify(), *await asyncio.to_thread(self._redirect.verify)]
        if not amiss:
            return amiss
        self._counts.drift += len(amiss)
        self._counts.last_drift = "; ".join(amiss)
        self._events.tell("drift", "what enforces was changed from outside, and was put back", found=amiss)
        try:
            self.hooks.reattach()
            await asyncio.to_thread(self._redirect.apply)
        except HostError as error:
            self._counts.failed(f"drift could not be mended: {error.what}")
            self._events.tell("drift_stays", error.what)
        return amiss

    def _follow_resolvers(self) -> None:
        """The host's own list changes: the daemon starts before the network is configured, and leases are renewed."""
        addresses = self._config.resolver_addresses()
        if addresses != self._resolvers:
            self.hooks.set_resolvers(addresses)
            self._resolvers = addresses

    async def _look_at_containers(self, interfaces: Interfaces) -> None:
        try:
            if taken := await asyncio.to_thread(interfaces.refresh):
                log.info("interfaces_taken", interfaces=",".join(taken))
        except HostError as error:
            self._counts.failed(f"container interfaces: {error.what}")
            self._events.count("interfaces_not_taken", error.what)

    async def refusals(self) -> None:
        """Tell what the hooks refuse."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self.hooks.refusals_fd, self._take_refusals)
        try:
            await loop.create_future()
        finally:
            loop.remove_reader(self.hooks.refusals_fd)

    async def _listen(self) -> None:
        async for _ in changes():
            self._changed.set()

    def _take_refusals(self) -> None:
        for refusal in self.hooks.refusals():
            cgroup = self._path(refusal.cgroup_id)
            if cgroup == self._places.canary:
                self._events.count("canary", "refused, as it must be", reason=refusal.reason)
                continue
            self._counts.refused[refusal.reason] += 1
            if refusal.reason == Reason.CONNECT_NETNS.name.lower():
                self._changed.set()  # a container that is newer than our last look, perhaps
            facts = {"reason": refusal.reason, "cgroup": cgroup, "comm": refusal.comm}
            destination = refusal.destination.address if refusal.destination else ""
            self._events.count("refused", "a governed process was refused", **facts, destination=destination)

    def _path(self, cgroup: int) -> str:
        if cgroup not in self._paths:
            if len(self._paths) >= MAX_PATHS:
                self._paths.clear()
            self._paths[cgroup] = path_of(cgroup, self._places.root) or f"id {cgroup}"
        return self._paths[cgroup]


@dataclass(frozen=True, slots=True)
class _Leftovers:
    """What a dead daemon pinned, as far as `Interfaces` asks for it; it covers nothing."""

    map_pins: Path

    def cover_netns(self, cookie: int) -> None: ...
    def uncover_netns(self, cookie: int) -> None: ...


def remove(config: Config, objects: Path) -> None:
    """Take away what an instance put in force, whoever made it: governed processes are free. Raises HostError."""
    maps = PINS / config.instance / "maps"
    if config.container_interfaces and maps.is_dir():
        Interfaces(_Leftovers(maps), objects, config.container_interfaces).remove()
    Redirect(config.instance, config.port, config.container_interfaces, table=config.routing_table).remove()
    Hooks.remove_leftovers(config.instance)
