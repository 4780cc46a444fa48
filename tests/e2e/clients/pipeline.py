"""Three statements in one pipeline, the second of which policy denies: what became of the first and the third."""

from __future__ import annotations

import sys

import psycopg

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    try:
        with connection.pipeline():
            connection.execute("INSERT INTO scratch VALUES (71, 'before')")
            connection.execute("DROP TABLE accounts")
            connection.execute("INSERT INTO scratch VALUES (72, 'after')")
    except psycopg.Error as error:
        print("error", error.sqlstate)
    print("status", connection.info.transaction_status.name)
    with connection.pipeline():
        connection.execute("INSERT INTO scratch VALUES (73, 'later')")
    print(
        "kept", *(row[0] for row in connection.execute("SELECT id FROM scratch WHERE id BETWEEN 71 AND 73 ORDER BY id"))
    )
