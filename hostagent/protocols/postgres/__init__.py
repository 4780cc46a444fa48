"""PostgreSQL, protocol 3.0 and 3.2: a sans-IO session between a client and its server."""

from __future__ import annotations

from hostagent.protocols.postgres.config import Limits, PostgresConfig
from hostagent.protocols.postgres.scram import SaltedPasswords
from hostagent.protocols.postgres.session import PostgresSession

__all__ = ["Limits", "PostgresConfig", "PostgresSession", "SaltedPasswords"]
