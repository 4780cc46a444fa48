"""The world of the SSH tests: the namespaces and daemon of `world`, with an sshd where the database is there."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.world import NAME, Done, Event, RealLab, eventually, remove_leftovers
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.sshd import Sshd

BOB = 4711  # a human's uid
QUIET = ("-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")


@dataclass
class SshWorld:
    """Everything a test needs."""

    lab: RealLab
    sshd: Sshd
    agent: Agent
    known_hosts: Path

    def options(self, *more: str) -> list[str]:
        """What takes the place of files of ours that clients read: nothing else is configured."""
        own = [word for option in more for word in ("-o", option)]  # the first value counts
        return [*own, *QUIET, "-o", f"GlobalKnownHostsFile={self.known_hosts}"]

    def ssh(self, number: int, *words: object, user: str = "root", options: tuple[str, ...] = (), **more: Any) -> Done:
        """`ssh USER@10.77.0.NUMBER WORDS…`, governed."""
        return self.governed("ssh", *self.options(*options), f"{user}@10.77.0.{number}", *words, **more)

    def governed(self, *argv: object, **more: Any) -> Done:
        """Run a command governed, in the host namespace."""
        given = more if "input" in more else {"stdin": subprocess.DEVNULL, **more}
        return self.agent.run(*argv, **given)

    @contextlib.contextmanager
    def shared(self) -> Iterator[tuple[str, ...]]:
        """Options with which one connection serves several clients."""
        with tempfile.TemporaryDirectory(prefix="hostagent-ssh-") as directory:
            socket = f"ControlPath={directory}/%C"
            try:
                yield ("ControlMaster=auto", "ControlPersist=60", socket)
            finally:
                for file in Path(directory).iterdir():
                    command = ["ssh", "-o", f"ControlPath={file}", "-O", "exit", "anywhere"]
                    subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)

    @contextlib.contextmanager
    def running(self, *argv: object, **more: Any) -> Iterator[subprocess.Popen[str]]:
        """A governed command that runs meanwhile."""
        command = self.agent.command("run", "--", *argv)
        given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **more}
        with subprocess.Popen(command, **given) as process:
            try:
                yield process
            finally:
                process.kill()

    def events(self, code: str = "") -> list[Event]:
        """The events, oldest first; those of a code."""
        return [e for e in self.agent.events() if not code or e["metadata"]["event_code"] == code]

    def decided(self, text: str) -> list[Event]:
        """The decisions about exactly this text."""
        return [e for e in self.events("decided") if e.get("message") == text]

    def finished(self, decision: str) -> Event:
        """How what that decision let through has ended; waits for it."""
        return eventually(
            lambda: next((e for e in self.events("finished") if e["unmapped"]["decision"] == decision), None)
        )


def approvals(here: SshWorld, *args: str) -> None:
    """`hostagent approvals …` of root, as a human who logged in."""
    command = [str(Path(sys.executable).parent / "hostagent"), "--socket", str(here.agent.control), "approvals", *args]
    shell = f'echo {BOB} > /proc/self/loginuid; exec "$@"'
    subprocess.run(
        ["sh", "-c", shell, "sh", *command], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=30
    )


def target(name: str, number: int, credential: str = "key", port: int = 22, **more: Any) -> dict[str, Any]:
    """A target: the server's address of that last number. `{…}` in texts are filled in by `ssh_world`."""
    match = {"addresses": [f"10.77.0.{number}/32", f"fd77::{number}/128"], "ports": [port]}
    given = {"host_keys": {"pinned": "{fingerprint}"}, **more}
    return {"name": name, "protocol": "ssh", "match": match, "credential": credential, **given}


CREDENTIALS = [
    {"name": "key", "file": "{directory}/user_key", "ssh": {"kind": "key"}},
    {"name": "rsa", "file": "{directory}/rsa_key", "ssh": {"kind": "key"}},
    {"name": "certificate", "file": "{directory}/user_ca", "ssh": {"kind": "certificate_authority"}},
    {"name": "fixed", "user": "postgres", "file": "{directory}/user_key", "ssh": {"kind": "key"}},
]


@contextlib.contextmanager
def ssh_world(policy: dict[str, Any], sshd: Sshd | None = None, **settings: Any) -> Iterator[SshWorld]:
    """The world, made under the kernel lock and gone afterwards."""
    with kernel_lock(), contextlib.ExitStack() as stack:
        remove_leftovers()
        lab = RealLab(NAME)
        stack.callback(lab.remove)
        lab.make()
        server = (sshd or Sshd()).prepare()
        stack.callback(server.stop)
        server.netns = lab.db
        server.start()
        text = json.dumps({"version": 1, "credentials": CREDENTIALS, **policy})
        facts = {name: getattr(server, name) for name in ("directory", "fingerprint", "host_ca", "host_key")}
        for name, value in facts.items():
            text = text.replace(f"{{{name}}}", str(value))
        agent = Agent(NAME, text, (f"/{NAME}.slice",), netns=lab.host, settings=settings)
        stack.callback(lambda: agent.stop() if hasattr(agent, "process") and agent.directory.exists() else None)
        agent.start()
        files = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hostagent-ssh-")))
        files.chmod(0o755)
        agent.hostagent("ca", "install", "--ssh-known-hosts", files / "known_hosts")
        yield SshWorld(lab, server, agent, files / "known_hosts")
