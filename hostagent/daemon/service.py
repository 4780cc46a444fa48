"""The daemon as it runs: the order of a start, one tree of tasks, reload, drain.

    sockets bound → policy, CA, directories → hooks attached, redirect, sweep → children → canary → READY

Rules: nothing on the host is touched before everything that can be wrong in files was read; a start that fails on a
host where nothing stood before takes back what it did; anything else that fails leaves the rules standing, so that
governed processes are refused and not let through.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hostagent.daemon import log
from hostagent.daemon.approvals import Approvals
from hostagent.daemon.approver import approvals_operations
from hostagent.daemon.canary import Canary, Finding, destinations
from hostagent.daemon.checks import CannotStart
from hostagent.daemon.config import Config, group_id, user_ids
from hostagent.daemon.control import ApproversOperation, ControlServer, Operation
from hostagent.daemon.counts import Counts
from hostagent.daemon.governing import Governing
from hostagent.daemon.host_events import HostEvents
from hostagent.daemon.limits import Counting
from hostagent.daemon.logins import Logins
from hostagent.daemon.mask_keys import MaskKeys
from hostagent.daemon.metrics import Metrics
from hostagent.daemon.metrics_server import MetricsServer, listening
from hostagent.daemon.notify import Notifier
from hostagent.daemon.operations import operations
from hostagent.daemon.places import Places, make_directories
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.pool import Pool, Sockets, Spots
from hostagent.daemon.records import Records
from hostagent.daemon.socket_acl import admit_group
from hostagent.daemon.ssh_calls import SshCalls
from hostagent.daemon.ssh_first_use import FirstUse
from hostagent.daemon.target_names import TargetNames
from hostagent.daemon.webhook import join_webhook
from hostagent.daemon.worker_calls import WorkerCalls
from hostagent.daemon.workers import listen_unix
from hostagent.pki.authority import Authority
from hostagent.pki.ssh_authority import SshAuthority
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.recording.retention import HOST_WRITER
from hostagent.runtime.opening import CANARY_ANSWER
from hostagent.values.flow import FlowKey

READERS = "hostagent"  # the group that may read status and events
APPROVERS = "hostagent-approvers"  # the group that may answer requests


@dataclass(frozen=True, slots=True)
class Bound:
    """The sockets of the daemon, bound before anything else is done; `inherited`: the listeners by the manager."""

    listeners: tuple[socket.socket, ...]
    inherited: bool
    analyzer: socket.socket
    control: socket.socket
    metrics: tuple[socket.socket, ...]


class Service:
    """One running instance. Made from files and bound sockets; `run` puts it in force."""

    def __init__(self, config: Config, config_file: Path, places: Places, notifier: Notifier, objects: Path) -> None:
        """Reads what the configuration names and makes the directories. Raises FileError, HostError."""
        worker, analyzer = (user_ids(user, config_file) for user in (config.users.worker, config.users.analyzer))
        self._readers, self._approvers = group_id(READERS), group_id(APPROVERS)
        self.config = config
        self.places = places
        self.counts = Counts()
        self.policies = PolicyInForce(config.policy_directory)
        self.logins = Logins(self.policies, self.counts.failed)
        make_directories(config, worker, self._readers)
        self.authority = Authority.load_or_create(config.ca_certificate, config.ca_key, config.ca.permitted)
        self.ssh_authority = SshAuthority.load_or_create(config.ssh_ca_key)
        self._mask_keys = MaskKeys(config.state_directory / "mask.key")
        records = Directory(config.state_directory)
        journal = Journal(records.journal, HOST_WRITER)
        self.events = HostEvents(journal, self.counts)
        self._records = Records(records, journal, config.retention, self.counts)
        self._names = TargetNames(self.policies.hosts)
        self.approvals = Approvals(self.policies, self._tell_worker, self.events.insist)
        self.counting = Counting(self.policies, self._tell_worker, places.root)
        webhook = config.approvals.webhook
        self._webhook = [] if webhook is None else join_webhook(self.approvals, webhook, config_file)
        self.governing = Governing(config, places, objects, self.counts, self.events)
        self.metrics = Metrics(self)
        self.started = time.time()
        self.state = "starting"
        self._notifier = notifier
        self._worker, self._analyzer = worker, analyzer
        self._canary = Canary(places.directory(places.canary), CANARY_ANSWER.decode().strip())
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self.remove_at_stop = self.torn_down = False
        self.pool: Pool

    def bind(self, listeners: tuple[socket.socket, ...], inherited: bool) -> Bound:
        """Bind our unix sockets beside the transparent listeners. Raises OSError."""
        readers = 0 if self._readers is None else self._readers
        analyzer = listen_unix(self.config.analyzer_socket, 0o600, *self._worker)
        control = listen_unix(self.config.control_socket, 0o660, 0, readers)
        if self._approvers is not None:
            try:
                admit_group(self.config.control_socket, self._approvers)
            except OSError as error:
                what = f"{APPROVERS} need the group {READERS} too: no ACL on the control socket"
                log.warning("approvers_not_admitted", text=what, error=error.strerror)
        metrics = [listen_unix(self.config.metrics_socket, 0o660, 0, readers)]
        if self.config.metrics.listen is not None:
            metrics.append(listening(self.config.metrics.listen))
        return Bound(listeners, inherited, analyzer, control, tuple(metrics))

    def begin(self) -> None:
        """Put the kernel's part in force: governed processes reach a worker or nobody. Raises HostError."""
        self.places.make()
        self.places.enter()
        self.governing.begin()

    async def run(self, bound: Bound) -> None:
        """Start the children, serve until `stop()`, drain. Raises HostError (in a group) when it is not in force."""
        spots = Spots(
            workers=self.places.directory(self.places.workers),
            worker_owner=self._worker,
            analyzers=self.places.directory(self.places.analyzers),
            analyzer_owner=self._analyzer,
        )
        self.pool = Pool(Sockets(bound.listeners, bound.analyzer), spots, self._child_ended)
        calls = WorkerCalls(
            settings=self._settings,
            flows=self.governing.hooks,
            authority=self.authority,
            logins=self.logins,
            names=self._names,
            counts=self.counts,
            unattributed=self._unattributed,
            ready=self.pool.ready,
            approvals=self.approvals,
            counting=self.counting,
            ssh=SshCalls(self.ssh_authority, self.policies, self.logins, FirstUse(self.config.ssh_first_use)),
        )
        self._take_signals()
        async with asyncio.TaskGroup() as tasks:
            children = self.pool.fill(self.config.workers, self.config.analyzers, calls)
            running = [tasks.create_task(keeper.run()) for keeper in children]
            running += [tasks.create_task(work()) for work in self._work(bound)]
            await self.pool.all_ready()
            await self._require_canary()
            self._tell_ready(bound)
            await self._stop.wait()
            await self._end()
            for task in running:
                task.cancel()

    def stop(self) -> None:
        """Begin the end."""
        self._stop.set()

    def tear_down(self) -> None:
        """Begin an end that leaves nothing behind: governed processes are free then."""
        self.remove_at_stop = self.torn_down = True
        self._stop.set()

    async def reload(self) -> bool:
        """Read the policy again; whether one took force. Workers have it when this returns."""
        self._notifier.reloading()
        if taken := self.policies.reload():
            self.logins.reloaded()
            self.approvals.policy_changed()
            await self.pool.push_policy(self._policy())
            self.events.tell("policy", "a policy took force", version=self.policies.current.version)
        else:
            self.counts.failed(self.policies.error)
            self.events.tell("policy_refused", self.policies.error, in_force=self.policies.current.version)
        self._notifier.ready()
        return taken

    @property
    def checkpointed_at(self) -> float:
        """When the records were last signed, seconds since the epoch."""
        return self._records.checkpointed_at

    async def fly_canary(self, everything: bool = False) -> list[Finding]:
        """What the canary finds now, with all ways out or the usual ones. Raises HostError."""
        return await self._canary.fly(everything)

    def _work(self, bound: Bound) -> list[Any]:
        offered: dict[str, Operation | ApproversOperation] = {**operations(self)}
        offered |= approvals_operations(self.approvals)
        control = ControlServer(bound.control, offered, self._readers, self._approvers)
        return [
            control.run,
            self.governing.watch,
            self.governing.refusals,
            self.events.run,
            self._pulse,
            self._reloads,
            self._records.run,
            self._names.run,
            MetricsServer(bound.metrics, self.metrics.collect).run,
            self.logins.credentials.run,
            self.approvals.run,
            self.counting.run,
            *self._webhook,
        ]

    async def _require_canary(self) -> None:
        bad = [finding for finding in await self.fly_canary() if not finding.good]
        if bad:
            what = "; ".join(f"{finding.name}: {finding.evidence}" for finding in bad)
            raise CannotStart(os.EX_UNAVAILABLE, f"the canary was not governed: {what}", "see hostagent doctor")

    def _tell_ready(self, bound: Bound) -> None:
        self.state = "ready"
        if not bound.inherited:
            self._notifier.store("listener", [sock.fileno() for sock in bound.listeners])
        self._notifier.ready()
        self._notifier.status(
            f"policy {self.policies.current.version}, {len(self.governing.patterns)} patterns governed"
        )
        self.events.tell("ready", "governing", policy=self.policies.current.version, swept=self.counts.swept)
        self._records.checkpoint()

    async def _end(self) -> None:
        self.state = "draining"
        self._notifier.stopping()
        await self.pool.stop(self.config.drain_seconds)
        what = "all is removed" if self.remove_at_stop else "the rules stay: governed processes are refused"
        self.events.tell("stopped", what)

    async def _pulse(self) -> None:
        interval = self._notifier.watchdog_interval / 4 or 10.0  # one round may fail for a worker that is replaced
        while True:
            await asyncio.sleep(interval)
            if await self.pool.pulse():
                self._notifier.watchdog()

    async def _reloads(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            await self.reload()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)

    def _policy(self) -> dict[str, Any]:
        """What workers decide by."""
        policy = self.policies.current
        return {"policy": policy.to_json(), "mask_keys": self._mask_keys.of(policy)}

    def _settings(self) -> dict[str, Any]:
        return {
            "instance": self.config.instance,
            **self._policy(),
            "analyzer": str(self.config.analyzer_socket),
            "recording_directory": str(self.config.recording_directory),
            "max_session_bytes": self.config.recording.max_session_bytes,
            "canary": destinations(),
        }

    async def _tell_worker(self, worker: str, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        return await self.pool.tell(worker, operation, args)

    def _unattributed(self, key: FlowKey, reason: str) -> None:
        self.events.count("unattributed", reason, destination=key.destination)

    def _child_ended(self, name: str, status: int) -> None:
        self.counts.child_ends[name] += 1
        self.counts.failed(f"{name} ended with status {status}; it is being replaced")
        self.events.tell("child_ended", "its flows ended with it; it is being replaced", name=name, status=status)
