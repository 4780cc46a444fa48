"""mysql_native_password: SHA-1 of the password, under the scramble. Source: MySQL "Native Authentication"."""

from __future__ import annotations

import hashlib

NAME = "mysql_native_password"


def proof(password: bytes, scramble: bytes) -> bytes:
    """SHA1(password) XOR SHA1(scramble + SHA1(SHA1(password))); empty for no password."""
    if not password:
        return b""
    once = hashlib.sha1(password, usedforsecurity=False).digest()
    twice = hashlib.sha1(once, usedforsecurity=False).digest()
    mask = hashlib.sha1(scramble + twice, usedforsecurity=False).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))
