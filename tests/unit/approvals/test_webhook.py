"""The webhook over real sockets: what goes out is signed and tried again, what comes in is checked to the last byte."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from samples import asked, terms

from hostagent.approvals import notify, serving
from hostagent.approvals.callback import MAX_BODY, Callback
from hostagent.approvals.notify import Webhook
from hostagent.approvals.queue import Queue
from hostagent.approvals.signature import Verifier, signature, signed_headers
from hostagent.approvals.values import Answer, NotTaken, Problem
from hostagent.credentials.http import Server
from hostagent.errors import HostError

KEY = b"a key of the operator's"


# --- out --------------------------------------------------------------------------------------------------------


class Hook(ThreadingHTTPServer):
    """A server of the operator's: keeps what it is sent, and answers as it is told."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One message."""

    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((self.path, headers, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def deliver(hook: Hook, messages: int = 1, tries: int = 1) -> Webhook:
    """Send so many messages and wait until so many tries were made."""
    queue = Queue()
    queue.ask(asked(), terms(), 0.0)

    async def go() -> Webhook:
        webhook = Webhook(Server(hook.address, None, 2.0), "/hook?team=db", KEY, first_pause=0.01)
        running = asyncio.ensure_future(webhook.run())
        for _ in range(messages):
            webhook.tell("asked", queue.find("f-1.1"))
        async with asyncio.timeout(10):
            while webhook.sent + webhook.lost < messages or len(hook.got) < tries:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        return webhook

    thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        return asyncio.run(go())
    finally:
        hook.shutdown()
        thread.join()
        hook.server_close()


def test_a_request_is_told_with_its_text_and_values_and_signed() -> None:
    hook = Hook()
    assert deliver(hook).sent == 1
    path, headers, body = hook.got[0]
    assert path == "/hook?team=db"
    stamp, nonce = int(headers["hostagent-timestamp"]), headers["hostagent-nonce"]
    assert headers["hostagent-signature"] == signature(KEY, "out", stamp, nonce, path, body)
    assert abs(time.time() - stamp) < 10
    message = json.loads(body)
    assert (message["kind"], message["event"], message["request"]["id"]) == ("ApprovalEvent", "asked", "f-1.1")
    assert message["request"]["text"] == "DELETE FROM app.t WHERE id = $1"
    assert message["request"]["values"] == [{"form": "text", "value": "7"}]
    with pytest.raises(Exception, match="does not fit"):  # what goes out is no answer
        Verifier(KEY).check(headers, path, body, time.time())


def test_a_server_in_trouble_is_tried_again_with_another_nonce() -> None:
    hook = Hook(500, 503, 429)
    webhook = deliver(hook, tries=4)
    assert (webhook.sent, webhook.lost, len(hook.got)) == (1, 0, 4)
    assert len({headers["hostagent-nonce"] for _, headers, _ in hook.got}) == 4


def test_it_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = Hook(*[500] * 20)
    webhook = deliver(hook, tries=notify.TRIES)
    assert (webhook.sent, webhook.lost, len(hook.got)) == (0, 1, notify.TRIES)
    refusing = Hook(403)
    assert deliver(refusing).lost == 1
    assert len(refusing.got) == 1  # what is refused is not said again
    moved = Hook(302)
    assert deliver(moved).lost == 1


def test_telling_never_waits_and_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "MAX_QUEUED", 3)
    queue = Queue()
    queue.ask(asked(), terms(), 0.0)

    async def go() -> int:
        webhook = Webhook(Server("http://127.0.0.1:1", None, 1.0), "/", KEY)
        for _ in range(10):
            webhook.tell("asked", queue.find("f-1.1"))
        return webhook.lost

    assert asyncio.run(go()) == 7


def test_nobody_there_is_a_loss_and_no_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    hook = Hook()
    hook.address = f"http://127.0.0.1:{port}"
    assert deliver(hook, tries=0).lost == 1


# --- in ---------------------------------------------------------------------------------------------------------


class Taking:
    """A callback server in a thread, and what it was told."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, Answer]] = []
        self.error: HostError | None = None
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.address = self.sock.getsockname()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()

    async def _run(self) -> None:
        self._task = asyncio.ensure_future(Callback(self.sock, KEY, self.take).run())
        await asyncio.wait([self._task])

    def take(self, request: str, answer: Answer) -> str:
        if self.error is not None:
            raise self.error
        self.answers.append((request, answer))
        return "approved"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()
        self._loop.close()

    def post(
        self,
        message: Any,
        path: str = "/v1/approvals/f-1.1",
        headers: dict[str, str] | None = None,
        method: str = "POST",
    ) -> tuple[int, dict[str, Any]]:
        """What a real HTTP client is answered."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        if headers is None:
            headers = dict(signed_headers(KEY, "in", int(time.time()), secrets.token_hex(16), path, body))
        url = f"http://127.0.0.1:{self.address[1]}{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture
def taking() -> Iterator[Taking]:
    taking = Taking()
    yield taking
    taking.close()


ANSWER = {"approver": "ann", "verdict": "approve", "reason": "ticket 7"}


def test_a_signed_answer_is_taken_as_what_it_is(taking: Taking) -> None:
    assert taking.post(ANSWER) == (200, {"state": "approved"})
    ((request, answer),) = taking.answers
    assert (request, answer.approves, answer.reason, answer.window) == ("f-1.1", True, "ticket 7", 0)
    assert str(answer.approver) == "ann (claimed through the webhook)"
    assert answer.approver.uid is None
    assert taking.post({"approver": "ann", "verdict": "deny"})[0] == 200
    assert not taking.answers[1][1].approves


def test_a_replay_is_refused(taking: Taking) -> None:
    body = json.dumps(ANSWER).encode()
    path = "/v1/approvals/f-1.1"
    headers = dict(signed_headers(KEY, "in", int(time.time()), secrets.token_hex(16), path, body))
    assert taking.post(body, path, headers)[0] == 200
    assert taking.post(body, path, headers) == (401, {"error": "this message came before"})
    assert taking.post(body, "/v1/approvals/f-1.2", headers)[0] == 401  # nor is it good for another request
    assert len(taking.answers) == 1


def test_what_is_not_proven_is_refused(taking: Taking) -> None:
    body, path, now = json.dumps(ANSWER).encode(), "/v1/approvals/f-1.1", int(time.time())
    for headers in (
        {},
        dict(signed_headers(b"x" * 32, "in", now, "n" * 16, path, body)),
        dict(signed_headers(KEY, "out", now, "n" * 16, path, body)),
        dict(signed_headers(KEY, "in", now - 400, "n" * 16, path, body)),
        dict(signed_headers(KEY, "in", now, "n" * 16, path, body + b" ")),
    ):
        assert taking.post(body, path, headers)[0] == 401
    assert taking.answers == []


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 5000,
        b"\xff",
        {"verdict": "approve"},
        {"approver": "", "verdict": "approve"},
        {"approver": "a\nb", "verdict": "approve"},
        {"approver": 7, "verdict": "approve"},
        {"approver": "x" * 256, "verdict": "approve"},
        {"approver": "ann", "verdict": "yes"},
        {"approver": "ann", "verdict": ["approve"]},
        {"approver": "ann", "verdict": "approve", "reason": 7},
        {"approver": "ann", "verdict": "approve", "for": "15m"},
        {"approver": "ann", "verdict": "approve", "uid": 0},
    ],
)
def test_a_message_of_another_shape_is_refused(taking: Taking, message: Any) -> None:
    assert taking.post(message)[0] == 400
    assert taking.answers == []


@pytest.mark.parametrize(
    ("path", "method"),
    [("/", "POST"), ("/v1/approvals/", "POST"), ("/v1/approvals/a/b", "POST"), ("/v1/approvals/f-1.1", "PUT")],
)
def test_there_is_one_thing_to_ask(taking: Taking, path: str, method: str) -> None:
    assert taking.post(ANSWER, path, method=method)[0] == 404


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotTaken(Problem.UNKNOWN, "no"), 404),
        (NotTaken(Problem.SETTLED, "no"), 409),
        (NotTaken(Problem.FORBIDDEN, "no"), 403),
        (NotTaken(Problem.WRONG, "no"), 400),
        (HostError("no"), 503),
    ],
)
def test_what_is_not_taken_says_why(taking: Taking, error: HostError, status: int) -> None:
    taking.error = error
    assert taking.post(ANSWER) == (status, {"error": "no"})


def raw(taking: Taking, data: bytes, seconds: float = 5.0) -> bytes:
    with socket.create_connection(taking.address, timeout=seconds) as sock:
        sock.sendall(data)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def test_what_is_no_http_is_answered_and_hurts_nobody(taking: Taking) -> None:
    assert raw(taking, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert raw(taking, b"POST / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000).startswith(b"HTTP/1.1 431 ")
    assert taking.post(ANSWER)[0] == 200


def test_a_body_is_bounded_whatever_its_head_says(taking: Taking) -> None:
    head = b"POST /v1/approvals/x HTTP/1.1\r\nHost: x\r\n"
    much = b"x" * (MAX_BODY + 1)
    assert raw(taking, head + b"Content-Length: %d\r\n\r\n" % len(much) + much).startswith(b"HTTP/1.1 413 ")
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n" % (len(much), much)
    assert raw(taking, chunked).startswith(b"HTTP/1.1 413 ")


def test_who_is_slow_is_sent_away_and_others_are_served(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "DEADLINE", 0.3)
    with socket.create_connection(taking.address, timeout=5) as slow:
        slow.sendall(b"POST /v1/approvals/x HTTP/1.1\r\nHost")
        assert taking.post(ANSWER)[0] == 200
        assert slow.recv(100) == b""


def test_more_clients_than_the_limit_are_turned_away(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_CLIENTS", 1)
    with socket.create_connection(taking.address, timeout=5) as first:
        first.sendall(b"POST")
        time.sleep(0.1)
        with socket.create_connection(taking.address, timeout=5) as second:
            assert second.recv(100) == b""
