"""What a PostgreSQL session is told about its target, and the limits it keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hostagent.protocols.base import Credential
from hostagent.protocols.postgres.scram import SaltedPasswords
from hostagent.protocols.postgres.scram_server import Verifier
from hostagent.values.target import UpstreamTls


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of each thing one session may keep. What goes beyond is denied or ends the session, never cut."""

    statement: int = (
        1 << 20
    )  # bytes of a Query or Parse message: the analyzer's own bound; hand-written SQL is far below
    server_message: int = 4 << 20  # bytes of a buffered server message: an error may quote a whole statement and row
    in_flight: int = 65_536  # answers outstanding; then the client leg waits (asyncpg's executemany goes far)
    statements: int = 10_000  # prepared statements by name; drivers keep 100 to 1,000
    statement_bytes: int = 32 << 20  # text of all prepared statements together
    portals: int = 10_000  # portals by name; most clients use the unnamed one alone
    early: int = 1 << 20  # bytes that a client may send before it may speak


@dataclass(frozen=True, slots=True)
class PostgresConfig:
    """One session's target. `target` names it in errors; `salted` remembers SCRAM keys from session to session.

    `client_tls`: whether SSLRequest is answered with S. `random_bytes(n)` gives n random bytes
    from a cryptographic source (cancel keys, SCRAM nonces). `placeholder`: clients must show that they know it.
    """

    target: str
    upstream_tls: UpstreamTls
    credential: Credential | None
    salted: SaltedPasswords
    random_bytes: Callable[[int], bytes]
    client_tls: bool = True
    limits: Limits = field(default_factory=Limits)
    placeholder: Verifier | None = None
