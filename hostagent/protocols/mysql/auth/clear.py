"""mysql_clear_password: the password itself. Only over TLS that verified the server."""

from __future__ import annotations

NAME = "mysql_clear_password"


def proof(password: bytes) -> bytes:
    """The password as it is sent."""
    return password + b"\0"
