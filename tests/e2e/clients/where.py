"""Its own address and port, and the ones that the server sees."""

from __future__ import annotations

import os
import socket
import sys

import psycopg

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    with socket.socket(fileno=os.dup(connection.fileno())) as own:
        print("own", *own.getsockname()[:2])
    seen = "SELECT host(client_addr), client_port FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    print("seen", *connection.execute(seen).fetchone() or ())
