"""What stock clients really send, as the server logged it: all of it is understood."""

from __future__ import annotations

import subprocess

import mysql.connector
import pymysql
import pytest

from hostagent.sql.analysis import Analysis
from hostagent.sql.mysql import analyze
from tests.corpus.mysql import mysqlworld as world
from tests.lab.mariadb import MariaDB

pytestmark = pytest.mark.timeout(300)

COMMANDS = (
    ("mariadb-dump", "--hex-blob", "--routines", "--events", "--triggers", "--single-transaction", "app"),
    ("mariadb-dump", "--hex-blob", "--opt", "--databases", "app", "other"),
    ("mariadb-show", "--status", "app"),
    ("mariadb-show", "app", "users"),
    ("mariadb-check", "--check", "app"),
    ("mariadb-check", "--analyze", "app"),
    ("mariadb", "--auto-rehash", "app"),
)


def _client(server: MariaDB, command: tuple[str, ...], typed: str = "") -> str:
    program, *arguments = command
    done = subprocess.run(
        [program, "--no-defaults", f"--socket={server.socket}", "--user=root", *arguments],
        input=typed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def _drivers(server: MariaDB) -> None:
    connection = mysql.connector.connect(unix_socket=str(server.socket), user="root", database="app", use_pure=True)
    connection.start_transaction()
    cursor = connection.cursor(prepared=True)
    cursor.execute("SELECT name FROM dept WHERE id = %s", (1,))
    cursor.fetchall()
    connection.commit()
    connection.close()
    with pymysql.connect(unix_socket=str(server.socket), user="root", database="app", charset="utf8mb4") as connection:
        connection.cursor().execute("SELECT name FROM dept WHERE name = %s", ("it's",))


def test_what_clients_send_is_understood(server: MariaDB) -> None:
    world.make(server, "one")
    server.sql("SET GLOBAL log_output = 'TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log = 1")
    try:
        dump = _client(server, COMMANDS[0])
        for command in COMMANDS[1:]:
            _client(server, command, "status\nshow tables;\nselect * from dept;\n" if command[0] == "mariadb" else "")
        server.sql("CREATE DATABASE IF NOT EXISTS restored")
        _client(server, ("mariadb", "restored"), dump)
        _drivers(server)
    finally:
        server.sql("SET GLOBAL general_log = 0")
    with pymysql.connect(unix_socket=str(server.socket), user="root", charset="utf8mb4") as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Prepare')")
        texts = [row[0] if isinstance(row[0], str) else row[0].decode() for row in cursor.fetchall()]
    settings = world.settings(server)
    refused = [text for text in texts if not isinstance(analyze(text, settings), Analysis)]
    assert len(texts) >= 200
    assert not refused
