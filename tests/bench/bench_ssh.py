"""SSH: hostagent beside a direct connection, haproxy and a jump host.

    direct       client ── veth ── sshd                 with the client's first cipher, and with the one that we choose
    haproxy      client ── loopback ── haproxy ── veth ── sshd                 passes bytes: the floor of any proxy
    jump host    client ── loopback ── sshd ── veth ── sshd                    `ssh -J`: the client encrypts twice, the
                                                                               jump host decrypts once and sees nothing
    hostagent    client ── redirect to loopback ── worker ── veth ── sshd      (the client dials sshd's address)

Each round has all ways side by side; every command that is timed is started once for many units, so that what starting
it takes is in none of them. CPU is user and system time of all of the proxy's processes, those that ended too. What the
worker's memory grew by is its peak less what it had before.
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

from tests.bench.load import TICK_US
from tests.bench.stage import NAME
from tests.bench.ways import haproxy_to
from tests.lab.agent import Agent
from tests.lab.lock import kernel_lock
from tests.lab.network import Lab
from tests.lab.sshd import Sshd
from tests.netns.topology import DATABASE

Row = dict[str, Any]

CONNECTIONS, ROUND_TRIPS, MEGABYTES = 15, 200, 256
OURS, OURS_MEGABYTES = "hostagent", 1024  # of a command's streams, so that memory that grows would be seen
JUMP_PORT = 2222
QUIET = "-F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
_CONNECT = f'n=0; while [ $n -lt {CONNECTIONS} ]; do "$@" true || exit 1; n=$((n + 1)); done'
_ROUND_TRIPS = """
import asyncio, asyncssh, sys, time
async def main():
    host, port, key, count, *jump = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), *sys.argv[5:]
    given = {"username": "root", "known_hosts": None, "config": None, "client_keys": [key], "agent_path": None}
    tunnel = await asyncssh.connect(jump[0], int(jump[1]), **given) if jump else None
    async with asyncssh.connect(host, port, tunnel=tunnel or (), **given) as connection:
        await connection.run("true")
        started = time.monotonic()
        for _ in range(count):
            assert (await connection.run("true")).exit_status == 0
        print(time.monotonic() - started)
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Way:
    """One way: `command` is put before a client's own; `pids` are the proxy's processes, `worker` the one that carries
    bytes; `jump` is what is connected to first."""

    name: str
    command: tuple[str, ...]
    address: str
    port: int
    pids: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    worker: int = 0
    jump: tuple[str, ...] = ()


def rows(rounds: int) -> Iterator[Row]:
    """What was measured, run by run."""
    with _standing() as (ways, key, files):
        for number in range(rounds):
            first = number % len(ways)
            for measure in (_connections, _round_trips, _upload, _download, _input, _output):
                for way in ways[first:] + ways[:first]:
                    yield {"kind": "ssh", "round": number, "way": way.name, **measure(way, key, files)}


def _connections(way: Way, key: Path, files: Path) -> Row:
    ssh = ["ssh", *_options(way, key), f"root@{way.address}"]
    empty = _run(way, "sh", "-c", _CONNECT, "sh", "/bin/true")[0]
    took, cpu, _ = _run(way, "sh", "-c", _CONNECT, "sh", *ssh)
    milliseconds = (took - empty) * 1000 / CONNECTIONS
    return {"what": "connection and one command, ms", "value": milliseconds, "cpu_ms": cpu / CONNECTIONS}


def _round_trips(way: Way, key: Path, files: Path) -> Row:
    arguments = [way.address, str(way.port), str(key), str(ROUND_TRIPS), *way.jump]
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


def _input(way: Way, key: Path, files: Path) -> Row:
    return _streamed(way, key, "command's input, MB/s", 'head -c "$0" /dev/zero | "$@" "cat > /dev/null"')


def _output(way: Way, key: Path, files: Path) -> Row:
    return _streamed(way, key, "command's output, MB/s", '"$@" "head -c $0 /dev/zero" > /dev/null')


def _streamed(way: Way, key: Path, what: str, shell: str) -> Row:
    megabytes = OURS_MEGABYTES if way.worker else MEGABYTES
    before = _resident(way.worker, "VmRSS") if way.worker else 0.0
    if way.worker:
        Path(f"/proc/{way.worker}/clear_refs").write_text("5")  # the peak is now's
    ssh = ["ssh", *_options(way, key), f"root@{way.address}"]
    took, cpu, _ = _run(way, "sh", "-c", shell, str(megabytes << 20), *ssh)
    size = (megabytes << 20) / 1e6
    grown = {"grown_mb": _resident(way.worker, "VmHWM") - before, "moved_mb": size} if way.worker else {}
    return {"what": what, "value": size / took, "cpu_ms": cpu / size, **grown}


def _resident(pid: int, field: str) -> float:
    """MB: VmRSS, or VmHWM since the peak was reset."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{field}:"))


def _gone(way: Way) -> None:
    """Return when a jump host's processes for connections have ended: their time is then their parent's."""
    for pid in way.pids if way.jump else ():
        children = Path(f"/proc/{pid}/task/{pid}/children")
        deadline = time.monotonic() + 5
        while children.read_text() and time.monotonic() < deadline:
            time.sleep(0.02)


def _ticks(pids: tuple[int, ...]) -> int:
    """Clock ticks that these and their ended children have used (proc(5), fields 14 to 17 of stat)."""
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(ticks) for fields in stats for ticks in fields[11:15])


def _options(way: Way, key: Path, port: str = "-p") -> list[str]:
    return [*QUIET.split(), *way.options, "-i", str(key), port, str(way.port)]


def _run(way: Way, *argv: str) -> tuple[float, float, str]:
    """Seconds, ms of the proxy's CPU, and what it printed. Raises RuntimeError when it failed."""
    before, started = _ticks(way.pids), time.monotonic()
    done = subprocess.run(
        [*way.command, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    took = time.monotonic() - started
    _gone(way)
    ticks = _ticks(way.pids) - before
    if done.returncode:
        raise RuntimeError(f"{argv[0]} through {way.name}: {done.returncode}\n{done.stdout}{done.stderr}")
    return took, ticks * TICK_US / 1000, done.stdout


@contextlib.contextmanager
def _standing() -> Iterator[tuple[list[Way], Path, Path]]:
    """The ways, the user's key, and a directory in memory with the file that is moved."""
    with kernel_lock(), contextlib.ExitStack() as stack:
        files = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{NAME}-", dir="/dev/shm")))
        block = os.urandom(1 << 20)
        files.chmod(0o755)  # haproxy reads its configuration there
        (files / "big").write_bytes(block * MEGABYTES)
        lab = Lab(NAME)
        stack.callback(lab.remove)
        lab.make()
        server = Sshd(netns=lab.db).prepare()
        stack.callback(server.stop)
        server.start()
        enter = ("nsenter", f"--net=/run/netns/{lab.host}")
        same = Way("direct, AES-GCM", enter, DATABASE[4], 22, options=("-c", "aes128-gcm@openssh.com"))
        passing = stack.enter_context(haproxy_to(files, lab.host, f"{DATABASE[4]}:22"))
        ways = [
            Way("direct", enter, DATABASE[4], 22),
            same,
            Way("haproxy", passing.command, passing.address, passing.port, passing.pids),
            stack.enter_context(_jump_host(lab, server)),
            stack.enter_context(_hostagent(lab, server)),
        ]
        yield ways, server.user_key_file, files


@contextlib.contextmanager
def _jump_host(lab: Lab, server: Sshd) -> Iterator[Way]:
    """Another plain sshd, in the host's namespace, that lets in by the same key."""
    jump = Sshd(ports=(JUMP_PORT,), netns=lab.host, listen=("127.0.0.1",)).prepare()
    try:
        (jump.directory / "authorized_root").write_text(f"{server.user_key}\n")
        jump.start()
        enter = ("nsenter", f"--net=/run/netns/{lab.host}")
        through = f"ssh {QUIET} -i {server.user_key_file} -p {JUMP_PORT} -W %h:%p root@127.0.0.1"
        options = ("-o", f"ProxyCommand={through}")
        pids = tuple(process.pid for process in jump.running)
        yield Way("jump host", enter, DATABASE[4], 22, pids, options, jump=("127.0.0.1", str(JUMP_PORT)))
    finally:
        jump.stop()


@contextlib.contextmanager
def _hostagent(lab: Lab, server: Sshd) -> Iterator[Way]:
    policy = _POLICY.format(address=DATABASE[4], fingerprint=server.fingerprint, key=server.user_key_file)
    agent = Agent(NAME, policy, (f"/{NAME}.slice",), netns=lab.host, settings={"workers": 1})
    try:
        agent.start()
        status = json.loads(agent.hostagent("status", "-o", "json"))
        pids = (status["pid"], *(child["pid"] for child in (*status["workers"], *status["analyzers"])))
        worker = status["workers"][0]["pid"]
        yield Way(OURS, tuple(agent.command("run", "--")), DATABASE[4], 22, pids, worker=worker)
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
    allow:
      kinds: [exec, file_read, file_write]
      commands: ["true", "cat", "head -c * /dev/zero"]
      paths: ["/dev/shm/**"]
"""
