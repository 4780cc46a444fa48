"""The listeners, on the real kernel."""

from __future__ import annotations

import socket

import pytest

from hostagent.errors import HostError
from hostagent.intake.listener import transparent_listeners


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_one_for_each_family_and_transparent() -> None:
    port = free_port()
    listeners = transparent_listeners(port)
    try:
        assert [sock.getsockname()[:2] for sock in listeners] == [("127.0.0.1", port), ("::1", port)]
        assert listeners[0].getsockopt(socket.IPPROTO_IP, 19) == 1
        assert listeners[1].getsockopt(socket.IPPROTO_IPV6, 75) == 1
    finally:
        for sock in listeners:
            sock.close()


def test_a_taken_port_is_one_clear_error_and_leaves_nothing_open() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(HostError, match=f"port {port} is taken on loopback"):
            transparent_listeners(port)
        socket.create_server(("127.0.0.1", port)).close()
