"""What the tests of attribution and failure add to the world: a governed and a free cgroup that a test puts processes
into itself, without asking the daemon, and clients that say how they fared.

The server tells the ways apart: the worker's upstream leg has TLS, a governed client asks for none. A row `t` came
through the worker, a row `f` would have come directly. At `STAND_IN` a server answers DIRECT to whoever reaches it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostagent.kernel.cgroups import find_cgroup2_root
from tests.e2e.world import NAME, World, target, world
from tests.lab.agent import Agent
from tests.lab.postgres import Postgres
from tests.netns.topology import DATABASE, HERE, Lab

STAND_IN = 7777
POLICY: dict[str, Any] = {
    "targets": [target("orders", 2)],
    "rules": [
        {
            "name": "work",
            "actors": "*",
            "targets": "*",
            "allow": {"kinds": ["read", "write", "session"], "relations": "*", "functions": "*"},
        },
        {"name": "no-ddl", "actors": "*", "targets": "*", "deny": {"kinds": "ddl"}, "reason": "no ddl here"},
    ],
}

# ADDRESS PORT COUNT: attempt until COUNT is reached or stdin ends; a line for each: `way t`, `way f`, or why not
CLIENT = r"""
import errno, socket, struct, sys, time
WAY = b"select ssl from pg_stat_ssl where pid = pg_backend_pid()"
address, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def read(sock, until):
    data = b""
    while True:
        while len(data) >= 5 and len(data) > (size := int.from_bytes(data[1:5], "big")):
            kind, body, data = data[:1], data[5 : size + 1], data[size + 1 :]
            yield kind, body
            if kind == until or kind == b"E":
                return
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionResetError(errno.ECONNRESET, "EOF")
        data += chunk
def attempt():
    with socket.create_connection((address, port), timeout=3) as sock:
        body = struct.pack(">I", 196608) + b"user\0trusting\0database\0postgres\0\0"
        sock.sendall(struct.pack(">I", len(body) + 4) + body)
        for kind, body in read(sock, b"Z"):
            if kind == b"E":
                return "refused " + body.split(b"\0C")[1].split(b"\0")[0].decode()
        sock.sendall(b"Q" + struct.pack(">I", len(WAY) + 5) + WAY + b"\0")
        said = "nothing"
        for kind, body in read(sock, b"Z"):
            if kind == b"E":
                return "refused " + body.split(b"\0C")[1].split(b"\0")[0].decode()
            if kind == b"D":
                said = "way " + body[6:].decode()
        return said
print("ready", flush=True)
for _ in range(count):
    try:
        said = attempt()
    except TimeoutError:
        said = "refused silence"
    except OSError as error:
        said = "refused " + errno.errorcode.get(error.errno, str(error.errno))
    print(said, flush=True)
    time.sleep(0.02)
"""

# ADDRESS PORT: what the stand-in says, or `refused …`
READER = r"""
import errno, socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1) as sock:
        print(sock.recv(256).decode().strip() or "refused EOF")
except TimeoutError:
    print("refused silence")
except OSError as error:
    print("refused", errno.errorcode.get(error.errno, error.errno))
"""


@dataclass
class Stage:
    """What the tests act on. `governed` and `free` are directories of cgroups."""

    world: World
    governed: Path
    free: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def lab(self) -> Lab:
        """The namespaces."""
        return self.world.lab

    @property
    def postgres(self) -> Postgres:
        """The server."""
        return self.world.postgres

    @property
    def agent(self) -> Agent:
        """The daemon."""
        return self.world.agent

    def spawn(self, cgroup: Path, *argv: object, netns: str | None = None, **options: Any) -> subprocess.Popen[str]:
        """Start a command in a cgroup, in the host's network namespace or another one."""
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{netns or self.lab.host}", *map(str, argv)],
            preexec_fn=lambda: enter(cgroup),
            **{**settings, **options},
        )
        self.started.append(process)
        return process

    def said(self, cgroup: Path, *argv: object, seconds: float = 30, **options: Any) -> str:
        """What a command printed, standard error included."""
        process = self.spawn(cgroup, *argv, stderr=subprocess.STDOUT, **options)
        try:
            return process.communicate(timeout=seconds)[0].strip()
        except subprocess.TimeoutExpired:
            process.kill()
            return "STUCK " + process.communicate()[0].strip()

    def way(self, cgroup: Path, family: int = 4) -> str:
        """`way t` for a session through the worker, `way f` for a direct one, `refused …` for none."""
        return self.said(cgroup, sys.executable, "-I", "-c", CLIENT, DATABASE[family], 5432, 1).removeprefix("ready\n")

    def stand_in(self, cgroup: Path, family: int = 4) -> str:
        """`DIRECT` or `refused …`."""
        return self.said(cgroup, sys.executable, "-I", "-c", READER, DATABASE[family], STAND_IN)

    def attempts(self, cgroup: Path, count: int = 10_000) -> subprocess.Popen[str]:
        """Begin one attempt after another; a line for each."""
        process = self.spawn(cgroup, sys.executable, "-I", "-c", CLIENT, DATABASE[4], 5432, count)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    def psql(self, *sql: str, cgroup: Path | None = None, **options: Any) -> str:
        """What a governed psql prints, errors included; its session goes on after an error."""
        return self.said(cgroup or self.governed, *psql_command(), *commands(sql), **options)

    def session(self, cgroup: Path | None = None) -> Session:
        """A governed psql that waits for statements."""
        process = self.spawn(
            cgroup or self.governed, *psql_command(), stdin=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1
        )
        return Session(process)

    def status(self) -> dict[str, Any]:
        """What `hostagent status` says."""
        found: dict[str, Any] = json.loads(self.agent.hostagent("status", "-o", "json"))
        return found

    def events(self, *codes: str) -> list[dict[str, Any]]:
        """All events, oldest first; with `codes` only those."""
        return [e for e in self.world.events() if not codes or e["metadata"]["event_code"] in codes]

    def child(self, kind: str) -> int:
        """The pid of the first `workers` or `analyzers` child; waits until there is one."""
        return int(until(lambda: self.status()[kind][0]["pid"]))

    def end_clients(self) -> None:
        """Kill what is left of them."""
        for process in self.started:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    with contextlib.suppress(BrokenPipeError):  # what was written to it and not read
                        stream.close()
        self.started.clear()


@dataclass
class Session:
    """An interactive psql."""

    process: subprocess.Popen[str]
    asked: int = 0

    def ask(self, sql: str) -> str:
        """Send a statement, and read what comes until it is done; `(gone)` ends it when psql has ended."""
        self.send(sql)
        return self.answer()

    def send(self, sql: str) -> None:
        """Send a statement."""
        assert self.process.stdin is not None
        self.asked += 1
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{sql};\n\\echo done {self.asked}\n")
            self.process.stdin.flush()

    def answer(self) -> str:
        """What psql says until it is done with what was sent last."""
        assert self.process.stdout is not None
        lines = []
        while (line := self.process.stdout.readline()) != f"done {self.asked}\n":
            if not line:
                return "\n".join([*lines, "(gone)"])
            lines.append(line.rstrip("\n"))
        return "\n".join(lines)


@contextlib.contextmanager
def staged(*cgroups: str, policy: dict[str, Any] = POLICY, **settings: Any) -> Iterator[Stage]:
    """A stage with everything in force; `cgroups` are further patterns that are governed."""
    root = find_cgroup2_root()
    governed, free = root / f"{NAME}.slice" / "agents", root / f"{NAME}free.slice"
    remove_tree(free)
    with world(policy, **{"govern": {"cgroups": [f"/{NAME}.slice", *cgroups]}, **settings}) as made:
        stage = Stage(made, governed, free)
        script = str(HERE / "direct_server.py")
        made.lab.start("ip", "netns", "exec", made.lab.db, sys.executable, "-I", script, str(STAND_IN))
        for directory in (governed, free):
            directory.mkdir(parents=True)
        try:
            yield stage
        finally:
            stage.end_clients()
            for directory in (governed.parent, free):
                remove_tree(directory)


@contextlib.contextmanager
def scratch(mode: int = 0o755) -> Iterator[Path]:
    """A directory that others may look into; pytest's are for root alone."""
    with tempfile.TemporaryDirectory(prefix="hostagent-test-") as name:
        Path(name).chmod(mode)
        yield Path(name)


def psql_command() -> list[str]:
    """psql of the lab: no start-up file, no password, TLS not asked for."""
    options = "dbname=postgres user=trusting sslmode=disable connect_timeout=30"
    return ["psql", "-X", "-A", "-t", "-q", f"host={DATABASE[4]} {options}"]


def commands(sql: Sequence[str]) -> list[str]:
    """`-c` for each statement."""
    return [word for text in sql for word in ("-c", text)]


def until(look: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What `look` gives, once it is something; it may raise RuntimeError meanwhile. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(RuntimeError):
            if found := look():
                return found
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def enter(cgroup: Path) -> None:
    """Put this process into a cgroup."""
    (cgroup / "cgroup.procs").write_text("0")


def remove_tree(top: Path) -> None:
    """Remove a tree of cgroups, with what lives in it."""
    directories = [Path(found) for found, _, _ in os.walk(top, topdown=False)]
    for directory in directories:
        for pid in (directory / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for directory in directories:
        until(lambda directory=directory: removed(directory), 5)


def removed(directory: Path) -> bool:
    """Remove a cgroup; False while something lives in it."""
    with contextlib.suppress(OSError):
        directory.rmdir()
    return not directory.exists()
