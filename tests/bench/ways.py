"""The ways from a client to the database that are compared. All proxies run in the host's namespace, so hops agree.

direct                                client ── veth ── database
pgbouncer, haproxy    client ── loopback ── proxy ── veth ── database
hostagent             client ── redirect to loopback ── worker ── veth ── database   (the client dials the database)
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.bench.stage import NAME, USER, Stage
from tests.lab.agent import Agent
from tests.lab.postgres import SERVER_NAME
from tests.netns.topology import DATABASE, PORT, inside

NOBODY = 65534
PGBOUNCER_PORT, HAPROXY_PORT = 6432, 6433
START_DEADLINE = 10.0
RECORDING_BYTES = 8 << 30  # no load of the bench reaches it


@dataclass(frozen=True)
class Way:
    """One way. `command` is put before the client's own.

    `pids` are the proxy's processes, `workers` those of them that carry bytes.
    """

    name: str
    address: str
    port: int
    command: tuple[str, ...]
    pids: tuple[int, ...] = ()
    workers: tuple[int, ...] = ()


MakeWay = Callable[[Stage, bool], AbstractContextManager[Way]]


@contextlib.contextmanager
def direct(stage: Stage, tls: bool) -> Iterator[Way]:
    """No proxy."""
    yield Way("direct", DATABASE[4], PORT, tuple(stage.inside()))


@contextlib.contextmanager
def pgbouncer(stage: Stage, tls: bool, name: str = "pgbouncer", more: str = "") -> Iterator[Way]:
    """Session pooling; with TLS on both legs, the upstream verified as ours is."""
    directory = stage.directory / f"{name}-{'tls' if tls else 'plain'}"
    directory.mkdir(exist_ok=True)
    (directory / "users").write_text(f'"{USER}" ""\n')
    config = directory / "pgbouncer.ini"
    settings = _PGBOUNCER.format(address=DATABASE[4], port=PORT, listen=PGBOUNCER_PORT, directory=directory) + more
    if tls:
        _make_certificate(directory)
        settings += _PGBOUNCER_TLS.format(directory=directory, ca=stage.postgres.ca_file)
    config.write_text(settings)
    with _served(stage.lab.host, ["pgbouncer", "-q", str(config)], PGBOUNCER_PORT) as pid:
        yield Way(name, "127.0.0.1", PGBOUNCER_PORT, tuple(stage.inside()), (pid,), (pid,))


@contextlib.contextmanager
def pgbouncer_no_reuse(stage: Stage, tls: bool) -> Iterator[Way]:
    """One upstream connection for each of the client's, as every other way has it."""
    with pgbouncer(stage, tls, "pgbouncer, no reuse", "server_lifetime = 0\n") as way:
        yield way


@contextlib.contextmanager
def haproxy(stage: Stage, tls: bool) -> Iterator[Way]:
    """TCP mode in one thread. PostgreSQL's SSLRequest keeps it from terminating TLS: plaintext only."""
    with haproxy_to(stage.directory, stage.lab.host, f"{DATABASE[4]}:{PORT}") as way:
        yield way


@contextlib.contextmanager
def haproxy_to(directory: Path, netns: str, server: str) -> Iterator[Way]:
    """haproxy in TCP mode and one thread before a server, in that namespace."""
    config = directory / "haproxy.cfg"
    config.write_text(_HAPROXY.format(server=server, listen=HAPROXY_PORT))
    with _served(netns, ["haproxy", "-db", "-f", str(config)], HAPROXY_PORT) as pid:
        yield Way("haproxy", "127.0.0.1", HAPROXY_PORT, _enter(netns), (pid,), (pid,))


@contextlib.contextmanager
def hostagent(stage: Stage, tls: bool, more: str = "", workers: int | None = None) -> Iterator[Way]:
    """The real daemon, deciding and recording; the client is started by `hostagent run` and dials the database.

    `more` is put behind its policy. `workers`: as many as are usual here where it is not said.
    """
    upstream = f"verify-full, ca_file: {stage.postgres.ca_file}, server_name: {SERVER_NAME}" if tls else '"off"'
    policy = _POLICY.format(address=DATABASE[4], port=PORT, tls=upstream) + more
    settings: dict[str, object] = {"recording": {"max_session_bytes": RECORDING_BYTES}}
    if workers is not None:
        settings["workers"] = workers
    agent = Agent(NAME, policy, (f"/{NAME}.slice",), netns=stage.lab.host, settings=settings)
    try:
        agent.start()
        status = json.loads(agent.hostagent("status", "-o", "json"))
        carrying = tuple(child["pid"] for child in status["workers"])
        pids = (status["pid"], *carrying, *(child["pid"] for child in status["analyzers"]))
        yield Way("hostagent", DATABASE[4], PORT, tuple(agent.command("run", "--")), pids, carrying)
    finally:
        if hasattr(agent, "process"):
            agent.stop()


@contextlib.contextmanager
def one_worker(stage: Stage, tls: bool) -> Iterator[Way]:
    """hostagent with one worker."""
    with hostagent(stage, tls, workers=1) as way:
        yield way


@contextlib.contextmanager
def _served(netns: str, command: list[str], port: int) -> Iterator[int]:
    """Run a proxy as nobody until the end; the pid, once it listens."""
    setpriv = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    process = subprocess.Popen(
        [*_enter(netns), *setpriv, *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        _wait_until_it_listens(netns, process, port)
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def _wait_until_it_listens(netns: str, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        with inside(netns), contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"{process.args!r} does not listen:\n{process.communicate()[1].decode(errors='replace')}")


def _enter(netns: str) -> tuple[str, ...]:
    return ("nsenter", f"--net=/run/netns/{netns}")


def _make_certificate(directory: Path) -> None:
    certificate = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    key = directory / "client.key"
    certificate.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    os.chown(key, NOBODY, NOBODY)
    (directory / "client.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))


_POLICY = """\
version: 1
targets:
  - name: bench
    protocol: postgres
    match: {{addresses: [{address}/32], ports: [{port}]}}
    tls: {{upstream: {tls}}}
rules:
  - name: use
    actors: "*"
    targets: [bench]
    allow: {{kinds: [read, write, session], relations: ["*"], functions: ["*"]}}
"""

_PGBOUNCER = """\
[databases]
postgres = host={address} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {directory}/users
pool_mode = session
max_client_conn = 200
default_pool_size = 100
log_connections = 0
log_disconnections = 0
"""

_PGBOUNCER_TLS = """\
client_tls_sslmode = require
client_tls_key_file = {directory}/client.key
client_tls_cert_file = {directory}/client.pem
server_tls_sslmode = verify-full
server_tls_ca_file = {ca}
"""

_HAPROXY = """\
global
  nbthread 1
  maxconn 500
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend database
  bind 127.0.0.1:{listen}
  default_backend database
backend database
  server database {server}
"""
