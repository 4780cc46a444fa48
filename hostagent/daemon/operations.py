"""What the control socket offers: each operation turns arguments into JSON by asking the service."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import hostagent
from hostagent.daemon.control import Operation
from hostagent.daemon.doctor import examine
from hostagent.daemon.metrics_text import text
from hostagent.daemon.supervisor import Keeper
from hostagent.errors import HostError
from hostagent.pki.constraints import PROBE_NAME

if TYPE_CHECKING:
    from hostagent.daemon.service import Service

Arguments = dict[str, Any]


def operations(service: Service) -> Mapping[str, Operation]:
    """The operations of one service, by name."""
    served = Operations(service)
    return {
        "status": Operation(served.status),
        "doctor": Operation(served.doctor),
        "metrics": Operation(served.metrics),
        "ca": Operation(served.ca),
        "ca.probe": Operation(served.ca_probe, changes=True),
        "policy.show": Operation(served.policy_show),
        "policy.reload": Operation(served.policy_reload, changes=True),
        "run.prepare": Operation(served.run_prepare, changes=True),
        "run.end": Operation(served.run_end, changes=True),
        "teardown": Operation(served.teardown, changes=True),
    }


class Operations:
    """The handlers. Each raises HostError, FileError or ValueError for what cannot be done."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def status(self, _: Arguments) -> Arguments:
        """Everything that `hostagent status` shows."""
        service, counts = self._service, self._service.counts
        workers = await service.pool.stats()
        return {
            "state": service.state,
            "version": hostagent.__version__,
            "instance": service.config.instance,
            "pid": os.getpid(),
            "uptime_seconds": time.time() - service.started,
            "policy": self._policy(),
            "governed": {
                "patterns": service.governing.patterns,
                "cgroups": sorted(service.governing.hooks.governed_cgroups().values()),
            },
            "workers": [_child(keeper) for keeper in service.pool.workers],
            "analyzers": [_child(keeper) for keeper in service.pool.analyzers],
            "flows": {
                "open": workers["flows"],
                "accepted": workers["accepted"],
                "attributed": counts.attributed,
                "unattributed": counts.unattributed,
            },
            "requests": {name: workers[name] for name in ("decisions", "misses", "unrecorded", "lost")},
            "counters": service.governing.hooks.counters(),
            "refused": dict(counts.refused),
            "swept": counts.swept,
            "drift": {"count": counts.drift, "last": counts.last_drift},
            "approvals": {
                "waiting": len(service.approvals.queue.waiting()),
                "grants": len(service.approvals.queue.grants(service.approvals.now())),
            },
            "recording_directory": str(service.config.recording_directory),
            "last_error": counts.last_error,
        }

    async def doctor(self, _: Arguments) -> Arguments:
        """The host's checks, the service's, then what real flows show."""
        return {"checks": [asdict(check) for check in await examine(self._service)]}

    async def metrics(self, _: Arguments) -> Arguments:
        """The metrics as text."""
        return {"text": text(await self._service.metrics.collect(), openmetrics=True)}

    async def ca(self, _: Arguments) -> Arguments:
        """The CA certificate, and the public key of the SSH CA."""
        ssh = self._service.ssh_authority.public_key
        return {"certificate": self._service.authority.certificate_pem, "ssh_public_key": ssh}

    async def ca_probe(self, _: Arguments) -> Arguments:
        """The CA certificate, and a leaf with its key for a name that never resolves: to ask runtimes with."""
        authority = self._service.authority
        leaf = authority.leaf((PROBE_NAME,))
        given = {"chain_pem": leaf.chain_pem, "key_pem": leaf.key_pem}
        if any(target.protocol == "ssh" for target in self._service.policies.current.targets):
            given["ssh_public_key"] = self._service.ssh_authority.public_key
        return {"certificate": authority.certificate_pem, "permitted": authority.permitted.names(), **given}

    async def policy_show(self, _: Arguments) -> Arguments:
        """The policy in force, merged."""
        return {**self._policy(), "policy": self._service.policies.current.to_json()}

    async def policy_reload(self, _: Arguments) -> Arguments:
        """Read the files again. Raises HostError when the old policy stays."""
        if not await self._service.reload():
            raise HostError(self._service.policies.error, "the policy in force is unchanged")
        return self._policy()

    async def run_prepare(self, args: Arguments) -> Arguments:
        """A governed cgroup for one command."""
        argv = [str(word) for word in args["argv"]]
        run = secrets.token_hex(4)
        path = self._service.places.make_run(run)
        self._service.events.tell("run", "a command starts governed", id=run, command=argv[0], cgroup=path)
        return {"id": run, "cgroup": path, "directory": str(self._service.places.directory(path))}

    async def run_end(self, args: Arguments) -> Arguments:
        """Remove the cgroup of a command; it stays while processes of it live on, and they stay governed."""
        return {"removed": self._service.places.end_run(str(args["id"]))}

    async def teardown(self, _: Arguments) -> Arguments:
        """Stop, and leave nothing behind."""
        self._service.tear_down()
        return {"stopping": True}

    def _policy(self) -> Arguments:
        policies = self._service.policies
        return {
            "version": policies.current.version,
            "directory": str(policies.directory),
            "rules": len(policies.current.rules),
            "loaded_at": policies.loaded_at,
            "error": policies.error,
        }


def _child(keeper: Keeper) -> dict[str, Any]:
    pid = keeper.child.pid if keeper.child else 0
    return {"name": keeper.name, "pid": pid, "restarts": keeper.restarts, "error": keeper.last_error}
