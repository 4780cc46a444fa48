"""Who on this host trusts the host CA: each runtime is really asked, by connecting to a server that shows a leaf of it.

A runtime trusts when it sends something after the handshake: one that does not ends the connection instead. The server
listens on loopback for as long as the question takes; the leaf is for a name that never resolves. Java and Go are not
asked for a connection (neither is sure to have a compiler here): for them the store that they read is looked into.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hostagent.pki.constraints import PROBE_NAME
from hostagent.pki.leaf import server_context
from hostagent.pki.system_store import bundle, holds

SECONDS = 10.0  # for one runtime
_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # PostgreSQL's: libpq asks before TLS

_PYTHON = """
import socket, ssl
with socket.create_connection(("127.0.0.1", {port}), 5) as plain:
    with ssl.create_default_context().wrap_socket(plain, server_hostname="{name}") as tls:
        tls.sendall(b"x")
"""
_REQUESTS = """
import socket, requests
found = socket.getaddrinfo("127.0.0.1", {port}, type=socket.SOCK_STREAM)
socket.getaddrinfo = lambda *_, **__: found
session = requests.Session()
session.proxies = {{"https": None}}
session.get("https://{name}:{port}/", timeout=5)
"""
_NODE = """
const s = require("tls").connect({{host: "127.0.0.1", port: {port}, servername: "{name}"}}, () => s.end("x"));
s.on("error", e => {{ console.error(e.message); process.exit(1); }});
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a runtime trusts the CA; None: it is not on this host. `evidence`: what it said, or where was looked."""

    runtime: str
    trusts: bool | None
    evidence: str


def findings(certificate_pem: str, chain_pem: str, key_pem: str, environment: Mapping[str, str]) -> list[Finding]:
    """What each runtime does under that environment; `chain_pem` is a leaf for PROBE_NAME with its key."""
    with _Server(server_context(chain_pem, key_pem)) as server:
        found = [_asked(runtime, command, server, environment) for runtime, command in _commands(server.port)]
    return [*found, _go(certificate_pem, environment), _java(certificate_pem, environment)]


def _commands(port: int) -> Iterator[tuple[str, list[str]]]:
    name, at = PROBE_NAME, {"name": PROBE_NAME, "port": port}
    address = f"{name}:{port}:127.0.0.1"
    yield "openssl", ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name,
                      "-verify_hostname", name, "-verify_return_error", "-quiet", "-no_ign_eof"]  # fmt: skip
    yield "curl", ["curl", "-sS", "--max-time", "5", "--noproxy", "*", "--resolve", address, f"https://{name}:{port}/"]
    yield "git", ["git", "-c", "http.proxy=", "-c", f"http.curloptResolve={address}", "ls-remote",
                  f"https://{name}:{port}/probe"]  # fmt: skip
    yield "python", ["python3", "-I", "-c", _PYTHON.format(**at)]
    yield "python requests", ["python3", "-I", "-c", _REQUESTS.format(**at)]
    yield "node", ["node", "-e", _NODE.format(**at)]
    dsn = f"host={name} hostaddr=127.0.0.1 port={port} user=probe dbname=probe sslmode=verify-full connect_timeout=5"
    yield "libpq", ["psql", "-X", "-w", dsn, "-c", ""]


def _asked(runtime: str, command: list[str], server: _Server, environment: Mapping[str, str]) -> Finding:
    if shutil.which(command[0]) is None:
        return Finding(runtime, None, f"no {command[0]} on this host")
    before = server.trusted
    try:
        done = subprocess.run(
            command, input="x\n", capture_output=True, text=True, timeout=SECONDS, check=False, cwd="/",
            env=dict(environment),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Finding(runtime, False, f"no answer within {SECONDS:g} s")
    if "No module named 'requests'" in done.stderr:
        return Finding(runtime, None, "no requests for python3 on this host")
    server.settle()
    if server.trusted > before:
        return Finding(runtime, True, "connected to a server with a certificate of the host CA")
    return Finding(runtime, False, _said(done.stderr))


def _said(stderr: str) -> str:
    """The first line of a runtime's errors that speaks of certificates, else the last of all."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    about = [line for line in lines if "verif" in line.lower() or "certificate" in line.lower()]
    return (about or lines[-1:] or ["refused"])[0][:200]


def _go(pem: str, environment: Mapping[str, str]) -> Finding:
    named = environment.get("SSL_CERT_FILE")
    file = Path(named) if named else bundle()
    where = f"{file} (crypto/x509 reads it)" if file is not None else "no list of certificates on this host"
    return Finding("go", holds(file, pem), where)


def _java(pem: str, environment: Mapping[str, str]) -> Finding:
    if shutil.which("keytool") is None:
        return Finding("java", None, "no keytool on this host")
    options = environment.get("JAVA_TOOL_OPTIONS", "").split()
    prefix = "-Djavax.net.ssl.trustStore="
    named = next((option.removeprefix(prefix) for option in options if option.startswith(prefix)), "")
    store = ["-keystore", named] if named else ["-cacerts"]
    command = ["keytool", "-list", "-rfc", "-storepass", "changeit", *store]
    plain = {name: value for name, value in environment.items() if name != "JAVA_TOOL_OPTIONS"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=plain)
    except subprocess.TimeoutExpired:
        return Finding("java", False, "keytool did not answer")
    body = "".join(pem.split("-----")[2].split())
    return Finding("java", body in "".join(done.stdout.split()), f"{named or 'its cacerts'} (keytool reads it)")


class _Server:
    """Counts who sends something after the handshake."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.trusted = 0
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = 0
        self._idle = threading.Condition()
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> _Server:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def settle(self) -> None:
        """Wait until what has connected was heard to its end."""
        with self._idle:
            self._idle.wait_for(lambda: self._open == 0, 2.0)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with self._idle:
                    self._open += 1
                threading.Thread(target=self._hear, args=(connection,), daemon=True).start()

    def _hear(self, connection: socket.socket) -> None:
        try:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(5)
                if connection.recv(8, socket.MSG_PEEK) == _SSL_REQUEST:
                    connection.recv(8)
                    connection.sendall(b"S")
                with self._context.wrap_socket(connection, server_side=True) as tls:
                    self.trusted += bool(tls.recv(4096))
                    tls.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        finally:
            with self._idle:
                self._open -= 1
                self._idle.notify_all()


def plain_environment() -> dict[str, str]:
    """Our own environment without the variables that would answer for a runtime."""
    return {name: value for name, value in os.environ.items() if name not in ("PGSSLMODE", "PYTHONPATH")}
