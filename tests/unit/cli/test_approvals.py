"""`hostagent approvals` against a control socket that answers as the daemon does."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostagent.cli import approvals
from hostagent.cli.main import main

NOW = time.time()
REQUEST: dict[str, Any] = {
    "id": "f-1.1",
    "state": "waiting",
    "asked_at": NOW,
    "expires_at": NOW + 299,
    "actor": {
        "user": "agent",
        "uid": 990,
        "unit": "agent.service",
        "cgroup": "/system.slice/agent.service",
        "pid": 42,
        "executable": "/usr/bin/python3",
        "login_user": "alice",
        "login_uid": 1000,
    },
    "target": "db",
    "what": "statement",
    "text": "DELETE FROM t\n WHERE id = $1",
    "values": 1,
    "rules": ["writes", "pay"],
    "minimum": 2,
    "approved_by": ["bob (uid 1001)"],
}
WHOLE = {
    **REQUEST,
    "text": "DELETE FROM t\n WHERE id = $1",
    "values": [
        {"form": "text", "value": "x\x1b[31m"},
        {"form": "null", "value": ""},
        {"form": "hex", "value": "0000002a"},
        {"form": "hex", "value": b"alice".hex()},
        {"form": "hex", "value": "ff"},
    ],
    "terms": {"reason_required": True, "longest_grant_seconds": 3600},
    "answers": [{"approver": "bob (uid 1001)", "verdict": "approve", "reason": "ticket 7", "at": NOW}],
    "reason": "",
}
GRANT = {
    "id": "g-f-1.1",
    "until": NOW + 900,
    "actor": REQUEST["actor"],
    "target": "db",
    "statement": "",
    "rules": ["writes"],
    "approvers": ["bob (uid 1001)"],
    "flows": 2,
}


class Daemon:
    """Answers each operation with what the test put there, and keeps what was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "approvals.list": {"requests": [REQUEST]},
            "approvals.show": WHOLE,
            "approvals.approve": {**REQUEST, "state": "approved", "approved_by": ["bob (uid 1001)", "carol (uid 1)"]},
            "approvals.deny": {**REQUEST, "state": "denied"},
            "approvals.grants": {"grants": [GRANT]},
            "approvals.revoke": {"sessions_ended": 2},
        }
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(path))
        self._sock.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._sock.accept()
            except OSError:
                return
            with client:
                request = json.loads(client.makefile("rb").readline())
                self.asked.append((request["op"], request["args"]))
                answer = self.answers[request["op"]]
                refused = isinstance(answer, str)
                said = {"ok": False, "error": answer, "hint": "h"} if refused else {"ok": True, "result": answer}
                client.sendall(json.dumps(said).encode() + b"\n")

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "control.sock")
    yield daemon
    daemon.close()


def run(daemon: Daemon, *args: str) -> int:
    return main(["--socket", str(daemon.path), "approvals", *args])


def test_list(daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approvals.time, "time", lambda: NOW)
    assert run(daemon, "list") == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ID", "STATE", "LEFT", "ACTOR", "TARGET", "STATEMENT", "RULE", "APPROVED", "BY"]
    assert " ".join(line.split()) == (
        "f-1.1 waiting 4 min 59 s agent agent.service db DELETE FROM t WHERE id = $1 (1 values) "
        "writes,pay 1/2 bob (uid 1001)"
    )
    assert daemon.asked == [("approvals.list", {"all": False})]
    assert run(daemon, "list", "--all", "-o", "json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["kind"], answer["requests"]) == ("Approvals", [REQUEST])


def test_show_gives_the_exact_text_and_values_and_drives_no_terminal(
    daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(daemon, "show", "f-1.1") == 0
    out = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "statement DELETE FROM t" in lines
    assert "$1 'x\\x1b[31m'" in lines
    assert "$2 NULL" in lines
    assert "$3 \\x0000002a (as an integer: 42)" in lines
    assert "$4 \\x616c696365 (as text: 'alice')" in lines
    assert "$5 \\xff" in lines
    assert "logged in alice (uid 1000)" in lines
    assert "needs 2 approvers, --for up to 1 h, a reason" in lines
    assert any(line.startswith("approve bob (uid 1001) at ") and line.endswith(": ticket 7") for line in lines)
    assert "\x1b" not in out
    assert run(daemon, "show", "f-1.1", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["values"] == WHOLE["values"]


def test_approve(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(daemon, "approve", "f-1.1", "--reason", "ticket 7", "--for", "15m", "--any-statement") == 0
    assert capsys.readouterr().out == "approved f-1.1\n"
    args = {"id": "f-1.1", "reason": "ticket 7", "for": "15m", "any_statement": True}
    assert daemon.asked == [("approvals.approve", args)]
    daemon.answers["approvals.approve"] = REQUEST
    assert run(daemon, "approve", "f-1.1") == 0
    assert capsys.readouterr().out == "waiting f-1.1: 1 more must approve\n"
    assert daemon.asked[1] == ("approvals.approve", {"id": "f-1.1", "reason": "", "for": "", "any_statement": False})


def test_deny(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(daemon, "deny", "f-1.1", "--reason", "no", "-o", "json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "denied"
    assert daemon.asked == [("approvals.deny", {"id": "f-1.1", "reason": "no"})]


def test_grants_and_revoke(daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(daemon, "grants") == 0
    line = capsys.readouterr().out.splitlines()[1].split()
    assert (line[0], " ".join(line[3:])) == ("g-f-1.1", "agent.service db (any) writes bob (uid 1001) 2")
    assert run(daemon, "revoke", "g-f-1.1") == 0
    assert capsys.readouterr().out == "g-f-1.1 is revoked; sessions ended: 2\n"
    assert daemon.asked[1] == ("approvals.revoke", {"id": "g-f-1.1"})


@pytest.mark.parametrize("args", [("approve", "x"), ("deny", "x"), ("show", "x"), ("revoke", "x")])
def test_an_answer_that_is_not_taken_is_1(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], args: tuple[str, str]
) -> None:
    daemon.answers[f"approvals.{args[0]}"] = "nobody approves what they asked for"
    assert run(daemon, *args) == 1
    assert capsys.readouterr().err == "error: nobody approves what they asked for\nhint: h\n"


def test_no_daemon_is_69_and_bad_usage_is_2(tmp_path: Path) -> None:
    for args in (("list",), ("approve", "x"), ("show", "x"), ("revoke", "x")):
        assert main(["--socket", str(tmp_path / "none"), "approvals", *args]) == 69
    for usage in (["approvals"], ["approvals", "approve"], ["approvals", "approve", "x", "--for", "soon"]):
        with pytest.raises(SystemExit) as ended:
            main(usage)
        assert ended.value.code == 2


def test_follow_shows_what_comes_and_how_it_ends(
    daemon: Daemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = iter([[REQUEST], [REQUEST], [{**REQUEST, "state": "approved"}], []])

    def sleep(_: float) -> None:
        try:
            daemon.answers["approvals.list"] = {"requests": next(turns)}
        except StopIteration:
            raise KeyboardInterrupt from None

    daemon.answers["approvals.list"] = {"requests": []}
    monkeypatch.setattr(approvals.time, "sleep", sleep)
    assert run(daemon, "list", "-f") == 130
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["f-1.1", "waiting"], ["f-1.1", "approved"]]
