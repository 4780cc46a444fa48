"""Times new connections, as a client sees them. A program: `first_byte.py ADDRESS PORT USER COUNT`, prints JSON.

For each connection the µs from before connect(2) until it returned, until the answer to SSLRequest came (for which
the flow must have been attributed), and until the answer to StartupMessage came (the server has been reached).
"""

from __future__ import annotations

import json
import socket
import sys
import time

SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def startup(user: str) -> bytes:
    """StartupMessage of protocol 3.0."""
    body = (0x30000).to_bytes(4, "big") + f"user\0{user}\0database\0postgres\0\0".encode()
    return (len(body) + 4).to_bytes(4, "big") + body


def answered(address: str, port: int, first: bytes) -> tuple[float, float]:
    """µs until connected, and until the first byte of the answer."""
    with socket.socket() as sock:
        sock.settimeout(10)
        started = time.perf_counter_ns()
        sock.connect((address, port))
        connected = time.perf_counter_ns()
        sock.sendall(first)
        if not sock.recv(1):
            raise ConnectionError("closed without an answer")
        return (connected - started) / 1000, (time.perf_counter_ns() - started) / 1000


def main() -> None:
    """Print {"connected": […], "ssl_request": […], "startup": […]}."""
    address, port, user, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    requests = [answered(address, port, SSL_REQUEST) for _ in range(count)]
    startups = [answered(address, port, startup(user))[1] for _ in range(count)]
    times = {"connected": [c for c, _ in requests], "ssl_request": [a for _, a in requests], "startup": startups}
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
