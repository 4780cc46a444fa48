"""What a MySQL session is told about its target, and the limits it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hostagent.protocols.base import Credential
from hostagent.values.target import UpstreamTls


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each thing one session may keep. What goes beyond is denied or ends the session, never cut."""

    statement: int = 1 << 20  # bytes of a statement's text: the analyzer's own bound; mysqldump writes just below
    server_packet: int = 4 << 20  # bytes of a packet of the server that is looked at: not rows, those stream
    login_packet: int = 64 << 10  # bytes of a packet before the client is let in: a token or a ticket fits
    statements: int = 16_382  # prepared statements: max_prepared_stmt_count of a server, for all sessions of it
    statement_bytes: int = 32 << 20  # text of all prepared statements together
    early: int = 1 << 20  # bytes that a client may send before the server has answered
    held: int = 256 << 10  # bytes of a command that is held for a human, who has to look at it


@dataclass(frozen=True, slots=True)
class MysqlConfig:
    """One session's target. `target` names it in errors; `random_bytes(n)`: from a cryptographic source (scrambles).

    `client_tls`: whether the greeting offers TLS.
    """

    target: str
    upstream_tls: UpstreamTls
    credential: Credential | None
    random_bytes: Callable[[int], bytes]
    client_tls: bool = True
    limits: Limits = field(default_factory=Limits)
