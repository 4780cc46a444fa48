"""SftpGuard between paramiko, which asks for all of a file at once, and OpenSSH's server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

ROOT = Path(__file__).resolve().parents[4]
BETWEEN = Path(__file__).with_name("between.py")


class Wire(socket.socket):
    """What paramiko takes for a channel."""

    def get_name(self) -> str:
        return "wire"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[paramiko.SFTPClient]:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "link").symlink_to("../out")
    (tmp_path / "out" / "secret").write_text("secret")
    settings = {"PYTHONPATH": str(ROOT), "BETWEEN_LOG": f"{tmp_path}/log", "BETWEEN_ROOT": f"{tmp_path}/in"}
    ours, theirs = socket.socketpair()
    command = [sys.executable, str(BETWEEN), "-s"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, env={**os.environ, **settings}) as between:
        theirs.close()
        wire = Wire(fileno=ours.detach())
        wire.settimeout(30)
        try:
            yield paramiko.SFTPClient(wire)  # type: ignore[arg-type]
        finally:
            wire.close()
        assert between.wait(30) == 0


def test_whole_files_go_both_ways(client: paramiko.SFTPClient, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "mine").write_bytes(content)
    client.put(f"{tmp_path}/mine", f"{tmp_path}/in/a")
    client.get(f"{tmp_path}/in/a", f"{tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == content
    assert sorted(client.listdir(f"{tmp_path}/in")) == ["a", "link"]


def test_a_denial_has_its_reason_and_the_session_goes_on(client: paramiko.SFTPClient, tmp_path: Path) -> None:
    for path in (f"{tmp_path}/out/secret", f"{tmp_path}/in/link/secret"):
        with pytest.raises(PermissionError, match=r"decision f00-1\.1"):
            client.open(path).read()
    with client.open(f"{tmp_path}/in/b", "w") as file:
        file.write("fine")
    with client.open(f"{tmp_path}/in/b", "r+") as file:
        file.seek(2)
        file.write("x")
    assert (tmp_path / "in" / "b").read_text() == "fixe"
    client.rename(f"{tmp_path}/in/b", f"{tmp_path}/in/c")
    client.chmod(f"{tmp_path}/in/c", 0o600)
    client.remove(f"{tmp_path}/in/c")
