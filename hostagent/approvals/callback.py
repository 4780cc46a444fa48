"""The webhook in: a small HTTP/1.1 server on loopback that takes signed answers.

    POST /v1/approvals/ID   {"approver": "ann", "verdict": "approve", "reason": "…"}
    200 {"state": …} · 400 not such a message · 401 not proven · 403 not by this approver · 404 no such request
    409 answered before, or too late · 413 too long · 503 not recorded

Rules
1.  Nothing of a message is looked at before its signature was checked, over the whole of it.
2.  What is proven is that the key's holder sent it; the approver is a name that it claims, and stands so in the record.
3.  One message a connection; every connection has a deadline, every message a bound.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import h11

from hostagent.approvals.serving import Serving
from hostagent.approvals.signature import BadSignature, Verifier
from hostagent.approvals.values import Answer, Approver, NotTaken, Problem, Via
from hostagent.errors import HostError

MAX_BODY = 16 << 10  # bytes; a name, a word and a reason
_PATH = re.compile(r"/v1/approvals/([0-9A-Za-z][0-9A-Za-z.-]{0,63})")
_STATUS = {Problem.UNKNOWN: 404, Problem.SETTLED: 409, Problem.FORBIDDEN: 403, Problem.WRONG: 400}

Take = Callable[[str, Answer], str]  # (request, answer) → the state of the request; raises NotTaken, HostError


class Reply(Exception):
    """The answer to a message that is not taken."""

    def __init__(self, status: int, error: str) -> None:
        self.status = status
        self.error = error
        super().__init__(error)


class Callback:
    """Takes answers on a listening socket."""

    def __init__(self, sock: socket.socket, key: bytes, take: Take, clock: Callable[[], float] = time.time) -> None:
        self._serving = Serving(sock, self._conversation)
        self._verifier = Verifier(key)
        self._take = take
        self._clock = clock

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._serving.run()

    async def _conversation(self, connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
        try:
            request, body = await _read(connection, reader)
            status, answer = 200, self._answer(request, body)
        except Reply as reply:
            status, answer = reply.status, {"error": reply.error}
        return status, "application/json", json.dumps(answer).encode()

    def _answer(self, request: h11.Request, body: bytes) -> dict[str, Any]:
        path = request.target.decode("ascii", "replace")
        headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
        try:
            self._verifier.check(dict(headers), path, body, self._clock())
        except BadSignature as error:
            raise Reply(401, str(error)) from None
        found = _PATH.fullmatch(path)
        if found is None or request.method != b"POST":
            raise Reply(404, "POST /v1/approvals/ID is all there is")
        try:
            return {"state": self._take(found[1], _message(body, self._clock()))}
        except NotTaken as error:
            raise Reply(_STATUS[error.problem], error.what) from None
        except HostError as error:
            raise Reply(503, error.what) from None


async def _read(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Request, bytes]:
    """One whole message. Raises Reply, h11.RemoteProtocolError."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        match connection.next_event():
            case h11.NEED_DATA:
                connection.receive_data(await reader.read(16_384))
            case h11.Request() as request:
                pass
            case h11.Data(data=data):
                body += data
                if len(body) > MAX_BODY:
                    raise Reply(413, f"a message has at most {MAX_BODY} bytes")
            case h11.EndOfMessage() if request is not None:
                return request, bytes(body)
            case _:
                raise ConnectionResetError("the client left")


def _message(body: bytes, now: float) -> Answer:
    try:
        message = json.loads(body)
        approver, verdict, reason = message.pop("approver"), message.pop("verdict"), message.pop("reason", "")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise Reply(400, "a message is a JSON object: approver, verdict, reason") from None
    if message or not isinstance(reason, str) or verdict not in ("approve", "deny"):
        raise Reply(400, "approver, verdict (approve or deny) and reason are all that is taken")
    if not isinstance(approver, str) or not 0 < len(approver) <= 255 or not approver.isprintable():
        raise Reply(400, "an approver is a name of 1 to 255 characters")
    return Answer(Approver(approver, Via.WEBHOOK), verdict == "approve", reason, now)
