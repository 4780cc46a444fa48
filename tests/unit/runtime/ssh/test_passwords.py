"""Logging in upstream with a password that the daemon holds. No account of this machine has one that an sshd would
take, so the server is asyncssh's."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncssh
import pytest

from tests.unit.runtime.ssh.harness import Harness, play, policy

PASSWORD = "held-by-the-daemon"


class Asks(asyncssh.SSHServer):
    """A server that takes one password, by either way of asking for it."""

    def __init__(self, way: str) -> None:
        self._way = way

    def password_auth_supported(self) -> bool:
        return self._way == "password"

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("root", PASSWORD)

    def kbdint_auth_supported(self) -> bool:
        return self._way == "keyboard-interactive"

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Any:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Any) -> bool:
        return username == "root" and list(responses) == [PASSWORD]


async def _greets(process: Any) -> None:
    process.stdout.write(f"hello {process.get_extra_info('username')}\n")
    process.exit(0)


@contextlib.contextmanager
def server(directory: Path, way: str) -> Iterator[Any]:
    """It, in a thread of its own, with what the harness wants to know of a server."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(
        asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[key], server_factory=lambda: Asks(way), process_factory=_greets
        )
    )
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    shown = key.get_fingerprint()
    try:
        yield SimpleNamespace(
            ports=[listening.get_port()], directory=directory, fingerprint=shown, host_ca="", host_key=""
        )
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def with_password(directory: Path, password: str) -> dict[str, Any]:
    file = directory / "password"
    file.write_text(password)
    file.chmod(0o600)
    given = policy(credential="held")
    held = {"name": "held", "user": "root", "file": str(file), "ssh": {"kind": "password"}}
    return {**given, "credentials": [held]}


@pytest.mark.parametrize("way", ["password", "keyboard-interactive"])
def test_a_held_password_logs_in_and_the_client_never_sees_it(tmp_path: Path, way: str) -> None:
    async def scene(h: Harness) -> None:
        assert await h.ssh("echo", "hello") == (0, b"hello root\n", b"")
        records = [file.read_bytes() for file in h.records.journal.parent.rglob("*") if file.is_file()]
        assert records and not [data for data in records if PASSWORD.encode() in data]

    with server(tmp_path, way) as upstream:
        play(upstream, tmp_path, scene, with_password(tmp_path, PASSWORD))


@pytest.mark.parametrize("way", ["password", "keyboard-interactive"])
def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, way: str) -> None:
    async def scene(h: Harness) -> None:
        code, output, errors = await h.ssh("echo", "hello", options=("LogLevel=INFO",))
        assert (code, output) == (255, b"")
        assert b"refused the login as root" in errors and b"another" not in errors

    with server(tmp_path, way) as upstream:
        play(upstream, tmp_path, scene, with_password(tmp_path, "another"))
