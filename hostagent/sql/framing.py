"""The analyzer's wire form, both ways: a 4-byte big-endian length, then that many bytes of UTF-8 JSON.

What a text does: {"text": …, "standard_conforming_strings": bool} → {"analysis": …} or {"unanalyzed": reason}.
The text with masks: {"text": …, "masks": …, "catalog": answer of the catalog query or ""} → {"result": …}.
A text of MySQL or MariaDB comes with {"mysql": the session's settings} instead of "standard_conforming_strings".
One request and one reply a connection.
"""

from __future__ import annotations

import json
from typing import Any

HEADER = 4
MAX_FRAME = 16 << 20  # an analysis names each column once; a text of the longest kind stays below


def encode(message: dict[str, Any]) -> bytes:
    """One frame. A lone surrogate of a text survives, so that the analyzer refuses it."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return len(body).to_bytes(HEADER, "big") + body


def length(header: bytes) -> int:
    """The length that a header announces. Raises ValueError above MAX_FRAME."""
    size = int.from_bytes(header, "big")
    if size > MAX_FRAME:
        raise ValueError(f"a frame of {size} bytes")
    return size


def decode(body: bytes) -> dict[str, Any]:
    """The message of a frame. Raises ValueError on anything but a JSON object."""
    message = json.loads(body)
    if not isinstance(message, dict):
        raise ValueError("a frame holds an object")
    return message
