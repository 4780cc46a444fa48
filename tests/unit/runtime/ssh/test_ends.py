"""Ends in the middle: of the server, of the client, of the worker; and a new key in the middle of a transfer."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from hostagent.runtime.ssh import upstream
from tests.lab.sshd import Sshd, free_port
from tests.unit.runtime.ssh.harness import Harness, play, run

COMMANDS = 10  # at once: each may have 2 MiB under way


async def talking(h: Harness) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
    """An `ssh … cat` that has answered once, and its stderr."""
    pipe = asyncio.subprocess.PIPE
    command = h.command("cat", options=("LogLevel=INFO",))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    process.stdin.write(b"up\n")
    assert await process.stdout.readline() == b"up\n"
    return process, process.stderr


def test_a_server_that_dies_ends_the_connection_with_a_word(sshd: Sshd, tmp_path: Path) -> None:
    server = Sshd(ports=(free_port(),), listen=("127.0.0.1",)).prepare()

    async def scene(h: Harness) -> None:
        process, errors_of = await talking(h)
        server.kill()
        errors = await errors_of.read()
        assert await process.wait() == 255 and b"closed the connection" in errors, errors
        (finished,) = h.events("finished")
        assert finished["unmapped"]["error"]

    try:
        server.start()
        play(server, tmp_path, scene)
    finally:
        server.stop()


def test_a_server_that_falls_silent_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream, "KEEPALIVE_SECONDS", 0.5)
    server = Sshd(ports=(free_port(),), listen=("127.0.0.1",)).prepare()

    async def scene(h: Harness) -> None:
        process, errors_of = await talking(h)
        await asyncio.sleep(2)  # one that answers is let be
        assert process.returncode is None
        stopped = server.of_connections()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)  # it keeps its end of the connection open
        async with asyncio.timeout(30):
            errors = await errors_of.read()
        assert await process.wait() == 255 and b"the server has not answered for 2 s" in errors, errors
        assert "has not answered" in (await ended(h))["unmapped"]["reason"]
        assert h.events("finished")[0]["unmapped"]["error"]
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)

    try:
        server.start()
        play(server, tmp_path, scene)
    finally:
        server.stop()


def test_a_client_that_takes_nothing_is_no_silence_of_the_server(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream, "KEEPALIVE_SECONDS", 0.2)

    async def scene(h: Harness) -> None:
        known = asyncssh.import_known_hosts(h.known_hosts.read_text())
        given: Any = {"username": "root", "known_hosts": known, "config": None, "client_keys": None}
        async with asyncssh.connect("127.0.0.1", h.port, **given) as client:
            heads = [await client.create_process("head -c 4000000 /dev/zero", encoding=None) for _ in range(COMMANDS)]
            transport: Any = client._transport
            transport.pause_reading()
            await asyncio.sleep(2)
            (flow,) = h.worker._flows
            assert not flow.upstream.transport.is_reading()  # more is under way than sockets hold
            transport.resume_reading()
            assert [len(done.stdout or b"") for done in await asyncio.gather(*(head.wait() for head in heads))] == (
                [4_000_000] * COMMANDS
            )

    play(sshd, tmp_path, scene)


async def ended(h: Harness) -> dict[str, Any]:
    """The end of the one flow; waits for it."""
    async with asyncio.timeout(20):
        while not (found := h.events("flow_closed")):
            await asyncio.sleep(0.05)
    return found[0]


def test_a_client_that_dies_ends_what_runs(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*h.command("cat"), stdin=pipe, stdout=pipe)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"up\n")
        assert await process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert await ended(h) and h.events("finished")
        assert await h.ssh("echo", "next") == (0, b"next\n", b"")

    play(sshd, tmp_path, scene)


def test_new_keys_in_the_middle_of_a_transfer(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        options = ("RekeyLimit=1M",)
        command = " ".join(h.command("cat", options=options))
        code, output, _ = await run("sh", "-c", f"head -c 20000000 /dev/zero | {command} | sha256sum")
        expected = await run("sh", "-c", "head -c 20000000 /dev/zero | sha256sum")
        assert (code, output) == (0, expected[1])

    play(sshd, tmp_path, scene)


def test_a_server_that_cannot_be_reached_is_told(sshd: Sshd, tmp_path: Path) -> None:
    gone = Sshd(ports=(1,), listen=("127.0.0.1",)).prepare()

    async def scene(h: Harness) -> None:
        code, _, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert code == 255 and b"cannot be reached" in errors

    try:
        play(gone, tmp_path, scene)
    finally:
        gone.stop()


def test_what_cannot_be_recorded_goes_nowhere(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        h.worker.settings["max_session_bytes"] = 200_000
        assert (await h.ssh("head", "-c", "100000", "/dev/zero"))[0] == 0
        code, output, errors = await h.ssh("head", "-c", "1000000", "/dev/zero")
        assert code == 255 and len(output) <= 200_000 and str(tmp_path).encode() not in errors
        reasons = [e["unmapped"]["reason"] for e in h.events("flow_closed")]
        assert reasons[0] == "" and reasons[1].startswith("not recorded: ")

    play(sshd, tmp_path, scene)
