"""A small server that speaks the part of HashiCorp Vault's HTTP API that hostagent uses, over TLS, with real leases.

Written from Vault's own API pages (auth/approle, auth/token, system/leases, secret/kv, secret/databases): tokens end
and can be renewed, a lease ends with the token that it was made with, and renewing never goes beyond the lease's own
maximum.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

Answer = tuple[int, dict[str, Any]]
DENIED: Answer = (403, {"errors": ["permission denied"]})
NOTHING: Answer = (404, {"errors": []})


@dataclass
class Token:
    """A token: when it ends, and how far that can be pushed; None: a root-like token without end."""

    seconds: float | None = None
    ends: float | None = None

    @property
    def valid(self) -> bool:
        return self.ends is None or time.monotonic() < self.ends


@dataclass
class Lease:
    token: str
    ends: float
    latest: float
    renewable: bool


@dataclass
class Vault:
    """`approles`: RoleID → SecretID. `kv`: API path → data. `roles`: API path → what makes a user and a password."""

    tokens: dict[str, Token] = field(default_factory=lambda: {"hvs.root": Token()})
    approles: dict[str, str] = field(default_factory=dict)
    approle_seconds: float = 1200
    kv: dict[str, dict[str, Any]] = field(default_factory=dict)
    roles: dict[str, Callable[[], tuple[str, str]]] = field(default_factory=dict)
    lease_seconds: float = 60
    lease_latest: float = 600
    renewable: bool = True
    namespace: str = ""
    sealed: bool = False
    delay: float = 0.0
    leases: dict[str, Lease] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)  # METHOD path, in order
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        """Vault's answer to one request."""
        self.asked.append(f"{method} {path}")
        time.sleep(self.delay)
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if headers.get("x-vault-namespace", "") != self.namespace:
            return DENIED
        if path == "auth/approle/login":
            return self._login(body)
        token = headers.get("x-vault-token", "")
        if token not in self.tokens or not self.tokens[token].valid:
            return DENIED
        if method == "GET":
            return self._read(path, token)
        if path == "sys/leases/renew":
            return self._renew(token, body)
        if path == "auth/token/renew-self":
            return self._renew_token(token)
        if path == "auth/token/revoke-self":
            self._revoke(token)
            return 204, {}
        return NOTHING

    def _login(self, body: dict[str, Any]) -> Answer:
        if not body.get("role_id") or self.approles.get(body["role_id"]) != body.get("secret_id"):
            return 400, {"errors": ["invalid role or secret ID"]}
        token = f"hvs.own{next(self.numbers)}"
        self.tokens[token] = Token(self.approle_seconds, time.monotonic() + self.approle_seconds)
        auth = {"client_token": token, "lease_duration": int(self.approle_seconds), "renewable": True}
        return 200, {"auth": auth, "data": None, "lease_id": "", "lease_duration": 0, "renewable": False}

    def _read(self, path: str, token: str) -> Answer:
        if path in self.kv:
            return 200, {"data": self.kv[path], "lease_id": "", "lease_duration": 2764800, "renewable": False}
        if path not in self.roles:
            return NOTHING
        user, password = self.roles[path]()
        number, now = f"{path}/lease{next(self.numbers)}", time.monotonic()
        self.leases[number] = Lease(token, now + self.lease_seconds, now + self.lease_latest, self.renewable)
        given = {"lease_id": number, "lease_duration": int(self.lease_seconds), "renewable": self.renewable}
        return 200, {"data": {"username": user, "password": password}, **given}

    def _renew(self, token: str, body: dict[str, Any]) -> Answer:
        lease, now = self.leases.get(body["lease_id"]), time.monotonic()
        if lease is None or now > lease.ends or not self.tokens[lease.token].valid:
            return 400, {"errors": ["lease not found"]}
        if not lease.renewable:
            return 400, {"errors": ["lease is not renewable"]}
        lease.ends = min(now + (body.get("increment") or self.lease_seconds), lease.latest)
        return 200, {"lease_id": body["lease_id"], "renewable": True, "lease_duration": int(lease.ends - now)}

    def _renew_token(self, token: str) -> Answer:
        held = self.tokens[token]
        if held.seconds is None:
            return 400, {"errors": ["lease is not renewable"]}
        held.ends = time.monotonic() + held.seconds
        return 200, {"auth": {"client_token": token, "lease_duration": int(held.seconds), "renewable": True}}

    def _revoke(self, token: str) -> None:
        del self.tokens[token]
        self.leases = {number: lease for number, lease in self.leases.items() if lease.token != token}


@contextlib.contextmanager
def serve(vault: Vault, ca: trustme.CA | None, address: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve it on a port (0: a free one), with a certificate of that CA (None: without TLS). Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length) or b"{}")
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, value = vault.answer(self.command, self.path.removeprefix("/v1/"), headers, body)
            data = b"" if status == 204 else json.dumps(value).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = _handle

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: `asked` has it."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that does not trust us ends the handshake: that is a test's business."""

    server = Server((address, port), Handler)
    if ca is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(address, "vault.lab.test").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"{'http' if ca is None else 'https'}://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
