"""One request a connection, whatever a client sends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from hostagent.approvals import serving
from hostagent.daemon.metrics_server import MetricsServer, listening
from hostagent.daemon.metrics_text import Family, Kind, Sample
from hostagent.daemon.workers import listen_unix
from hostagent.errors import HostError


def ask(path: Path, *requests: bytes, fault: str = "") -> list[bytes]:
    async def collect() -> list[Family]:
        if fault:
            raise HostError(fault)
        return [Family("a", Kind.GAUGE, "x", (Sample(1),))]

    async def one(request: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(request)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        return answer

    async def play() -> list[bytes]:
        server = asyncio.ensure_future(MetricsServer([listen_unix(path, 0o600)], collect).run())
        try:
            return [await one(request) for request in requests]
        finally:
            server.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await server

    return asyncio.run(play())


def test_metrics_and_nothing_else(tmp_path: Path) -> None:
    good, other, post = ask(
        tmp_path / "s",
        b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    )
    assert good.startswith(b"HTTP/1.1 200 ")
    assert good.endswith(b"\na 1\n")
    assert other.startswith(b"HTTP/1.1 404 ")
    assert post.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    "request_", [b"", b"GET", b"\x16\x03\x01" * 99 + b"\r\n\r\n", b"GET /metrics " + b"x" * 99_999]
)
def test_what_is_no_http_does_no_harm(tmp_path: Path, request_: bytes) -> None:
    bad, good = ask(tmp_path / "s", request_, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    assert bad == b"" or bad.startswith(b"HTTP/1.1 4")
    assert good.startswith(b"HTTP/1.1 200 ")


def test_what_cannot_be_collected_is_said(tmp_path: Path) -> None:
    (answer,) = ask(tmp_path / "s", b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", fault="no workers")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"no workers" in answer


def test_a_slow_client_is_sent_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "DEADLINE", 0.05)

    async def play() -> bytes:
        async def collect() -> list[Family]:
            return []

        server = asyncio.ensure_future(MetricsServer([listen_unix(tmp_path / "s", 0o600)], collect).run())
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b"GET /metrics HTTP/1.1\r\n")
        answer = await reader.read()
        writer.close()
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await server
        return answer

    assert asyncio.run(play()) == b""


def test_a_port_that_is_taken_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(HostError) as error:
            listening(f"127.0.0.1:{taken.getsockname()[1]}")
        assert error.value.hint
