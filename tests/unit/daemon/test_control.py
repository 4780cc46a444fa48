"""The control socket: who may ask what, by the kernel's word, and its limits."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostagent.cli.control_client import Unreachable, call
from hostagent.daemon import control
from hostagent.daemon.control import MAX_REQUEST, ApproversOperation, ControlServer, Operation, Peer
from hostagent.daemon.workers import listen_unix
from hostagent.errors import HostError
from tests.lab.folders import open_to_all

READERS = 4321
APPROVERS = 4322
STRANGER = 4999


async def _read(args: dict[str, Any]) -> dict[str, Any]:
    return {"seen": args}


async def _change(_: dict[str, Any]) -> dict[str, Any]:
    return {"changed": True}


async def _fail(_: dict[str, Any]) -> dict[str, Any]:
    raise HostError("it broke", "mend it")


async def _hang(_: dict[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(3600)
    return {}


async def _approve(peer: Peer, args: dict[str, Any]) -> dict[str, Any]:
    return {"uid": peer.uid, **args}


OPERATIONS: dict[str, Operation | ApproversOperation] = {
    "read": Operation(_read),
    "change": Operation(_change, changes=True),
    "fail": Operation(_fail),
    "hang": Operation(_hang),
    "approve": ApproversOperation(_approve),
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A control server on a socket that everyone can reach, in a thread of its own."""
    monkeypatch.setattr(control, "REQUEST_SECONDS", 0.3)
    open_to_all(tmp_path)
    path = tmp_path / "control.sock"
    sock = listen_unix(path, 0o666)
    loop = asyncio.new_event_loop()
    server = loop.create_task(ControlServer(sock, OPERATIONS, READERS, APPROVERS).run())
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([server])))
    thread.start()
    yield path
    loop.call_soon_threadsafe(server.cancel)
    thread.join()
    loop.close()
    sock.close()


def ask(path: Path, line: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(path))
        sock.sendall(line)
        data = sock.makefile("rb").readline()
    return json.loads(data) if data else None


def ask_as(path: Path, uid: int, groups: list[int], op: str) -> Any:
    """Ask as another user; a process of its own, so that the kernel says who it is."""
    ours, theirs = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(theirs, json.dumps(ask(path, json.dumps({"op": op}).encode() + b"\n")).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


def test_root_reads_and_changes(path: Path) -> None:
    assert call(path, "read", a=1) == {"seen": {"a": 1}}
    assert call(path, "change") == {"changed": True}


def test_the_group_reads_and_does_not_change(path: Path) -> None:
    assert ask_as(path, STRANGER, [READERS], "read")["ok"]
    refused = ask_as(path, STRANGER, [READERS], "change")
    assert not refused["ok"]
    assert "only root" in refused["error"]
    assert ask_as(path, READERS, [], "read")["ok"]  # as its primary group too


def test_the_approvers_approve_and_do_nothing_else(path: Path) -> None:
    assert ask_as(path, STRANGER, [APPROVERS], "approve")["result"] == {"uid": STRANGER}
    assert call(path, "approve", id="x") == {"uid": 0, "id": "x"}
    for op in ("read", "change"):
        assert not ask_as(path, STRANGER, [APPROVERS], op)["ok"]
    refused = ask_as(path, STRANGER, [READERS], "approve")
    assert "hostagent-approvers" in refused["error"]


def test_a_stranger_does_nothing(path: Path) -> None:
    for op in ("read", "change", "approve"):
        refused = ask_as(path, STRANGER, [STRANGER + 1], op)
        assert not refused["ok"]
        assert "only root" in refused["error"]


def test_the_peer_is_what_the_kernel_says() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = Peer.of(ours)
    assert (peer.pid, peer.uid) == (os.getpid(), os.getuid())
    assert peer.groups == {os.getgid(), *os.getgroups()}


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"not json\n", "one line of JSON"),
        (b"[]\n", "one line of JSON"),
        (b'{"op": "read", "args": []}\n', "one line of JSON"),
        (b'{"op": ["x"]}\n', "one line of JSON"),
        (b'{"op": "nothing"}\n', "no operation 'nothing'"),
        (b'{"op": "fail"}\n', "it broke"),
        (b'{"op": "hang"}\n', "took longer"),
        (b"[" * 50_000 + b"\n", "one line of JSON"),
        (b"x" * (MAX_REQUEST + 2) + b"\n", f"at most {MAX_REQUEST}"),
    ],
)
def test_a_bad_request_is_answered_and_hurts_nobody(path: Path, line: bytes, error: str) -> None:
    answer = ask(path, line)
    assert not answer["ok"]
    assert error in answer["error"]
    assert call(path, "read") == {"seen": {}}


def test_one_client_asks_many_times_and_many_clients_ask_at_once(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(path))
        slow.sendall(b'{"op": "hang"}\n')
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(path))
            lines = sock.makefile("rb")
            for number in range(3):
                sock.sendall(json.dumps({"op": "read", "args": {"n": number}}).encode() + b"\n")
                assert json.loads(lines.readline())["result"] == {"seen": {"n": number}}


def test_more_clients_than_the_limit_are_turned_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_CLIENTS", 1)
    with socket.socket(socket.AF_UNIX) as first:
        first.settimeout(5)
        first.connect(str(path))
        first.sendall(b'{"op": "read"}\n')
        assert first.recv(100)
        with pytest.raises(Unreachable):
            call(path, "read")


def test_without_a_daemon_the_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="no daemon answers"):
        call(tmp_path / "none.sock", "read")
