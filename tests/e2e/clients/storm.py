"""Many connections that do all kinds of things at once and come back after every failure: `storm.py DSN SECONDS`.

Every text is sent once only, so that a server's log can be compared with the events. Nothing may take longer than
PATIENCE. Prints a line of JSON at the end: how often what was done, in which half of the time, and how it failed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import sys
import time
from collections import Counter
from typing import Any

import psycopg

PATIENCE = 25.0
CONNECTIONS = 12
DSN, SECONDS = sys.argv[1], float(sys.argv[2])
BEGAN = time.monotonic()
logging.getLogger("psycopg").setLevel(logging.CRITICAL)
Connection = psycopg.AsyncConnection[Any]
numbers = itertools.count()
counted: Counter[str] = Counter()


def number() -> str:
    """What no other text has, of this storm or another."""
    return f"{next(numbers)} of {os.getpid()}"


async def simple(c: Connection) -> None:
    cursor = psycopg.AsyncClientCursor(c)
    await cursor.execute(f"SELECT 'storm simple {number()}', %s", (1,))


async def extended(c: Connection) -> None:
    await c.execute(f"SELECT 'storm extended {number()}', %s::int", (1,))


async def prepared(c: Connection) -> None:
    await c.execute(f"SELECT 'storm prepared {number()}', %s::int", (1,), prepare=True)


async def pipeline(c: Connection) -> None:
    async with c.pipeline():
        for _ in range(6):
            await c.execute(f"SELECT 'storm pipeline {number()}', %s::int", (1,))


async def copy_in(c: Connection) -> None:
    async with c.cursor().copy(f"COPY scratch (note) FROM STDIN /* storm in {number()} */") as copy:
        for _ in range(20):
            await copy.write(b"a line of some length\n" * 400)


async def copy_out(c: Connection) -> None:
    text = f"COPY (SELECT repeat('x', 500) FROM generate_series(1, 800)) TO STDOUT /* storm out {number()} */"
    async with c.cursor().copy(text) as copy:
        async for _ in copy:
            pass


async def denied(c: Connection) -> None:
    try:
        await c.execute(f"CREATE TABLE storm_denied_{next(numbers)} ()")
    except psycopg.errors.InsufficientPrivilege:
        counted["denials"] += 1


async def sleeping(c: Connection) -> None:
    await c.execute(f"SELECT 'storm sleep {number()}', pg_sleep(0.3)")


async def one(what: Any) -> None:
    connection: Connection | None = None
    while time.monotonic() < BEGAN + SECONDS:
        began = time.monotonic()
        half = "early" if began < BEGAN + SECONDS / 2 else "late"
        try:
            async with asyncio.timeout(PATIENCE):
                if connection is None:
                    connection = await Connection.connect(DSN, autocommit=True)
                await what(connection)
            counted[f"{what.__name__} {half}"] += 1
            await asyncio.sleep(0.02)
        except TimeoutError:
            counted["hung"] += 1
            connection = None
        except psycopg.Error as error:
            counted[f"failed {error.sqlstate}"] += 1
            if connection is not None and connection.closed:
                connection = None
            await asyncio.sleep(0.05)
        counted["longest"] = max(counted["longest"], round(1000 * (time.monotonic() - began)))


async def main() -> None:
    kinds = (simple, extended, prepared, pipeline, copy_in, copy_out, denied, sleeping)
    await asyncio.gather(*(one(kinds[n % len(kinds)]) for n in range(CONNECTIONS)))
    print(json.dumps(counted))


asyncio.run(main())
