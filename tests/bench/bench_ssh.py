"""SSH: hostagent beside a direct connection.

    direct       client ── veth ── sshd                 with the client's first cipher, and with the one that we choose
    hostagent    client ── redirect to loopback ── worker ── veth ── sshd      (the client dials sshd's address)

Each round has all ways side by side; every command that is timed is started once for many units, so that what starting
it takes is in none of them. CPU is user and system time of all of the proxy's processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import TICK_US, proxy_ticks
from tests.bench.stage import NAME
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.network import Lab
from tests.lab.sshd import Sshd
from tests.netns.topology import DATABASE

Row = dict[str, Any]

CONNECTIONS, ROUND_TRIPS, MEGABYTES = 15, 200, 256
QUIET = "-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
_CONNECT = f'n=0; while [ $n -lt {CONNECTIONS} ]; do "$@" true || exit 1; n=$((n + 1)); done'
_ROUND_TRIPS = """
import asyncio, asyncssh, sys, time
async def main():
    host, port, key, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    given = {"username": "root", "known_hosts": None, "config": None, "client_keys": [key], "agent_path": None}
    async with asyncssh.connect(host, port, **given) as connection:
        await connection.run("true")
        started = time.monotonic()
        for _ in range(count):
            assert (await connection.run("true")).exit_status == 0
        print(time.monotonic() - started)
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way: `command` is put before a client's own; `pids` are the proxy's processes."""

    name: str
    command: tuple[str, ...]
    address: str
    port: int
    pids: tuple[int, ...] = ()
    options: tuple[str, ...] = ()


def rows(rounds: int) -> Iterator[Row]:
    """What was measured, run by run."""
    with _standing() as (ways, key, files):
        for number in range(rounds):
            first = number % len(ways)
            for measure in (_connections, _round_trips, _upload, _download):
                for way in ways[first:] + ways[:first]:
                    yield {"kind": "ssh", "round": number, "way": way.name, **measure(way, key, files)}


def _connections(way: Way, key: Path, files: Path) -> Row:
    ssh = ["ssh", *_options(way, key), f"root@{way.address}"]
    empty = _run(way, "sh", "-c", _CONNECT, "sh", "/bin/true")[0]
    took, cpu, _ = _run(way, "sh", "-c", _CONNECT, "sh", *ssh)
    milliseconds = (took - empty) * 1000 / CONNECTIONS
    return {"what": "connection and one command, ms", "value": milliseconds, "cpu_ms": cpu / CONNECTIONS}


def _round_trips(way: Way, key: Path, files: Path) -> Row:
    arguments = [way.address, str(way.port), str(key), str(ROUND_TRIPS)]
    _, cpu, output = _run(way, sys.executable, "-I", "-c", _ROUND_TRIPS, *arguments)
    return {
        "what": "commands a second, one connection",
        "value": ROUND_TRIPS / float(output),
        "cpu_ms": cpu / ROUND_TRIPS,
    }


def _upload(way: Way, key: Path, files: Path) -> Row:
    return _copied(way, key, "sftp up, MB/s", str(files / "big"), f"root@{way.address}:{files}/up")


def _download(way: Way, key: Path, files: Path) -> Row:
    return _copied(way, key, "sftp down, MB/s", f"root@{way.address}:{files}/big", str(files / "down"))


def _copied(way: Way, key: Path, what: str, source: str, to: str) -> Row:
    empty = _run(way, "true")[0]
    scp = ["scp", *_options(way, key, "-P"), source, to]
    took, cpu, _ = _run(way, *scp)
    size = MEGABYTES * (1 << 20) / 1e6
    return {"what": what, "value": size / (took - empty), "cpu_ms": cpu / size}


def _options(way: Way, key: Path, port: str = "-p") -> list[str]:
    return [*QUIET.split(), *way.options, "-i", str(key), port, str(way.port)]


def _run(way: Way, *argv: str) -> tuple[float, float, str]:
    """Seconds, ms of the proxy's CPU, and what it printed. Raises RuntimeError when it failed."""
    before, started = sum(proxy_ticks(way.pids)), time.monotonic()
    done = subprocess.run(
        [*way.command, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    took, ticks = time.monotonic() - started, sum(proxy_ticks(way.pids)) - before
    if done.returncode:
        raise RuntimeError(f"{argv[0]} through {way.name}: {done.returncode}\n{done.stdout}{done.stderr}")
    return took, ticks * TICK_US / 1000, done.stdout


@contextlib.contextmanager
def _standing() -> Iterator[tuple[list[Way], Path, Path]]:
    """The ways, the user's key, and a directory in memory with the file that is moved."""
    with kernel_lock(), contextlib.ExitStack() as stack:
        files = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir="/dev/shm")))
        block = os.urandom(1 << 20)
        (files / "big").write_bytes(block * MEGABYTES)
        lab = Lab(NAME)
        stack.callback(lab.remove)
        lab.make()
        server = Sshd(netns=lab.db).prepare()
        stack.callback(server.stop)
        server.start()
        enter = ("nsenter", f"--net=/run/netns/{lab.host}")
        same = Way("direct, AES-GCM", enter, DATABASE[4], 22, options=("-c", "aes128-gcm@openssh.com"))
        ways = [Way("direct", enter, DATABASE[4], 22), same, stack.enter_context(_hostagent(lab, server))]
        yield ways, server.user_key_file, files


@contextlib.contextmanager
def _hostagent(lab: Lab, server: Sshd) -> Iterator[Way]:
    policy = _POLICY.format(address=DATABASE[4], fingerprint=server.fingerprint, key=server.user_key_file)
    agent = Agent(NAME, policy, (f"/{NAME}.slice",), netns=lab.host, settings={"workers": 1})
    try:
        agent.start()
        status = json.loads(agent.hostagent("status", "-o", "json"))
        pids = (status["pid"], *(child["pid"] for child in (*status["workers"], *status["analyzers"])))
        yield Way("hostagent", tuple(agent.command("run", "--")), DATABASE[4], 22, pids)
    finally:
        if hasattr(agent, "process"):
            agent.stop()


_POLICY = """\
version: 1
targets:
  - name: bench
    protocol: ssh
    match: {{addresses: [{address}/32], ports: [22]}}
    host_keys: {{pinned: "{fingerprint}"}}
    credential: key
credentials:
  - {{name: key, user: root, file: {key}, ssh: {{kind: key}}}}
rules:
  - name: use
    actors: "*"
    targets: [bench]
    allow: {{kinds: [exec, file_read, file_write], commands: ["true"], paths: ["/dev/shm/**"]}}
"""
