"""Does what its standard input asks, statement by statement, on one connection; each answer is one line of JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import psycopg


def do(connection: psycopg.Connection[Any], ask: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"rows": None, "error": "", "text": "", "hint": ""}
    try:
        cursor = connection.execute(ask["sql"], prepare=ask["prepare"])
        answer["rows"] = cursor.fetchall() if cursor.description else None
    except psycopg.Error as error:
        answer |= {"error": error.sqlstate, "text": error.diag.message_primary, "hint": error.diag.message_hint}
    return {**answer, "transaction": connection.info.transaction_status.name}


with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(json.dumps({"pid": os.getpid(), "backend": connection.info.backend_pid}), flush=True)
    for line in sys.stdin:
        print(json.dumps(do(connection, json.loads(line)), default=str), flush=True)
