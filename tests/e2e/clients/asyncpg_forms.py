"""What programs do with asyncpg, on one server; prints only what is the same in every run."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import asyncpg

HOST = sys.argv[1]


async def connect() -> asyncpg.Connection[Any]:
    return await asyncpg.connect(host=HOST, user="trusting", database="postgres", ssl="disable")


async def queries(c: asyncpg.Connection[Any]) -> None:
    print([tuple(row) for row in await c.fetch("SELECT * FROM accounts ORDER BY id")])
    print(await c.fetchval("SELECT $1::int + $2::int", 20, 22), await c.fetchrow("SELECT $1::text AS t", "ü"))
    statement = await c.prepare("SELECT owner FROM accounts WHERE id = $1")
    print([await statement.fetchval(n % 2 + 1) for n in range(4)], statement.get_statusmsg())
    print([p.name for p in statement.get_parameters()], [a.name for a in statement.get_attributes()])
    print(await c.execute("CREATE TEMP TABLE t (id int, note text); INSERT INTO t VALUES (0, 'script')"))


async def types(c: asyncpg.Connection[Any]) -> None:
    await c.execute("CREATE TYPE pg_temp.mood AS ENUM ('sad', 'glad')")
    await c.execute("CREATE TYPE pg_temp.pair AS (a int, b pg_temp.mood)")
    print(await c.fetchval("SELECT ROW(1, 'glad')::pg_temp.pair"))
    print(await c.fetchval("SELECT ARRAY['sad', 'glad']::pg_temp.mood[]"), await c.fetchval("SELECT int4range(1, 5)"))


async def many(c: asyncpg.Connection[Any]) -> None:
    await c.executemany("INSERT INTO t VALUES ($1, $2)", [(n, f"note {n}") for n in range(1, 3001)])
    rows = [(n, "copied") for n in range(3001, 4001)]
    print(await c.copy_records_to_table("t", records=rows))
    print(tuple(await c.fetchrow("SELECT count(*), sum(id) FROM t")))
    size = 0

    async def take(data: bytes) -> None:
        nonlocal size
        size += len(data)

    print(await c.copy_from_query("SELECT * FROM t ORDER BY id", output=take, format="csv"), size)


async def cursors(c: asyncpg.Connection[Any]) -> None:
    async with c.transaction():
        print(sum([row["id"] async for row in c.cursor("SELECT id FROM t", prefetch=64)]))
        cursor = await c.cursor("SELECT id FROM t ORDER BY id")
        print([row["id"] for row in await cursor.fetch(3)], await cursor.forward(10), await cursor.fetchrow())


async def errors(c: asyncpg.Connection[Any]) -> None:
    try:
        async with c.transaction():
            await c.execute("INSERT INTO t VALUES (-1, 'undone')")
            async with c.transaction():
                await c.fetchval("SELECT 1 / 0")
    except asyncpg.DivisionByZeroError as error:
        print(error.sqlstate, await c.fetchval("SELECT count(*) FROM t WHERE id < 0"))
    try:
        await c.fetchval("SELECT pg_sleep(30)", timeout=0.3)
    except TimeoutError:
        print("cancelled", await c.fetchval("SELECT 1"))


async def listening(c: asyncpg.Connection[Any]) -> None:
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    await c.add_listener("news", lambda _c, _pid, channel, payload: heard.put_nowait((channel, payload)))
    other = await connect()
    await other.execute("NOTIFY news, 'hello'")
    print(await asyncio.wait_for(heard.get(), 5))
    await other.close()
    await c.reset()


async def pooled() -> None:
    async with asyncpg.create_pool(
        host=HOST, user="trusting", database="postgres", ssl="disable", min_size=4, max_size=4
    ) as pool:
        print(sum(await asyncio.gather(*(pool.fetchval("SELECT $1::int", n) for n in range(200)))))


async def main() -> None:
    connection = await connect()
    for form in (queries, types, many, cursors, errors, listening):
        print("#", form.__name__)
        await form(connection)
    await connection.close()
    await pooled()


asyncio.run(main())
