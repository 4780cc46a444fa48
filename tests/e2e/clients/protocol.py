"""Which protocol version a connection got, and whether its cancel key cancels: `protocol.py DSN`."""

from __future__ import annotations

import sys
import threading

import psycopg
from psycopg import pq

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(connection.pgconn.full_protocol_version if pq.version() >= 180000 else "old libpq")
    print(connection.execute("SELECT current_user, 1 + %s", (1,)).fetchone())
    threading.Timer(0.3, connection.cancel_safe).start()
    try:
        connection.execute("SELECT pg_sleep(20)")
    except psycopg.errors.QueryCanceled as error:
        print(error.sqlstate)
    print(connection.execute("SELECT 'goes on'").fetchone())
