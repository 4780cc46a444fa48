"""Drivers and small tools: psycopg 3, psycopg2, asyncpg with its introspection of types, pg8000, peewee, pgcli."""

from __future__ import annotations

import asyncio
import contextlib
import os

import asyncpg
import peewee
import pg8000.dbapi
import psycopg
import psycopg2
import psycopg2.extras
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo
from psycopg.types.multirange import MultirangeInfo
from psycopg.types.range import RangeInfo


def with_psycopg() -> None:
    with psycopg.connect("") as connection:
        psycopg.types.TypeInfo.fetch(connection, "positive_amount")
        EnumInfo.fetch(connection, "order_status")
        register_composite(CompositeInfo.fetch(connection, "address"), connection)
        RangeInfo.fetch(connection, "daterange")
        MultirangeInfo.fetch(connection, "datemultirange")
        connection.execute("SELECT id, name FROM categories WHERE id = %s", (2,))
        connection.execute("SELECT count(*) FROM products WHERE tags && %s", (["t1", "t2"],))
        connection.execute(
            "INSERT INTO counters VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET hits = counters.hits + 1", ("a", 1)
        )
        with connection.transaction():
            connection.execute("UPDATE counters SET hits = hits + 1 WHERE key = %s RETURNING hits", ("a",))
        with connection.cursor("named") as cursor:
            cursor.execute("SELECT id FROM orders ORDER BY id")
            cursor.fetchmany(10)
            cursor.scroll(5)
            cursor.fetchall()
        with connection.cursor().copy("COPY (SELECT id, total FROM orders ORDER BY id) TO STDOUT") as copy:
            list(copy)
        with connection.cursor().copy("COPY categories (name) FROM STDIN") as copy:
            copy.write_row(("copied",))
        connection.cursor().executemany("INSERT INTO counters VALUES (%s, %s)", [("x", 1), ("y", 2)])
        for _ in range(7):
            connection.execute("SELECT total FROM orders WHERE id = %s", (3,))
        connection.rollback()


def with_psycopg2() -> None:
    connection = psycopg2.connect("")
    with connection, connection.cursor() as cursor:
        psycopg2.extras.register_composite("address", cursor)
        psycopg2.extras.register_uuid(conn_or_curs=cursor)
        cursor.execute("SELECT * FROM orders WHERE status = %s AND id = ANY(%s)", ("new", [1, 2, 3]))
        psycopg2.extras.execute_values(cursor, "INSERT INTO counters (key, hits) VALUES %s", [("p", 1), ("q", 2)])
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with connection, connection.cursor("server_side") as cursor:
        cursor.execute("SELECT id FROM products ORDER BY id")
        cursor.fetchmany(3)
    connection.close()


async def with_asyncpg() -> None:
    connection = await asyncpg.connect()
    await connection.fetch("SELECT id, status, placed FROM orders WHERE status = $1 ORDER BY id", "paid")
    await connection.fetch("SELECT home FROM customers ORDER BY id LIMIT 3")
    await connection.fetch("SELECT valid FROM documents ORDER BY id")
    await connection.set_type_codec("jsonb", encoder=str, decoder=str, schema="pg_catalog")
    await connection.fetchval("SELECT details FROM products WHERE id = $1", 1)
    async with connection.transaction(isolation="serializable", readonly=True):
        async for _ in connection.cursor("SELECT id FROM orders ORDER BY id"):
            pass
    async with connection.transaction(), connection.transaction():
        await connection.execute("UPDATE counters SET hits = 4 WHERE key = $1", "home")
    await connection.executemany("INSERT INTO counters VALUES ($1, $2)", [("m", 1), ("n", 2)])
    await connection.copy_records_to_table("counters", records=[("r", 7)])
    await connection.copy_from_query("SELECT key FROM counters ORDER BY key", output=lambda data: asyncio.sleep(0))
    await connection.add_listener("news", lambda *_: None)
    await connection.reset()
    await connection.close()
    pool = await asyncpg.create_pool(min_size=1, max_size=1)
    async with pool.acquire() as taken:
        await taken.fetchrow("SELECT 1 AS one")
    await pool.close()


def with_pg8000() -> None:
    port = int(os.environ["HARVEST_TCP_PORT"])
    connection = pg8000.dbapi.connect("trusting", "127.0.0.1", os.environ["PGDATABASE"], port)
    cursor = connection.cursor()
    cursor.execute("SELECT id, total FROM orders WHERE id < %s ORDER BY id", (4,))
    cursor.fetchall()
    connection.rollback()
    connection.close()


def with_peewee() -> None:
    database = peewee.PostgresqlDatabase(os.environ["PGDATABASE"])

    class Counter(peewee.Model):
        key = peewee.TextField(primary_key=True)
        hits = peewee.IntegerField()

        class Meta:
            table_name = "counters"

    Counter.bind(database)
    for table in (*database.get_tables(), *database.get_views()):
        if isinstance(table, str) and table.startswith("o"):
            database.get_columns(table), database.get_indexes(table)
            database.get_primary_keys(table), database.get_foreign_keys(table)
    database.sequence_exists("invoice_number")
    Counter.create(key="peewee", hits=1)
    Counter.insert(key="peewee", hits=1).on_conflict(
        conflict_target=[Counter.key], update={Counter.hits: Counter.hits + 1}
    ).execute()
    list(Counter.select(Counter.hits, peewee.fn.COUNT(Counter.key)).group_by(Counter.hits).having(Counter.hits > 0))
    with database.atomic(), contextlib.suppress(ZeroDivisionError), database.atomic():
        Counter.delete().where(Counter.key == "peewee").execute()
        raise ZeroDivisionError


def with_pgcli() -> None:
    from pgcli.pgexecute import PGExecute

    execute = PGExecute(os.environ["PGDATABASE"], os.environ["PGUSER"], "", os.environ["PGHOST"], os.environ["PGPORT"])
    for ask in (
        execute.schemata,
        execute.tables,
        execute.views,
        execute.table_columns,
        execute.view_columns,
        execute.foreignkeys,
        execute.functions,
        execute.datatypes,
        execute.databases,
        execute.casing,
    ):
        list(ask() or ())
    list(execute.search_path())
    execute.full_databases()


with_psycopg()
with_psycopg2()
asyncio.run(with_asyncpg())
with_pg8000()
with_peewee()
with_pgcli()
