"""A TLS-terminating proxy before a real PostgreSQL server, as a man in the middle with a good certificate would be."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from tests.netns.topology import inside

SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
PATIENCE = 10.0  # seconds
Change = Callable[[bytes], bytes]


def strip_plus(data: bytes) -> bytes:
    """The server's bytes with AuthenticationSASL's offer of channel binding taken out, lengths made right."""
    offer = b"R\x00\x00\x00\x2a\x00\x00\x00\x0aSCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"
    return data.replace(offer, b"R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00")


class TlsProxy:
    """Listens on an address of a network namespace, and takes what comes to the server's port 5432 there."""

    def __init__(self, namespace: str, port: int, chain: Path, key: Path, change: Change | None = None) -> None:
        """`change` alters what the server says; None leaves it."""
        self._change = change
        self.changed = 0
        self._namespace = namespace
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(chain, key)
        with inside(namespace):
            self._listener = socket.create_server(("10.77.0.2", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            assert connection.recv(8) == SSL_REQUEST
            connection.sendall(b"S")
            with self._context.wrap_socket(connection, server_side=True) as client, self._dial() as server:
                self._pump({client: server, server: client}, server)

    def _dial(self) -> ssl.SSLSocket:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with inside(self._namespace):
            server = socket.create_connection(("10.77.0.2", 5432), 5)
        server.sendall(SSL_REQUEST)
        assert server.recv(1) == b"S"
        return context.wrap_socket(server)

    def _pump(self, other: dict[ssl.SSLSocket, ssl.SSLSocket], server: ssl.SSLSocket) -> None:
        """In one thread: OpenSSL lets no two of them use one connection."""
        while True:
            waiting = [end for end in other if end.pending()]
            for source in waiting or select.select(list(other), [], [], PATIENCE)[0]:
                source.settimeout(0)
                try:
                    data = source.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                finally:
                    source.settimeout(PATIENCE)
                if not data:
                    return
                altered = self._change(data) if self._change is not None and source is server else data
                self.changed += altered != data
                other[source].sendall(altered)
