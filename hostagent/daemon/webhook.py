"""The webhook of approvals, as hostagent.yaml asks for it: made when the service starts, run with it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hostagent.approvals.callback import Callback
from hostagent.approvals.config import WebhookConfig, address_of
from hostagent.approvals.notify import TIMEOUT, Webhook
from hostagent.approvals.signature import LEAST_KEY
from hostagent.approvals.values import Answer
from hostagent.credentials.http import Server
from hostagent.credentials.sources import read_secret
from hostagent.daemon.approvals import Approvals
from hostagent.errors import FileError, HostError, Location

BACKLOG = 16

Work = Callable[[], Coroutine[Any, Any, None]]


def join_webhook(approvals: Approvals, config: WebhookConfig, file: Path) -> list[Work]:
    """Connect the queue with the webhook; what has to run for it. `file` is hostagent.yaml.

    Raises FileError (the key cannot be read, or is too short), HostError (the address is taken).
    """
    key = read_secret(config.key, "the webhook's key").encode()
    if len(key) < LEAST_KEY:
        what = f"approvals.webhook.key: a key of {len(key)} bytes is too short"
        raise FileError(Location(str(file)), what, f"make one of {LEAST_KEY} bytes or more: openssl rand -hex 32")
    work: list[Work] = []
    if config.url is not None:
        parts = urlsplit(config.url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        webhook = Webhook(Server(f"{parts.scheme}://{parts.netloc}", config.ca_file, TIMEOUT), path, key)
        approvals.notify = webhook.tell
        work.append(webhook.run)
    if config.listen is not None:

        def take(request: str, answer: Answer) -> str:
            return approvals.answer(request, answer).state.value

        work.append(Callback(_listening(config.listen), key, take).run)
    return work


def _listening(listen: str) -> socket.socket:
    host, port = address_of(listen)
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        what = f"answers of the webhook cannot be taken at {listen}: {error.strerror}"
        raise HostError(what, "is the port taken? give another: approvals.webhook.listen") from None
