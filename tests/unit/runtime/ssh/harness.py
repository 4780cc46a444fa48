"""A worker in this process, on a loopback port, before a real sshd: all but the kernel and the supervisor's process.

Whoever connects is one actor; whatever port it means, its flow goes to the sshd. The supervisor's SSH calls are the
real ones, over a real channel.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from hostagent.credentials.store import Credentials
from hostagent.daemon.ssh_calls import SshCalls
from hostagent.daemon.ssh_first_use import FirstUse
from hostagent.errors import HostError
from hostagent.pki import ssh_known_hosts
from hostagent.pki.ssh_authority import SshAuthority
from hostagent.policy.load import load_policy
from hostagent.policy.login import CredentialEntry
from hostagent.policy.targets import TargetEntry
from hostagent.recording.directory import Directory
from hostagent.runtime.channel import Channel
from hostagent.runtime.leg import Leg
from hostagent.runtime.way import TCP, Attributed
from hostagent.runtime.worker import Worker
from hostagent.upstream.connect import connect
from hostagent.values.actor import Actor, Process
from hostagent.values.flow import Endpoint, FlowId, FlowKey
from tests.lab.sshd import Sshd

ACTOR = Actor(Process(1, 1, "/usr/bin/ssh", ("ssh",), "ssh", 0), (), 0, "root", 0, "root", None, "", "/lab.slice")
QUIET = ("-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


class Loopback:
    """The way of every flow: from a fixed actor to the sshd."""

    def __init__(self, destination: Endpoint, server: Endpoint) -> None:
        self._destination = destination
        self._server = server

    async def attributed(self, worker: Worker, flow_id: FlowId, transport: asyncio.Transport) -> Attributed:
        key = FlowKey(Endpoint("127.0.0.1", 1), self._destination)
        return Attributed(key, self._destination, ACTOR, frozenset())

    async def first_bytes(self, leg: Leg) -> bytes:
        return await TCP.first_bytes(leg)

    async def connect(self, destination: Endpoint, leg: Leg) -> None:
        await connect(self._server, lambda: leg.protocol)


class LoopbackWorker(Worker):
    """Takes connections to loopback."""

    way: Loopback

    def _accept(self) -> asyncio.BaseProtocol:
        return self.new_flow(self.way).client.protocol


class Policies:
    """The policy in force."""

    def __init__(self, directory: Path) -> None:
        self.current = load_policy(directory)

    def target(self, name: str) -> TargetEntry:
        return next(entry for entry in self.current.targets if entry.name == name)

    def credential(self, name: str) -> CredentialEntry:
        return next(entry for entry in self.current.credentials if entry.name == name)


class Logins:
    """Secrets, straight from their sources."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._credentials = Credentials(lambda _entry, _error: None)

    async def secret(self, credential: str) -> Any:
        return await self._credentials.get(self._policies.credential(credential))

    def unusable(self, credential: str, error: Exception) -> HostError:
        return HostError("the credential of this target cannot be used")


@dataclass
class Harness:
    """A running worker."""

    port: int
    known_hosts: Path
    records: Directory
    worker: LoopbackWorker
    calls: dict[str, Any]
    asked: asyncio.Queue[dict[str, Any]]  # what humans are asked, and what is withdrawn
    channel: Channel

    async def answer(self, held: str, state: str) -> None:
        """A human's answer."""
        await self.channel.call("approval.answered", {"id": held, "state": state, "by": "ada", "reason": ""})

    def command(self, *words: object, options: tuple[str, ...] = (), user: str = "root") -> list[str]:
        """`ssh USER@127.0.0.1 WORDS…`."""
        own = [word for option in options for word in ("-o", option)]  # the first value counts
        given = [*QUIET, "-o", f"GlobalKnownHostsFile={self.known_hosts}", "-p", str(self.port)]
        return ["ssh", *own, *given, f"{user}@127.0.0.1", *map(str, words)]

    async def ssh(self, *words: object, stdin: bytes = b"", **more: Any) -> tuple[int, bytes, bytes]:
        """Its exit status, output and errors."""
        return await run(*self.command(*words, **more), stdin=stdin)

    def events(self, code: str = "") -> list[dict[str, Any]]:
        """The events so far."""
        self.worker.gate.flush()
        found = []
        for file in self.records.journal.glob("*"):
            found += [json.loads(line) for line in file.read_bytes().splitlines() if line.startswith(b"{")]
        events = [event for event in found if "metadata" in event]
        return [event for event in events if not code or event["metadata"]["event_code"] == code]


def play(
    sshd: Sshd, directory: Path, scene: Callable[[Harness], Awaitable[None]], given: dict[str, Any] | None = None
) -> None:
    """Run a scene before a worker with that policy, the usual one when none is given."""

    async def main() -> None:
        async with harness(given or policy(), sshd, directory) as h:
            await scene(h)

    uvloop.run(main())


async def run(*command: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """A command's exit status, output and errors."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(30):
        output, errors = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, output, errors


@contextlib.asynccontextmanager
async def harness(policy: dict[str, Any], sshd: Sshd, directory: Path) -> AsyncIterator[Harness]:
    """A worker that decides by this policy; `{name}` in it are the sshd's attributes."""
    text = json.dumps({"version": 1, **policy})
    for name in ("directory", "fingerprint", "host_ca", "host_key"):
        text = text.replace(f"{{{name}}}", str(getattr(sshd, name)))
    (directory / "policies").mkdir()
    (directory / "policies" / "policy.yaml").write_text(text)
    policies = Policies(directory / "policies")
    authority = SshAuthority.load_or_create(directory / "ssh_ca.key")
    ssh_known_hosts.install(directory / "known_hosts", "lab", authority.public_key)
    records = Directory(directory / "state")
    for path in (records.journal, records.sessions):
        path.mkdir(parents=True)
    listener = socket.create_server(("127.0.0.1", 0))
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs, listener):
        sock.setblocking(False)
    worker = LoopbackWorker(theirs, [listener], 0)
    port = listener.getsockname()[1]
    worker.way = Loopback(Endpoint("127.0.0.1", 22), Endpoint("127.0.0.1", sshd.ports[0]))
    calls: Any = SshCalls(authority, policies, Logins(policies), FirstUse(directory / "first_use"))  # type: ignore[arg-type]
    ready = asyncio.Event()

    async def hello(_: Any) -> Any:
        given = {"policy": policies.current.to_json(), "mask_keys": {}, "analyzer": "", "canary": []}
        return given | {"recording_directory": str(records.journal.parent), "max_session_bytes": 1 << 30}

    async def is_ready(_: Any) -> Any:
        ready.set()
        return {}

    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def ask(held: Any) -> Any:
        asked.put_nowait(held)
        return {"state": "waiting", "seconds": 60, "minimum": 1}

    async def withdraw(held: Any) -> Any:
        asked.put_nowait({"withdrawn": held["id"]})
        return {}

    handlers = {"hello": hello, "ready": is_ready, **calls.handlers()}
    handlers |= {"approval.ask": ask, "approval.withdraw": withdraw, "approval.flow_ended": withdraw}
    channel = Channel(ours, handlers)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(channel.run())
        working = tasks.create_task(worker.run())
        await ready.wait()
        try:
            yield Harness(port, directory / "known_hosts", records, worker, handlers, asked, channel)
        finally:
            await channel.call("drain", {"seconds": 0})
            await working
            serving.cancel()


COMMANDS = [
    "echo **",
    "cat **",
    "id **",
    "false",
    "true",
    "head **",
    "sleep **",
    "seq **",
    "kill **",
    "env",
    "sha256sum **",
]


def policy(allow: dict[str, Any] | None = None, *rules: dict[str, Any], **target: Any) -> dict[str, Any]:
    """A policy with one target; `allow` are the conditions of its first rule."""
    usual = {"kinds": ["exec", "interactive"], "commands": COMMANDS, "logins": ["root", "postgres"]}
    credentials = [
        {"name": "key", "file": "{directory}/user_key", "ssh": {"kind": "key"}},
        {"name": "rsa", "file": "{directory}/rsa_key", "ssh": {"kind": "key"}},
        {"name": "ca", "file": "{directory}/user_ca", "ssh": {"kind": "certificate_authority"}},
        {"name": "fixed", "user": "postgres", "file": "{directory}/user_key", "ssh": {"kind": "key"}},
        {"name": "wrong", "file": "{directory}/host_ca", "ssh": {"kind": "key"}},
    ]
    entry = {"name": "lab", "protocol": "ssh", "match": {"addresses": "127.0.0.1", "ports": 22}, "credential": "key"}
    work = {"name": "work", "actors": "*", "targets": "*", "allow": allow or usual}
    return {
        "credentials": credentials,
        "targets": [{**entry, "host_keys": {"pinned": "{fingerprint}"}, **target}],
        "rules": [work, *rules],
    }
