"""Runs a long statement on one connection and kills it from another: `mysql_kill.py ADDRESS OTHER STRANGER`.

OTHER is another address of the server, STRANGER the id of a connection of somebody else. What came of each, as JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import pymysql

ADDRESS, OTHER, STRANGER = sys.argv[1:]
SLEEP = "SELECT SLEEP(60)"


def connect(address: str) -> pymysql.Connection[pymysql.cursors.Cursor]:
    return pymysql.connect(host=address, user="anybody", database="shop", ssl_disabled=True)


def outcome(connection: pymysql.Connection[pymysql.cursors.Cursor], sql: str) -> int:
    """0, or the number of the error."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return int((cursor.fetchone() or (0,))[0])
    except pymysql.MySQLError as error:
        return int(error.args[0])


long, near, far = connect(ADDRESS), connect(ADDRESS), connect(OTHER)
answer: dict[str, int] = {}
runs = threading.Thread(target=lambda: answer.update(long=outcome(long, SLEEP)), daemon=True)
runs.start()
answer["stranger"] = outcome(near, f"KILL QUERY {STRANGER}")
answer["far"] = outcome(far, f"KILL QUERY {long.thread_id()}")
deadline = time.monotonic() + 30
while runs.is_alive() and time.monotonic() < deadline:
    answer["near"] = outcome(near, f"KILL QUERY {long.thread_id()}")
    runs.join(0.1)
answer["after"] = outcome(long, "SELECT 7")
print(json.dumps(answer))
