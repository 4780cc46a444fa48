"""A TLS server that speaks PostgreSQL's SSLRequest and no more: for certificates that a real server should not have."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import trustme

from tests.lab.postgres import SERVER_NAME
from tests.netns.topology import inside

YEAR = datetime.timedelta(days=365)


class Impostor:
    """Listens in a network namespace and keeps what it was sent once TLS was up."""

    def __init__(self, namespace: str, port: int, certificate: trustme.LeafCert | trustme.CA | None) -> None:
        """`certificate` is a leaf, a CA that is its own server certificate, or None: no TLS here."""
        self.received = b""
        self.asked = 0
        self._context = None if certificate is None else server_context(certificate)
        with inside(namespace):
            self._listener = socket.create_server(("10.77.0.2", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                with connection, contextlib.suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        assert connection.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
        self.asked += 1
        if self._context is None:
            connection.sendall(b"N")
            self.received += connection.recv(4096)
            return
        connection.sendall(b"S")
        with self._context.wrap_socket(connection, server_side=True) as tls:
            self.received += tls.recv(4096)


def certificates(right: trustme.CA) -> dict[str, trustme.LeafCert | trustme.CA | None]:
    """Server certificates by what is to be said of them; `right` is the CA that the target's policy names."""
    now = datetime.datetime.now(datetime.UTC)
    return {
        "good": right.issue_cert(SERVER_NAME),
        "name": right.issue_cert("other.lab.test"),
        "address": right.issue_cert("10.77.0.2"),
        "expired": right.issue_cert(SERVER_NAME, not_before=now - 2 * YEAR, not_after=now - YEAR),
        "issuer": trustme.CA().issue_cert(SERVER_NAME),
        "self-signed": trustme.CA(),
        "no-tls": None,
    }


def server_context(certificate: trustme.LeafCert | trustme.CA) -> ssl.SSLContext:
    """The server side's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if isinstance(certificate, trustme.LeafCert):
        certificate.configure_cert(context)
        return context
    with tempfile.TemporaryDirectory() as directory:
        both = Path(directory) / "both.pem"
        both.write_bytes(certificate.private_key_pem.bytes() + certificate.cert_pem.bytes())
        context.load_cert_chain(both)
    return context
