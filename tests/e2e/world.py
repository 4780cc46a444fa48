"""The world of the end-to-end tests: a host that runs the real daemon, a database behind it, real clients in it.

    host namespace: hostagentd, its redirect, clients ──── db namespace: PostgreSQL on 10.77.0.2… and fd77::2…

Each target of a policy is an address of its own of the one server, so that a connection says by where it goes which
target it means. Names are fixed: what a run that crashed left behind is found and removed by the next.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hostagent.kernel.cgroups import find_cgroup2_root
from hostagent.kernel.hooks import PINS, Hooks
from tests.lab import network
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.postgres import Postgres
from tests.netns.topology import DATABASE, inside, ip, wait_for

NAME = "hate2e"
CLIENTS = Path(__file__).parent / "clients"
ADDRESSES = range(2, 16)  # last numbers of the server's addresses, 10.77.0.N and fd77::N
PATIENCE = 5.0  # seconds that something which follows may take
DECISION = re.compile(r"finds it as decision (\S+?)\.?\s*$", re.MULTILINE)
SECRETS = {
    "app": "app-s3cret-9b1f",
    "md5er": "md5-s3cret-77aa",
    "plain": "plain-s3cret-c0de",
    "scram": "scram-s3cret-51e9",
}
SCHEMA = f"""\
CREATE USER trusting SUPERUSER;
SET password_encryption = 'scram-sha-256';
CREATE USER app SUPERUSER PASSWORD '{SECRETS["app"]}';
CREATE USER scram SUPERUSER PASSWORD '{SECRETS["scram"]}';
CREATE USER plain SUPERUSER PASSWORD '{SECRETS["plain"]}';
SET password_encryption = md5;
CREATE USER md5er SUPERUSER PASSWORD '{SECRETS["md5er"]}';
CREATE TABLE accounts (id int PRIMARY KEY, owner text);
INSERT INTO accounts VALUES (1, 'ada'), (2, 'bob');
CREATE TABLE scratch (id int, note text);
"""

T = TypeVar("T")
Done = subprocess.CompletedProcess[str]
Event = dict[str, Any]


class RealLab(network.Lab):
    """Namespaces whose database is the real one, with many addresses."""

    def make(self) -> None:
        """Make them."""
        super().make()
        for number in ADDRESSES[1:]:
            ip("-n", self.db, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            ip("-n", self.db, "address", "add", f"fd77::{number}/64", "dev", "eth0", "nodad")


class Steps:
    """One connection of a governed client; `pid` is the client's, `backend` the server's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        hello = self._read()
        self.pid, self.backend = hello["pid"], hello["backend"]

    def do(self, sql: str, prepare: bool | None = None) -> dict[str, Any]:
        """What became of a statement: rows, error (SQLSTATE or empty), text, hint, transaction."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"sql": sql, "prepare": prepare}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@dataclass
class World:
    """Everything a test needs."""

    lab: RealLab
    postgres: Postgres
    agent: Agent

    def governed(self, *argv: object, **options: Any) -> Done:
        """Run a command governed, in the host namespace."""
        return self.agent.run(*argv, **{"stdin": subprocess.DEVNULL, **options})

    def direct(self, *argv: object, **options: Any) -> Done:
        """Run the same command there, not governed."""
        given = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60, **options}
        return subprocess.run([*self.agent.enter(), *map(str, argv)], check=False, **given)

    def psql(self, dsn: str, *commands: str, run: Callable[..., Done] | None = None) -> Done:
        """psql with a script on its standard input, unaligned; governed unless `run` says otherwise."""
        script = "\n".join(commands) + "\n"
        return (run or self.governed)("psql", "-X", "-A", "-t", dsn, stdin=None, input=script)

    def python(self, client: str, *arguments: object, run: Callable[..., Done] | None = None) -> Done:
        """One of the programs in clients/; governed unless `run` says otherwise."""
        return (run or self.governed)(sys.executable, "-I", CLIENTS / client, *arguments)

    @contextlib.contextmanager
    def steps(self, dsn: str) -> Iterator[Steps]:
        """A governed client that does what it is told, statement by statement, on one connection."""
        command = [sys.executable, "-I", str(CLIENTS / "steps.py"), dsn]
        with subprocess.Popen(
            self.agent.command("run", "--", *command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Steps(process)
            finally:
                assert process.stdin is not None
                process.stdin.close()
                process.wait(20)

    def events(self) -> list[Event]:
        """All events, oldest first."""
        return self.agent.events()

    def decided(self, statement: str) -> list[Event]:
        """The decisions about exactly this text."""
        return [e for e in self.events() if e.get("query_info", {}).get("query_string") == statement]

    def finished(self, decision: str) -> Event:
        """How the request of that decision ended; waits for it."""

        def look() -> Event | None:
            found = (e for e in self.events() if e["metadata"]["event_code"] == "finished")
            return next((e for e in found if e["unmapped"]["decision"] == decision), None)

        return eventually(look)


def eventually(look: Callable[[], T | None]) -> T:
    """What `look` gives once it gives something. Raises AssertionError when that does not come in time."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if found := look():
            return found
        assert time.monotonic() < deadline, f"did not happen within {PATIENCE:g} s: {look}"
        time.sleep(0.05)


def target(name: str, number: int, tls: str = "verify-full", port: int = 5432, **more: Any) -> dict[str, Any]:
    """A target of a policy: the server's address of that last number. `{ca}` is filled in by `world`."""
    match = {"addresses": [f"10.77.0.{number}/32", f"fd77::{number}/128"], "ports": [port]}
    own = {} if tls == "off" else {"ca_file": "{ca}", "server_name": "orders.lab.test"}
    return {"name": name, "protocol": "postgres", "match": match, "tls": {"upstream": tls, **own}, **more}


@contextlib.contextmanager
def world(
    policy: dict[str, Any], server: Postgres | None = None, within: tuple[str, ...] = (), **settings: Any
) -> Iterator[World]:
    """The world, made under the kernel lock and gone afterwards; `settings` are those of `hostagent.yaml`.

    `server`: another than the distribution's with the usual settings; not started yet, wherever it says it is.
    `within`: what the daemon is started by (`Agent.within`).
    """
    with kernel_lock(), contextlib.ExitStack() as stack:
        remove_leftovers()
        lab = RealLab(NAME)
        stack.callback(lab.remove)
        lab.make()
        postgres = server or Postgres(("*",))
        postgres.netns = lab.db
        stack.callback(lambda: postgres.stop() if hasattr(postgres, "process") else None)
        postgres.start()
        postgres.sql(SCHEMA)
        with inside(lab.host):
            for family in DATABASE.values():
                wait_for(family)
        text = json.dumps({"version": 1, **policy}).replace("{ca}", str(postgres.ca_file))
        agent = Agent(NAME, text, (f"/{NAME}.slice",), netns=lab.host, settings=settings, within=within)
        stack.callback(lambda: agent.stop() if hasattr(agent, "process") and agent.directory.exists() else None)
        agent.start()
        yield World(lab, postgres, agent)


def remove_leftovers() -> None:
    """Remove what a run that was killed left. Safe under the kernel lock only: then nobody else uses our name."""
    for namespace in _namespaces():
        for pid in _inhabitants(namespace):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    for cgroup in _cgroups():
        _remove_cgroup(cgroup)
    Hooks.remove_leftovers(NAME)
    for namespace in _namespaces():
        subprocess.run(["ip", "netns", "del", namespace], check=True)
    for directory in Path(tempfile.gettempdir()).glob(f"{NAME}-*"):
        shutil.rmtree(directory)


def standing() -> list[str]:
    """What of ours is there, in words: nothing, outside a world."""
    mounted = [str(path) for path in (PINS / NAME, *_cgroups()) if path.exists()]
    return [*_namespaces(), *mounted, *_processes()]


def in_force(namespace: str) -> list[str]:
    """What of a redirect is in force in a network namespace: tables, rules and routes that a new one does not have."""
    enter = ["nsenter", f"--net=/run/netns/{namespace}"]
    found = []
    for command in (
        "nft list tables",
        "ip -4 rule",
        "ip -6 rule",
        "ip -4 route show table 177",
        "ip -6 route show table 177",
    ):
        done = subprocess.run([*enter, *command.split()], capture_output=True, text=True, check=False)
        found += [
            line for line in done.stdout.splitlines() if NAME in line or "fwmark" in line or "local default" in line
        ]
    return found


def _namespaces() -> list[str]:
    directory = Path("/run/netns")
    return sorted(path.name for path in directory.glob(f"{NAME}-*")) if directory.is_dir() else []


def _inhabitants(namespace: str) -> list[int]:
    done = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


def _cgroups() -> list[Path]:
    root = find_cgroup2_root()
    return [path for path in (root / f"hostagent-{NAME}", root / f"{NAME}.slice") if path.exists()]


def _remove_cgroup(top: Path) -> None:
    for directory, _, _ in os.walk(top, topdown=False):
        for pid in (Path(directory) / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

        def removed(path: Path = Path(directory)) -> bool:
            with contextlib.suppress(OSError):
                path.rmdir()
            return not path.exists()

        eventually(removed)


def _processes() -> list[str]:
    """Processes of the daemon of our name, and of what it started: their command lines name its directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if any(f"/{NAME}-".encode() in word for word in words) and int(path.parent.name) != os.getpid():
                found.append(b" ".join(words).decode(errors="replace"))
    return found
