"""Opens sessions with TLS, asks each one thing, and holds them until it is killed: idle.py ADDRESS PORT USER COUNT."""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import Any

import psycopg

AT_ONCE = 16


async def main(address: str, port: str, user: str, count: int) -> None:
    """Says `ready` when all stand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    turn = asyncio.Semaphore(AT_ONCE)
    dsn = f"host={address} port={port} user={user} dbname=postgres sslmode=require"

    async def session() -> psycopg.AsyncConnection[Any]:
        async with turn:
            connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
            await connection.execute("SELECT 1")
            return connection

    standing = await asyncio.gather(*(session() for _ in range(count)))
    print("ready", flush=True)
    await asyncio.Event().wait()
    del standing


asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
