"""Forwarded streams: decided, passed on as bytes, or flows of their own. Those of sockets, displays and devices with
stock clients: tests/e2e/test_ssh_forwards.py."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from hostagent.runtime.ssh import tunnel
from tests.lab.sshd import Sshd, free_port, ssh_agent
from tests.unit.runtime.ssh.harness import Harness, play, policy, run

FORWARD = {"name": "forward", "actors": "*", "targets": "*",
           "allow": {"kinds": ["forward_local", "forward_remote"], "destinations": ["127.0.0.1:*", "localhost:*"],
                     "logins": ["root"]}}  # fmt: skip


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that says back what it hears, at a port of loopback."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_a_stream_to_no_target_passes_where_it_is_allowed(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        async with echo() as port:
            code, output, errors = await run(*h.command("-W", f"127.0.0.1:{port}"), stdin=b"over\n" * 30_000)
        assert (code, output) == (0, b"over\n" * 30_000), errors
        (decided,) = h.events("decided")
        assert decided["unmapped"]["destination"] == f"127.0.0.1:{port}"
        (finished,) = h.events("finished")
        assert finished["unmapped"]["bytes_in"] == finished["unmapped"]["bytes_out"] == 150_000

    play(sshd, tmp_path, scene, policy(None, FORWARD))


def test_a_stream_is_refused_where_it_is_not_allowed(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        code, _, errors = await h.ssh("-W", "127.0.0.1:1", options=("LogLevel=INFO",))
        assert code == 255 and b"administratively prohibited" in errors and b"decision" in errors
        assert await h.ssh("echo", "ok") == (0, b"ok\n", b"")

    play(sshd, tmp_path, scene)


def test_a_stream_that_speaks_a_database_to_no_target_is_told_so(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        async with echo() as port:
            output = await said(h, port, b"\0\0\0\x13\0\x03\0\0user\0root\0\0")
            assert output[:1] == b"E" and b"no target of the policy covers" in output
            assert (await said(h, port, b"SSH-2.0-x\r\n")).startswith(b"SSH-2.0-hostagent")

    play(sshd, tmp_path, scene, policy(None, FORWARD))


def test_a_silence_before_it_speaks_a_database_does_not_help(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tunnel, "FIRST_SECONDS", 0.1)
    heard: list[bytes] = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello\n")
        heard.append(await reader.read(1 << 16))
        writer.close()

    async def scene(h: Harness) -> None:
        pipe = asyncio.subprocess.PIPE
        async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for first in (b"\0\0\0\x13\0\x03\0\0user\0root\0\0", b"EHLO x\r\n"):
                command = h.command("-W", f"127.0.0.1:{port}")
                process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
                assert process.stdin is not None and process.stdout is not None
                assert await process.stdout.readline() == b"hello\n"
                process.stdin.write(first)
                assert await process.stdout.read() == b""
                process.stdin.close()
                await process.wait()
        assert heard == [b"", b"EHLO x\r\n"]
        refused, passed = [e["unmapped"] for e in h.events("finished")]
        assert "after a silence" in refused["error"] and not passed["error"]

    play(sshd, tmp_path, scene, policy(None, FORWARD))


def test_a_socket_has_a_whole_path(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        known = asyncssh.import_known_hosts(h.known_hosts.read_text())
        given: Any = {"username": "root", "known_hosts": known, "config": None, "client_keys": None}
        async with asyncssh.connect("127.0.0.1", h.port, **given) as client:
            for path in ("relative", f"{tmp_path}/a\0b", "~/x"):
                with pytest.raises(asyncssh.ChannelOpenError, match="begins with `/`"):
                    await client.open_unix_connection(path)
                with pytest.raises(asyncssh.ChannelListenError):
                    await client.forward_remote_path(path, "/nowhere")
        assert {e["unmapped"]["verdict"] for e in h.events("decided")} == {"deny"}

    sockets = {"name": "sockets", "actors": "*", "targets": "*",
               "allow": {"kinds": "forward", "paths": ["/**", "~/**"], "logins": "root"}}  # fmt: skip
    play(sshd, tmp_path, scene, policy(None, sockets))


async def said(h: Harness, port: int, data: bytes) -> bytes:
    """What comes back first through a stream, whose client stays."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*h.command("-W", f"127.0.0.1:{port}"), stdin=pipe, stdout=pipe)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(data)
    answer = await process.stdout.read(1 << 16)
    process.stdin.close()
    await process.wait()
    return answer


def test_a_jump_is_a_flow_of_its_own(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        jump = " ".join(h.command("-W", f"127.0.0.1:{sshd.ports[0]}"))
        options = (f"ProxyCommand={jump}",)
        code, output, errors = await h.ssh("echo", "behind", options=options)
        assert (code, output) == (0, b"behind\n"), errors
        code, _, errors = await h.ssh("uname", options=options)
        assert code == 126 and b"decision" in errors
        inner = [e for e in h.events("decided") if e["message"] in ("echo behind", "uname")]
        assert [e["unmapped"]["target"] for e in inner] == ["inner", "inner"]
        outer = h.events("decided")[0]["unmapped"]["flow"]
        assert inner[0]["unmapped"]["session"]["through"] == f"{outer} channel 1"

    two = policy(None, FORWARD)
    inner: Any = {**two["targets"][0], "name": "inner", "match": {"addresses": "127.0.0.1", "ports": sshd.ports[0]}}
    two["targets"].append(inner)
    play(sshd, tmp_path, scene, two)


def test_a_dynamic_forward_is_decided_each_time(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        socks = free_port()
        command = h.command("-N", "-D", str(socks), options=("ExitOnForwardFailure=yes",))
        process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
        async with echo() as port:
            assert await through(socks, "127.0.0.1", port) == b"ping"
            assert await through(socks, "10.1.1.1", port) is None
        process.terminate()
        await process.wait()
        assert [e["unmapped"]["verdict"] for e in h.events("decided")] == ["allow", "deny"]

    play(sshd, tmp_path, scene, policy(None, FORWARD))


async def through(socks: int, host: str, port: int) -> bytes | None:
    """What comes back through a SOCKS5 proxy that is about to listen; None where it refuses."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", socks)
            break
        await asyncio.sleep(0.05)
    writer.write(b"\x05\x01\0")
    await reader.readexactly(2)
    writer.write(b"\x05\x01\0\x01" + socket.inet_aton(host) + port.to_bytes(2, "big"))
    try:
        answer = await reader.readexactly(10)
    except asyncio.IncompleteReadError:
        return None
    if answer[1] != 0:
        return None
    writer.write(b"ping")
    return await reader.readexactly(4)


def test_a_remote_forward_brings_connections_back(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        there = free_port()
        async with echo() as here:
            command = h.command("-N", "-R", f"127.0.0.1:{there}:127.0.0.1:{here}")
            process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)
            answer = b""
            for _ in range(100):  # the server listens a moment before the client knows
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", there)
                    writer.write(b"ping")
                    answer = await reader.readexactly(4)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
            assert answer == b"ping"
            process.terminate()
            await process.wait()

    async def refused(h: Harness) -> None:
        code, _, errors = await h.ssh("-N", "-R", "127.0.0.1:0:127.0.0.1:1", options=("ExitOnForwardFailure=yes",))
        assert code == 255 and b"remote port forwarding failed" in errors
        assert h.events("decided")[0]["unmapped"]["kind"] == "forward_remote"

    play(sshd, tmp_path, scene, policy(None, FORWARD))
    (tmp_path / "again").mkdir()
    play(sshd, tmp_path / "again", refused)


def test_what_no_rule_lets_through_is_refused_and_recorded(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        with ssh_agent(tmp_path / "agent") as variable:
            code, output, _ = await run("env", variable, *h.command("env", options=("ForwardAgent=yes",)))
        assert code == 0 and b"SSH_AUTH_SOCK" not in output
        code, _, errors = await h.ssh("-W", "localhost:1", options=("ExitOnForwardFailure=yes",))
        assert code == 255
        local = tmp_path / "local"
        await run(*h.command("-L", f"{local}:/tmp/there", "echo", "x"))
        code, _, errors = await h.ssh("-N", "-R", f"{tmp_path}/r:/tmp/x", options=("ExitOnForwardFailure=yes",))
        assert code == 255 and b"remote port forwarding failed" in errors
        kinds = [e["unmapped"]["kind"] for e in h.events("decided") if e["unmapped"]["verdict"] == "deny"]
        assert {"agent", "forward_local", "forward_stream_remote"} <= set(kinds)

    play(sshd, tmp_path, scene)
