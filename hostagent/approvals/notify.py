"""The webhook out: tells a server of the operator's what is asked and answered. It never makes anybody wait.

What is told stands in a bounded queue and is sent by a few senders; each message is tried a bounded number of times and
then given up, which is counted and logged. Messages may arrive out of order: each says when it was made.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import time
from typing import Any

from hostagent.approvals.queue import Request
from hostagent.approvals.signature import signed_headers
from hostagent.approvals.view import whole
from hostagent.credentials.http import HttpError, Server

log = logging.getLogger("hostagent.approvals")

MAX_QUEUED = 1000  # messages; a request makes two or three
SENDERS = 4  # a server that is slow for one does not hold up the others
TRIES = 5
FIRST_PAUSE = 1.0  # seconds, doubled after each try: 15 s in all
TIMEOUT = 10.0  # seconds for one try
_AGAIN = frozenset({408, 425, 429})  # and every 5xx: the server asks for another try


class Webhook:
    """Sends to one address. `run` has to run for anything to be sent."""

    def __init__(self, server: Server, path: str, key: bytes, first_pause: float = FIRST_PAUSE) -> None:
        self._server = server
        self._path = path
        self._key = key
        self._first_pause = first_pause
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)
        self.sent = 0
        self.lost = 0

    def tell(self, what: str, request: Request) -> None:
        """Let the server know what happened to a request; returns at once."""
        try:
            self._queue.put_nowait(_body(what, request))
        except asyncio.QueueFull:
            self._lose("the queue is full")

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(SENDERS):
                tasks.create_task(self._send_all())

    async def _send_all(self) -> None:
        while True:
            await self._deliver(await self._queue.get())

    async def _deliver(self, body: bytes) -> None:
        pause, why = self._first_pause, ""
        for number in range(TRIES):
            if number:
                await asyncio.sleep(pause)
                pause *= 2
            try:
                status = await self._post(body)
            except HttpError as error:
                why = str(error)
                continue
            if 200 <= status < 300:
                self.sent += 1
                return
            why = f"it answered {status}"
            if status < 500 and status not in _AGAIN:
                break
        self._lose(why)

    async def _post(self, body: bytes) -> int:
        nonce, now = secrets.token_hex(16), int(time.time())
        headers = signed_headers(self._key, "out", now, nonce, self._path, body)
        headers.append(("Content-Type", "application/json"))
        return (await self._server.ask("POST", self._path, headers, body)).status

    def _lose(self, why: str) -> None:
        self.lost += 1
        log.warning("webhook_lost address=%s why=%s", self._server.address, why)


def _body(what: str, request: Request) -> bytes:
    message: dict[str, Any] = {
        "apiVersion": "hostagent/v1",
        "kind": "ApprovalEvent",
        "event": what,
        "at": time.time(),
        "host": socket.gethostname(),
        "request": whole(request),
    }
    return json.dumps(message, separators=(",", ":")).encode()
