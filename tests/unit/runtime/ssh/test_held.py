"""Operations that wait for a human: the channel is told, answered, and given up."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.lab.sshd import Sshd
from tests.unit.runtime.ssh.harness import Harness, play, policy

ASK = {
    "name": "ask",
    "actors": "*",
    "targets": "*",
    "approve": {"kinds": "exec", "commands": "echo **", "logins": "root"},
}


@pytest.mark.parametrize("state", ["approved", "denied"])
def test_a_command_waits_for_a_human(sshd: Sshd, tmp_path: Path, state: str) -> None:
    async def scene(h: Harness) -> None:
        ssh = asyncio.ensure_future(h.ssh("cat | echo", "hello", stdin=b"meanwhile"))
        held = await h.asked.get()
        assert held["text"] == held["template"] == "cat | echo hello"
        await h.answer(held["id"], state)
        code, output, errors = await ssh
        waited = f"hostagent: waiting for a human to approve this, for at most 60 s: decision {held['id']}\n".encode()
        assert errors.startswith(waited)
        if state == "approved":
            assert (code, output, errors) == (0, b"hello\n", waited)
        else:
            assert (code, output) == (126, b"") and b"denied by ada" in errors
        verdicts = [e["unmapped"]["verdict"] for e in h.events("decided")]
        assert verdicts == ["approve", "allow" if state == "approved" else "deny"]

    play(sshd, tmp_path, scene, policy(None, ASK))


def test_a_client_that_gives_up_withdraws_it(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        process = await asyncio.create_subprocess_exec(*h.command("echo", "hello"), stderr=asyncio.subprocess.DEVNULL)
        held = await h.asked.get()
        process.send_signal(signal.SIGINT)
        await process.wait()
        assert await h.asked.get() == {"withdrawn": held["id"]}

    play(sshd, tmp_path, scene, policy(None, ASK))


def test_a_channel_that_is_closed_withdraws_it_and_the_connection_goes_on(sshd: Sshd, tmp_path: Path) -> None:
    async def scene(h: Harness) -> None:
        known = asyncssh.import_known_hosts(h.known_hosts.read_text())
        given: Any = {"known_hosts": known, "username": "root", "client_keys": None, "config": None}
        async with asyncssh.connect("127.0.0.1", h.port, **given) as client:
            assert (await client.run("true")).exit_status == 0
            process = await client.create_process("echo hello", encoding=None)
            held = await h.asked.get()
            process.stdin.write(bytes(300_000))  # more than is read before it is decided
            process.close()
            assert await h.asked.get() == {"withdrawn": held["id"]}
            assert (await client.run("true")).exit_status == 0
            (flow,) = h.worker._flows
            session: Any = flow.facts.session
            assert not session._bridge.channels  # the one that was given up is gone
            assert len(h.events("session_opened")) == 1

    play(sshd, tmp_path, scene, policy(None, ASK))
