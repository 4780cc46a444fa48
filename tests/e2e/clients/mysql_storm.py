"""Many MySQL sessions at once for some seconds, each of whose texts is sent once only; prints how often what went well.

mysql_storm.py ADDRESS SECONDS NAME     `KIND late`: in the last third of it; `hung`: no answer in time
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter

import mysql.connector
import pymysql

ADDRESS, SECONDS, NAME = sys.argv[1], float(sys.argv[2]), sys.argv[3]
PATIENCE = 20  # seconds for one answer
KINDS = ("simple", "many", "prepared", "write", "denied", "bulk")
BEGAN = time.monotonic()
counted: Counter[str] = Counter()
LOGIN = {"host": ADDRESS, "port": 3306, "user": "anybody", "password": "", "database": "shop"}


def connection(kind: str) -> object:
    if kind == "prepared":
        return mysql.connector.connect(**LOGIN, use_pure=True, ssl_disabled=True, connection_timeout=PATIENCE)
    from pymysql.constants import CLIENT

    return pymysql.connect(
        **LOGIN, ssl_disabled=True, autocommit=True, connect_timeout=PATIENCE, read_timeout=PATIENCE,
        client_flag=CLIENT.MULTI_STATEMENTS,
    )  # fmt: skip


def ask(session: object, kind: str, mark: str) -> None:
    if kind == "prepared":
        with session.cursor(prepared=True) as cursor:  # type: ignore[attr-defined]
            cursor.execute(f"SELECT ?, '{mark}'", (1,))
            assert len(cursor.fetchall()) == 1
        return
    text = {
        "simple": f"SELECT owner, '{mark}' FROM accounts WHERE id = 1",
        "many": f"SELECT 1, '{mark}'; SELECT 2",
        "write": f"INSERT INTO scratch VALUES (1, '{mark}')",
        "denied": f"DROP TABLE accounts /* {mark} */",
        "bulk": f"SELECT seq, REPEAT('x', 100), '{mark}' FROM seq_1_to_2000",
    }[kind]
    with session.cursor() as cursor:  # type: ignore[attr-defined]
        try:
            cursor.execute(text)
            cursor.fetchall()
            while cursor.nextset():
                cursor.fetchall()
        except pymysql.err.OperationalError as error:
            if kind != "denied" or error.args[0] != 1142:
                raise
        else:
            assert kind != "denied"


def work(kind: str, number: int) -> None:
    session, asked = None, 0
    while (passed := time.monotonic() - BEGAN) < SECONDS:
        asked += 1
        began = time.monotonic()
        try:
            session = session or connection(kind)
            ask(session, kind, f"storm {NAME} {kind} {number} {asked}.")
        except (pymysql.MySQLError, mysql.connector.Error, OSError):
            session = None
            counted["hung"] += time.monotonic() - began >= PATIENCE
            time.sleep(0.05)
        else:
            counted[f"{kind} late"] += passed > SECONDS * 2 / 3
        time.sleep(0.01)


def main() -> None:
    threads = [threading.Thread(target=work, args=(kind, number)) for kind in KINDS for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(counted))


main()
