"""The session hides nothing and adds nothing: what clients see through it is what they see of the server itself."""

from __future__ import annotations

import datetime
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mysql.connector
import pytest

from hostagent.protocols.base import Credential
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.auth import native
from hostagent.protocols.mysql.config import MysqlConfig
from hostagent.protocols.mysql.handshake import Answer, Greeting
from hostagent.protocols.mysql.packets import packet
from hostagent.values.target import UpstreamTls
from tests.lab.mariadb import MariaDB
from tests.lab.mysql_pump import Pump

SCRIPT = (Path(__file__).parent / "mysql" / "parity.sql").read_text(encoding="utf-8")
SECRET = "app-s3cret-9b1f"
PREPARED: list[tuple[str, tuple[Any, ...]]] = [
    ("SELECT * FROM types WHERE id > %s", (0,)),
    ("SELECT %s + 1, %s, %s", (5, "é", None)),
    ("INSERT INTO types (id, a) VALUES (%s, %s)", (50, 7)),
    ("SELECT COUNT(*) FROM types WHERE d < %s", (datetime.datetime(2030, 1, 1),)),
    ("CALL p2(%s)", (1,)),
    ("SELECT * FROM no_such_table WHERE a = %s", (1,)),
    ("SELECT SLEEP(0), %s", (b"\x00\xff",)),
]


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = MariaDB(port, tls=False).start()
    made.sql(f"CREATE USER app IDENTIFIED BY '{SECRET}'; GRANT ALL ON *.* TO app")
    yield made
    made.stop()


@pytest.fixture(params=[65536, 7])
def pump(server: MariaDB, request: pytest.FixtureRequest) -> Iterator[Pump]:
    config = MysqlConfig("shop", UpstreamTls.OFF, Credential("app", SECRET), os.urandom)
    made = Pump(config, server.port, request.param)
    yield made
    made.close()


def printed(server: MariaDB, port: int) -> str:
    """What the mariadb client prints of the script, in a database that is new."""
    server.sql("DROP DATABASE IF EXISTS shop; CREATE DATABASE shop")
    command = ["mariadb", "--no-defaults", "-vvv", "--unbuffered", "--force", "--show-warnings", "--skip-ssl"]
    done = subprocess.run(
        [*command, "-h", "127.0.0.1", "-P", str(port), "-u", "app", "shop"], env={**os.environ, "MYSQL_PWD": SECRET},
        input=SCRIPT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    return re.sub(r"\(?[0-9]+\.[0-9]+ sec\)?", "", done.stdout)


def fetched(port: int) -> list[object]:
    """What comes of prepared statements."""
    connection = mysql.connector.connect(
        host="127.0.0.1", port=port, user="app", password=SECRET, database="shop", use_pure=True, ssl_disabled=True
    )
    found: list[object] = []
    cursor = connection.cursor(prepared=True)
    for sql, values in PREPARED:
        try:
            cursor.execute(sql, values)
            found.append(cursor.fetchall() if cursor.description else cursor.rowcount)
        except mysql.connector.Error as error:
            found.append(str(error))
    connection.rollback()
    connection.close()
    return found


def test_the_client_prints_the_same(server: MariaDB, pump: Pump) -> None:
    direct = printed(server, server.port)
    assert direct.count("ERROR") > 5
    assert printed(server, pump.port) == direct
    assert fetched(pump.port) == fetched(server.port)
    assert not pump.errors


class Raw:
    """A client of a few lines, for what no driver does; it compares nothing, it only counts packets."""

    def __init__(self, port: int, flags: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        greeting = Greeting.read(self.read())
        proof = native.proof(SECRET.encode(), greeting.scramble)
        answer = Answer(flags & greeting.flags, 1 << 24, 45, b"app", proof, b"shop", native.NAME, b"")
        self._socket.sendall(packet(1, answer.encode()))
        assert self.read()[0] == 0

    def read(self) -> bytes:
        """The payload of the next packet."""
        head = self._exactly(4)
        return self._exactly(int.from_bytes(head[:3], "little"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            assert piece, "the session ended"
            data += piece
        return data

    def ask(self, kind: int, body: bytes, packets: int) -> list[bytes]:
        """The first packets of the answer to a command."""
        self._socket.sendall(packet(0, bytes((kind,)) + body))
        return [self.read() for _ in range(packets)]

    def close(self) -> None:
        self._socket.close()


def through_a_cursor(port: int, flags: int) -> list[list[bytes]]:
    """Three rows by FETCH, two at a time, and what the server says in between."""
    client = Raw(port, flags)
    ends = 0 if flags & can.DEPRECATE_EOF else 1
    prepared = client.ask(0x16, b"SELECT seq FROM seq_1_to_3", 2 + ends)
    number = prepared[0][1:5]
    seen = [prepared[1:]]
    seen.append(client.ask(0x17, number + b"\x01" + (1).to_bytes(4, "little"), 3))
    seen.append(client.ask(0x1C, number + (2).to_bytes(4, "little"), 3))
    seen.append(client.ask(0x1C, number + (2).to_bytes(4, "little"), 2))
    seen.append(client.ask(0x1A, number, 1))
    client.ask(0x19, number, 0)
    seen.append(client.ask(0x0E, b"", 1))
    client.close()
    return seen


@pytest.mark.parametrize("flags", [can.UNDERSTOOD, can.UNDERSTOOD & ~can.DEPRECATE_EOF])
def test_rows_of_a_cursor_come_the_same(server: MariaDB, pump: Pump, flags: int) -> None:
    server.sql("CREATE DATABASE IF NOT EXISTS shop")
    flags &= ~can.CONNECT_ATTRS
    assert through_a_cursor(pump.port, flags) == through_a_cursor(server.port, flags)
    assert not pump.errors
