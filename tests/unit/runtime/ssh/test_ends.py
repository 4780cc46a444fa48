"""Ends in the middle: of the server, of the client, of the worker; and a new key in the middle of a transfer."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.lab.sshd import Sshd, free_port
from tests.unit.runtime.ssh.harness import Harness, play, run


def test_a_server_that_dies_ends_the_connection_with_a_word(sshd: Sshd, tmp_path: Path) -> None:
    server = Sshd(ports=(free_port(),), listen=("127.0.0.1",)).prepare()

    async def scene(h: Harness) -> None:
        pipe = asyncio.subprocess.PIPE
        command = h.command("cat", options=("LogLevel=INFO",))
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(b"up\n")
        assert await process.stdout.readline() == b"up\n"
        server.kill()
        errors = await process.stderr.read()
        assert await process.wait() == 255 and b"closed the connection" in errors, errors
        (finished,) = h.events("finished")
        assert finished["unmapped"]["error"]

    try:
        server.start()
        play(server, tmp_path, scene)
    finally:
        server.stop()


def test_a_client_that_dies_ends_what_runs(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*h.command("cat"), stdin=pipe, stdout=pipe)
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"up\n")
        assert await process.stdout.readline() == b"up\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
        for _ in range(100):
            if h.events("flow_closed"):
                break
            await asyncio.sleep(0.05)
        assert h.events("flow_closed") and h.events("finished")
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
