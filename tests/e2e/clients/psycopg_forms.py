"""What programs do with psycopg 3, on one server; prints only what is the same in every run."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql

DSN = sys.argv[1]
logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it warns or not by when an answer comes, not by what it says
Connection = psycopg.Connection[Any]


def simple(c: Connection) -> None:
    print(c.execute("SELECT id, owner FROM accounts ORDER BY id").fetchall())
    print(c.execute("SELECT 1; SELECT 2").statusmessage)
    print(c.execute("").statusmessage)


def bound(c: Connection) -> None:
    print(c.execute("SELECT %s::int + 1, %s::text, %t", (41, "ü", "x\ny")).fetchone())
    print(c.execute("SELECT %s::bytea", (bytes(range(256)) * 40,)).fetchone() == (bytes(range(256)) * 40,))
    print(psycopg.ClientCursor(c).execute("SELECT %s, %s", ("it's", None)).fetchone())
    print(psycopg.RawCursor(c).execute("SELECT $1::int", (5,)).fetchone())


def binary(c: Connection) -> None:
    with c.cursor(binary=True) as cursor:
        print(cursor.execute("SELECT 1.5::float8, now() > 'epoch', '{1,2}'::int[], %b::int8", (1 << 40,)).fetchone())


def prepared(c: Connection) -> None:
    c.prepare_threshold = 2
    print([c.execute("SELECT owner FROM accounts WHERE id = %s", (n % 2 + 1,)).fetchone() for n in range(8)])
    print(c.execute("SELECT count(*) FROM pg_prepared_statements").fetchone())
    c.prepared_max = 1
    print([c.execute(sql.SQL("SELECT {}").format(sql.Literal(n % 3)), prepare=True).fetchone() for n in range(6)])


def pipeline(c: Connection) -> None:
    with c.pipeline() as pipe:
        cursors = [c.execute("SELECT %s::int * 2", (n,)) for n in range(50)]
        pipe.sync()
        print(sum(cursor.fetchone()[0] for cursor in cursors))  # type: ignore[index]
    try:
        with c.pipeline():
            c.execute("SELECT 1 / 0 FROM accounts")
            c.execute("SELECT 1")
    except psycopg.Error as error:
        print(error.sqlstate)
    c.cursor().executemany("INSERT INTO pg_temp.many VALUES (%s)", [(n,) for n in range(500)])
    print(c.execute("SELECT count(*), sum(n) FROM pg_temp.many").fetchone())


def cursors(c: Connection) -> None:
    with c.transaction(), c.cursor("named", scrollable=True) as cursor:
        cursor.itersize = 30
        cursor.execute("SELECT g FROM generate_series(1, 100) g")
        print(sum(row[0] for row in cursor))
        cursor.scroll(0, "absolute")
        print(cursor.fetchmany(3))
    print(sum(row[0] for row in c.cursor().stream("SELECT generate_series(1, 1000)")))


def copying(c: Connection) -> None:
    with c.cursor() as cursor:
        with cursor.copy("COPY pg_temp.copied FROM STDIN") as copy:
            for n in range(2000):
                copy.write_row((n, f"row\t{n}\n" * 20))
        with cursor.copy("COPY (SELECT * FROM pg_temp.copied ORDER BY id) TO STDOUT") as copy:
            print(sum(1 for _ in copy.rows()))
        with cursor.copy("COPY pg_temp.copied TO STDOUT (FORMAT binary)") as copy:
            print(sum(len(block) for block in copy))
        with cursor.copy("COPY pg_temp.copied (id, note) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "text"])
            copy.write_row((-1, "binary"))
        try:
            with cursor.copy("COPY pg_temp.copied FROM STDIN") as copy:
                copy.write("no number\tx\n")
        except psycopg.Error as error:
            print(error.sqlstate)
        try:
            with cursor.copy("COPY pg_temp.copied FROM STDIN") as copy:
                raise KeyError("given up")
        except KeyError:
            print(c.info.transaction_status.name)
    print(c.execute("SELECT count(*) FROM pg_temp.copied").fetchone())


def notified(c: Connection) -> None:
    c.execute("LISTEN news")
    with psycopg.connect(DSN, autocommit=True) as other:
        other.execute("NOTIFY news, 'first'")
        other.execute("SELECT pg_notify('news', 'second')")
    print([(n.channel, n.payload) for n in c.notifies(timeout=5, stop_after=2)])
    c.execute("UNLISTEN *")


def noticed(c: Connection) -> None:
    c.add_notice_handler(lambda notice: print(notice.severity, notice.message_primary))
    c.execute("DROP TABLE IF EXISTS pg_temp.never_was")


def cancelled(c: Connection) -> None:
    started = time.monotonic()
    threading.Timer(0.3, c.cancel_safe).start()
    try:
        c.execute("SELECT pg_sleep(30)")
    except psycopg.errors.QueryCanceled as error:
        print(error.sqlstate, time.monotonic() - started < 10, c.execute("SELECT 1").fetchone())


def transactions(c: Connection) -> None:
    with c.transaction():
        c.execute("INSERT INTO pg_temp.copied VALUES (-2, 'outer')")
        try:
            with c.transaction():
                c.execute("INSERT INTO pg_temp.copied VALUES (-3, 'inner')")
                c.execute("SELECT 1 / 0")
        except psycopg.Error as error:
            print(error.sqlstate, c.info.transaction_status.name)
    print(c.execute("SELECT id FROM pg_temp.copied WHERE id < -1").fetchall(), c.info.transaction_status.name)
    with psycopg.connect(DSN) as other:
        other.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        print(other.execute("SHOW transaction_isolation").fetchone(), other.info.transaction_status.name)
        other.rollback()


def large(c: Connection) -> None:
    print(len(c.execute("SELECT repeat('x', 20000000)").fetchone()[0]))  # type: ignore[index]
    print(c.execute("SELECT length(%s)", ("y" * 700_000,)).fetchone())


def reported(c: Connection) -> None:
    print(c.info.parameter_status("server_encoding"), c.info.encoding, c.info.user, c.info.dbname)
    c.execute("SET application_name TO 'forms'")
    print(c.info.parameter_status("application_name"))


FORMS: tuple[Callable[[Connection], None], ...] = (
    simple, bound, binary, prepared, pipeline, cursors, copying, notified, noticed, cancelled, transactions, large,
    reported,
)  # fmt: skip

with psycopg.connect(DSN, autocommit=True) as connection:
    connection.execute("CREATE TEMP TABLE many (n int)")
    connection.execute("CREATE TEMP TABLE copied (id int, note text)")
    for form in FORMS:
        print("#", form.__name__)
        form(connection)
