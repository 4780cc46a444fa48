"""Capability flags: what is understood here, what the client is offered, and what the server is asked for.

Whatever is not in `UNDERSTOOD` is cleared on both legs, so that neither side sends a byte whose form is not known here.
Both legs speak with the same flags but for SESSION_TRACK, which the server always gets: it says when a setting changes
that a statement's meaning depends on. Source: MySQL "Capabilities Flags", MariaDB "Connection: Capabilities".
"""

from __future__ import annotations

from typing import Final

MYSQL: Final = 1  # CLIENT_LONG_PASSWORD; clear in a greeting: MariaDB, with 32 more flags
CONNECT_WITH_DB: Final = 1 << 3
LOCAL_FILES: Final = 1 << 7  # a file of the client's passes for the statement that names it alone
PROTOCOL_41: Final = 1 << 9
COMPRESSION: Final = (1 << 5) | (1 << 26)  # zlib, zstd: clients that were not offered it leave it off, but for one
SSL: Final = 1 << 11
TRANSACTIONS: Final = 1 << 13
SECURE_CONNECTION: Final = 1 << 15
MULTI_STATEMENTS: Final = 1 << 16
PLUGIN_AUTH: Final = 1 << 19
CONNECT_ATTRS: Final = 1 << 20
PLUGIN_AUTH_LENENC: Final = 1 << 21
SESSION_TRACK: Final = 1 << 23
DEPRECATE_EOF: Final = 1 << 24

_LITTLE: Final = (1 << 1) | (1 << 2) | (1 << 4) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 12) | (1 << 14)
# FOUND_ROWS, LONG_FLAG, NO_SCHEMA, ODBC, IGNORE_SPACE (a part of sql_mode, which is asked for), INTERACTIVE,
# IGNORE_SIGPIPE, RESERVED
_MULTI_RESULTS: Final = (1 << 17) | (1 << 18)  # of texts, and of prepared statements
_EXPIRED_PASSWORDS: Final = 1 << 22

UNDERSTOOD: Final = (
    MYSQL | _LITTLE | CONNECT_WITH_DB | LOCAL_FILES | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | MULTI_STATEMENTS
    | _MULTI_RESULTS | PLUGIN_AUTH | CONNECT_ATTRS | PLUGIN_AUTH_LENENC | _EXPIRED_PASSWORDS | SESSION_TRACK
    | DEPRECATE_EOF
)  # fmt: skip
# not: COMPRESS, OPTIONAL_RESULTSET_METADATA, ZSTD, QUERY_ATTRIBUTES, MULTI_FACTOR, PROGRESS, and all of
# MariaDB's own 32 (bulk operations, extended metadata, cached metadata, …)

NEEDED_OF_SERVER: Final = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | SESSION_TRACK
NEEDED_OF_CLIENT: Final = PROTOCOL_41 | SECURE_CONNECTION


def offered(server: int, client_tls: bool) -> int:
    """The flags of the greeting that the client gets, by those of the server's."""
    return server & UNDERSTOOD | (SSL if client_tls else 0)


def asked_for(client: int, offer: int, server: int, tls: bool) -> int:
    """The flags that the server is logged in to with, by those of the client's answer to the offer."""
    own = PLUGIN_AUTH | SESSION_TRACK | (server & (PLUGIN_AUTH_LENENC | TRANSACTIONS))
    return client & offer & ~SSL | own | (SSL if tls else 0)
