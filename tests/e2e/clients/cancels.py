"""Open connections, let each sleep, cancel each from another connection; print how many were cancelled."""

from __future__ import annotations

import sys
import threading
import time

import psycopg

connections = [psycopg.connect(sys.argv[1]) for _ in range(12)]
cancelled: list[str] = []


def sleep(connection: psycopg.Connection) -> None:
    try:
        connection.execute("SELECT pg_sleep(30)")
    except psycopg.errors.QueryCanceled as error:
        cancelled.append(str(error))


threads = [threading.Thread(target=sleep, args=(connection,)) for connection in connections]
for thread in threads:
    thread.start()
time.sleep(0.5)
for connection in connections:
    connection.cancel_safe()
for thread in threads:
    thread.join()
print(len(cancelled))
