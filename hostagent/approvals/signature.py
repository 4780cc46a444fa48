"""Signatures of the webhook: HMAC-SHA256 under one key, both ways, bound to direction, path, time and one-time nonce.

    HostAgent-Timestamp: 1767225600           seconds since the epoch
    HostAgent-Nonce:     3f9c…                16 to 64 letters, digits, `-`, `_`; never twice
    HostAgent-Signature: v1=<hex>             HMAC-SHA256(key, message)

    message = "v1\\n<direction>\\n<timestamp>\\n<nonce>\\n<path and query>\\n" + body

`direction` is `out` for what hostagent sends and `in` for what it is sent: neither can be played back as the other.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal

TIMESTAMP, NONCE, SIGNATURE = "HostAgent-Timestamp", "HostAgent-Nonce", "HostAgent-Signature"
WINDOW = 300  # seconds that clocks may differ, either way; as in other signed webhooks
MAX_NONCES = 10_000  # within two windows; only the key's holder can fill it
LEAST_KEY = 16  # bytes of a key

Direction = Literal["out", "in"]

_NONCE = re.compile(r"[0-9A-Za-z_-]{16,64}")
_NUMBER = re.compile(r"[0-9]{1,12}")


class BadSignature(Exception):
    """The message is not proven, too old, or was seen before. The text may be told to whoever sent it."""


def signature(key: bytes, direction: Direction, timestamp: int, nonce: str, path: str, body: bytes) -> str:
    """The value of the signature header."""
    message = f"v1\n{direction}\n{timestamp}\n{nonce}\n{path}\n".encode() + body
    return "v1=" + hmac.new(key, message, hashlib.sha256).hexdigest()


def signed_headers(
    key: bytes, direction: Direction, timestamp: int, nonce: str, path: str, body: bytes
) -> list[tuple[str, str]]:
    """The three headers of a message."""
    proof = signature(key, direction, timestamp, nonce, path, body)
    return [(TIMESTAMP, str(timestamp)), (NONCE, nonce), (SIGNATURE, proof)]


class Verifier:
    """Checks what comes in, and remembers what came."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._seen: dict[str, float] = {}  # nonce → when it may be forgotten

    def check(self, headers: Mapping[str, str], path: str, body: bytes, now: float) -> None:
        """Raises BadSignature. `headers` by their names in lower case. A nonce is used up by this."""
        stamp, nonce, given = (headers.get(name.lower(), "") for name in (TIMESTAMP, NONCE, SIGNATURE))
        if not _NUMBER.fullmatch(stamp) or not _NONCE.fullmatch(nonce) or not given:
            raise BadSignature(f"the headers {TIMESTAMP}, {NONCE} and {SIGNATURE} are needed")
        wanted = signature(self._key, "in", int(stamp), nonce, path, body)
        if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
            raise BadSignature("the signature does not fit")
        if abs(now - int(stamp)) > WINDOW:
            raise BadSignature(f"the timestamp is more than {WINDOW} s off")
        if nonce in self._seen and now < self._seen[nonce]:
            raise BadSignature("this message came before")
        self._remember(nonce, int(stamp) + WINDOW + 1, now)

    def _remember(self, nonce: str, until: float, now: float) -> None:
        if len(self._seen) >= MAX_NONCES:
            self._seen = {kept: end for kept, end in self._seen.items() if now < end}
            if len(self._seen) >= MAX_NONCES:
                raise BadSignature("too many messages at once")
        self._seen[nonce] = until
