"""Waiting: what is asked when, and whether the client is still there. With the supervisor: test_approvals of daemon."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

sys.path.insert(0, str(Path(__file__).parent.parent / "policy"))
from policy_samples import actor

from hostagent.approvals.wire import Held
from hostagent.protocols.base import Phase, Request
from hostagent.runtime import waiting as module
from hostagent.runtime.channel import ChannelError
from hostagent.runtime.waiting import EXECUTE, FUNCTION_CALL, AskedWhenRun, Left, Waiting, hung_up
from hostagent.values.decision import Decision, Ruling, Verdict

APPROVE = Ruling(Verdict.APPROVE, "writes", "a human must approve it", ("delete",), approval="writes")
ALLOW, EXECUTES = (Ruling(Verdict.ALLOW, "r", "", (kind,)) for kind in ("select", "execute"))
HELD = Held("f-1.1", "f-1", actor("/a"), "db", "DELETE FROM t", (), "DELETE FROM t", ("writes",))


def request(phase: Phase = Phase.EXECUTE, oid: int | None = None) -> Request:
    return Request(1, phase, "text", function_oid=oid)


class Supervisor:
    """Answers an ask as the test says, and keeps the calls."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.calls: list[str] = []
        self.waiting = Waiting(self.call)

    async def call(self, operation: str, args: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(operation)
        await asyncio.sleep(0)
        if operation != "approval.ask":
            return {}
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def decide(self, gone: bool = False) -> Decision:
        return asyncio.run(self.waiting.decide(HELD, APPROVE, lambda *_: None, lambda: gone))


ASKED = {"state": "waiting", "seconds": 300, "minimum": 1}


def test_an_answer_that_came_before_its_acknowledgement_is_taken() -> None:
    supervisor = Supervisor(ASKED)

    async def go() -> Decision:
        deciding = asyncio.ensure_future(supervisor.waiting.decide(HELD, APPROVE, lambda *_: None, lambda: False))
        await asyncio.sleep(0)
        told = await supervisor.waiting.answered({"id": "f-1.1", "state": "approved", "by": "bob", "reason": ""})
        assert told == {"taken": True}
        assert await supervisor.waiting.answered({"id": "f-1.1", "state": "denied"}) == {"taken": False}
        return await deciding

    assert asyncio.run(go()).ruling.reason == "approved by bob"
    assert supervisor.calls == ["approval.ask"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ChannelError("32 requests wait already"), "32 requests wait already"),
        ({"state": "denied", "reason": "no", "by": "bob"}, "denied by bob: no"),
        ({"state": "expired", "reason": "nobody answered in time"}, "nobody answered in time"),
        ({"state": "something else"}, "no human approved it"),
    ],
)
def test_whatever_is_no_approval_denies(answer: dict[str, Any] | Exception, reason: str) -> None:
    ruling = Supervisor(answer).decide().ruling
    assert (ruling.verdict, ruling.reason, ruling.approval) == (Verdict.DENY, reason, "")


def test_without_an_answer_in_time_it_denies_and_withdraws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.05)
    supervisor = Supervisor({**ASKED, "seconds": 0})
    assert supervisor.decide().ruling.verdict is Verdict.DENY
    assert supervisor.calls == ["approval.ask", "approval.withdraw"]


def test_a_client_that_is_gone_gets_no_answer() -> None:
    supervisor = Supervisor(ASKED)
    with pytest.raises(Left):
        supervisor.decide(gone=True)
    assert supervisor.calls == ["approval.ask", "approval.withdraw"]
    assert len(supervisor.waiting) == 0


def test_only_flows_that_were_approved_are_told_of_when_they_end() -> None:
    supervisor = Supervisor({"state": "approved", "by": "bob", "reason": ""})
    supervisor.decide()
    asyncio.run(supervisor.waiting.flow_ended("f-2"))
    asyncio.run(supervisor.waiting.flow_ended("f-1"))
    asyncio.run(supervisor.waiting.flow_ended("f-1"))
    assert supervisor.calls == ["approval.ask", "approval.flow_ended"]


def test_parse_is_not_asked_about_and_execute_cannot_run_it_unasked() -> None:
    flow = AskedWhenRun()
    assert flow.ruling(request(), ALLOW) is ALLOW
    assert flow.ruling(request(), APPROVE) is APPROVE
    assert flow.ruling(request(), EXECUTES) is EXECUTES  # nothing that needs a human was prepared
    prepared = flow.ruling(request(Phase.PREPARE), APPROVE)
    assert (prepared.verdict, prepared.approval) == (Verdict.ALLOW, "")
    assert flow.ruling(request(), APPROVE) is APPROVE  # its Bind
    refused = flow.ruling(request(), EXECUTES)
    assert (refused.verdict, refused.reason) == (Verdict.DENY, EXECUTE)
    assert flow.ruling(request(Phase.PREPARE), EXECUTES).verdict is Verdict.DENY
    assert flow.ruling(request(), ALLOW) is ALLOW
    assert AskedWhenRun().ruling(request(), EXECUTES) is EXECUTES  # another session


def test_a_function_call_by_number_cannot_be_shown() -> None:
    ruling = AskedWhenRun().ruling(request(oid=42), APPROVE)
    assert (ruling.verdict, ruling.reason) == (Verdict.DENY, FUNCTION_CALL)
    assert AskedWhenRun().ruling(request(oid=42), ALLOW) is ALLOW


def pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


@pytest.mark.parametrize("how", ["close", "shutdown", "reset"])
@pytest.mark.parametrize("unread", [0, 5, 1 << 16])
def test_hanging_up_is_seen_though_nobody_reads(how: str, unread: int) -> None:
    client, served = pair()
    with served:
        client.setblocking(False)
        if unread:
            client.send(b"x" * unread)
        assert not hung_up(served)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        if how == "shutdown":
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        assert _soon(served)
        client.close()
    assert hung_up(served)


def _soon(sock: socket.socket) -> bool:
    for _ in range(100):
        if hung_up(sock):
            return True
        time.sleep(0.01)
    return False


def test_hanging_up_is_seen_under_tls() -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca.configure_trust(trusting)

    async def go() -> bool:
        client, served = pair()
        both = await asyncio.gather(
            asyncio.to_thread(trusting.wrap_socket, client, server_hostname="localhost"),
            asyncio.to_thread(context.wrap_socket, served, server_side=True),
        )
        with both[1] as there:
            assert not hung_up(there)
            both[0].close()
            return await asyncio.to_thread(_soon, there)

    assert asyncio.run(go())
