"""One connection with the driver that the first argument names; what came of each step, as one JSON object.

mysql_forms.py DRIVER ADDRESS CA     CA: a file with the CA of the client leg's certificate, or `off` for no TLS
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Callable
from typing import Any

DRIVER, ADDRESS, CA = sys.argv[1:]
PORT, USER, PASSWORD, DATABASE = 3306, "anybody", "a-placeholder", "shop"
READ = "SELECT owner FROM accounts WHERE id = 1"
DENIED = "DROP TABLE accounts"
LOGIN: dict[str, Any] = {"host": ADDRESS, "port": PORT, "user": USER, "password": PASSWORD}


def steps(run: Callable[[str], list[Any]], failed: type[Exception]) -> dict[str, Any]:
    """A read, and a denial within a transaction that goes on; what the drivers have in common."""
    answer: dict[str, Any] = {"read": run(READ)}
    run("START TRANSACTION")
    run("INSERT INTO scratch VALUES (7, 'kept')")
    try:
        run(DENIED)
    except failed as error:
        answer["denied"] = [error.args[0], str(error.args[1])]
    answer["within"] = run("SELECT count(*) FROM scratch WHERE id = 7")
    run("ROLLBACK")
    answer["after"] = run("SELECT count(*) FROM scratch WHERE id = 7")
    return answer


def pymysql() -> dict[str, Any]:
    import pymysql as driver

    tls = (
        {"ssl_disabled": True} if CA == "off" else {"ssl_ca": CA, "ssl_verify_cert": True, "ssl_verify_identity": True}
    )
    connection = driver.connect(**LOGIN, database=DATABASE, autocommit=True, **tls)
    cursor = connection.cursor()

    def run(sql: str) -> list[Any]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    answer = steps(run, driver.MySQLError)
    cursor.callproc("both")
    answer["call"] = list(cursor.fetchall())
    while cursor.nextset():
        pass
    answer["big"] = len(run("SELECT REPEAT('x', 20000000)")[0][0])
    answer["encrypted"] = connection._secure
    return answer


def mysqlclient() -> dict[str, Any]:
    import MySQLdb as driver

    tls: dict[str, Any] = {"ssl_mode": "DISABLED"} if CA == "off" else {"ssl": {"ca": CA}}
    login = {**LOGIN, "passwd": LOGIN["password"]}
    del login["password"]
    connection = driver.connect(**login, db=DATABASE, charset="utf8mb4", compress=True, **tls)
    connection.autocommit(True)
    cursor = connection.cursor()

    def run(sql: str) -> list[Any]:
        cursor.execute(sql)
        return list(cursor.fetchall())

    answer = steps(run, driver.MySQLError)
    connection.change_user("other", "secret", "mysql")
    answer["change_user"] = run("SELECT DATABASE()")[0][0]
    answer["still"] = run("SELECT 1")
    connection.ping()
    return answer


def connector() -> dict[str, Any]:
    import mysql.connector as driver

    tls: dict[str, Any] = (
        {"ssl_disabled": True} if CA == "off" else {"ssl_ca": CA, "ssl_verify_cert": True, "ssl_verify_identity": True}
    )
    connection = driver.connect(**LOGIN, database=DATABASE, autocommit=True, use_pure=True, **tls)
    cursor = connection.cursor()

    def run(sql: str) -> list[Any]:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.with_rows else []

    answer = steps(run, driver.Error)
    prepared = connection.cursor(prepared=True)
    answer["prepared"] = []
    for number in (1, 2):
        prepared.execute("SELECT id, owner FROM accounts WHERE id = %s", (number,))
        answer["prepared"] += prepared.fetchall()
    prepared.execute("INSERT INTO scratch VALUES (%s, %s)", (8, b"y" * 17_000_000))
    answer["long"] = run("SELECT LENGTH(note) FROM scratch WHERE id = 8")
    run("DELETE FROM scratch WHERE id = 8")
    connection.cmd_change_user("other", "secret", "mysql")
    answer["change_user"] = run("SELECT DATABASE()")[0][0]
    connection.cmd_reset_connection()
    answer["still"] = run("SELECT owner FROM shop.accounts WHERE id = 2")
    connection.close()
    return answer


async def asynchronous(driver: Any) -> dict[str, Any]:
    tls = None if CA == "off" else ssl.create_default_context(cafile=CA)  # which verifies the name, too
    connection = await driver.connect(**LOGIN, db=DATABASE, autocommit=True, ssl=tls)
    answer: dict[str, Any] = {}
    async with connection.cursor() as cursor:
        await cursor.execute(READ)
        answer["read"] = list(await cursor.fetchall())
        try:
            await cursor.execute(DENIED)
        except Exception as error:
            answer["denied"] = [error.args[0], str(error.args[1])]
        await cursor.execute("SELECT 1")
        answer["still"] = list(await cursor.fetchall())
        if DRIVER == "aiomysql":  # of a row of more than 16 MB asyncmy loses all, of a server itself too
            await cursor.execute("SELECT REPEAT('x', 20000000)")
            answer["big"] = len((await cursor.fetchall())[0][0])
        await cursor.callproc("`both`")
        answer["call"] = list(await cursor.fetchall())
    connection.close()
    return answer


def asyncmy() -> dict[str, Any]:
    import asyncmy as driver

    return asyncio.run(asynchronous(driver))


def aiomysql() -> dict[str, Any]:
    import aiomysql as driver

    return asyncio.run(asynchronous(driver))


DRIVERS = {
    "pymysql": pymysql,
    "mysqlclient": mysqlclient,
    "connector": connector,
    "asyncmy": asyncmy,
    "aiomysql": aiomysql,
}
print(json.dumps(DRIVERS[DRIVER](), default=str))
