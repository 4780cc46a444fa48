"""Packets of both sides, and a session that has been let in."""

from __future__ import annotations

from hostagent.protocols.base import Connect, Credential, Session
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.config import Limits, MysqlConfig
from hostagent.protocols.mysql.handshake import Answer, Greeting
from hostagent.protocols.mysql.packets import as_lenenc, as_lenenc_bytes, packet
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.mysql.settings import PROBE, TRACK
from hostagent.values.target import UpstreamTls
from tests.unit.protocols.playbook import (
    Connected,
    FromClient,
    FromUpstream,
    Playbook,
)

VERSION = "5.5.5-10.11.19-MariaDB"
SCRAMBLE = b"abcdefgh12345678901x"
OWN_SCRAMBLE = b"\x21" * 20
SERVER = can.UNDERSTOOD & ~can.MYSQL | can.SSL | 1 << 5 | 1 << 7 | 1 << 27 | 1 << 29
CLIENT = (
    can.PROTOCOL_41 | can.SECURE_CONNECTION | can.PLUGIN_AUTH | can.PLUGIN_AUTH_LENENC | can.CONNECT_WITH_DB
    | can.TRANSACTIONS | can.DEPRECATE_EOF | can.SESSION_TRACK | can.MULTI_STATEMENTS
)  # fmt: skip
OLD_EOF = CLIENT & ~(can.DEPRECATE_EOF | can.SESSION_TRACK)
STATUS = 0x0002
AUTOCOMMIT = STATUS.to_bytes(2, "little")


def config(
    tls: UpstreamTls = UpstreamTls.OFF,
    credential: Credential | None = Credential("app", "secret"),  # noqa: B008
    limits: Limits | None = None,
) -> MysqlConfig:
    return MysqlConfig("shop", tls, credential, lambda size: b"\x21" * size, limits=limits or Limits())


def greeting(flags: int = SERVER, plugin: str = "mysql_native_password", scramble: bytes = SCRAMBLE) -> bytes:
    return packet(0, Greeting(VERSION, 7, scramble, flags, 45, STATUS, plugin).encode())


def our_greeting(plugin: str = "mysql_native_password", scramble: bytes = OWN_SCRAMBLE, server: int = SERVER) -> bytes:
    return greeting(can.offered(server, True), plugin, scramble)


def answer(
    flags: int = CLIENT, user: bytes = b"me", proof: bytes = b"\x99" * 20, plugin: str = "mysql_native_password"
) -> Answer:
    return Answer(flags, 1 << 24, 45, user, proof, b"shop", plugin, b"")


def ok(
    sequence: int, status: int = STATUS, affected: int = 0, info: bytes = b"", state: bytes = b"", kind: int = 0
) -> bytes:
    body = bytes((kind,)) + as_lenenc(affected) + b"\0" + (status | (0x4000 if state else 0)).to_bytes(2, "little")
    body += b"\0\0"
    if info or state:
        body += as_lenenc_bytes(info)
    return packet(sequence, body + (as_lenenc_bytes(state) if state else b""))


def eof(sequence: int, status: int = STATUS) -> bytes:
    return packet(sequence, b"\xfe\0\0" + status.to_bytes(2, "little"))


def variable(name: bytes, value: bytes) -> bytes:
    return b"\0" + as_lenenc_bytes(as_lenenc_bytes(name) + as_lenenc_bytes(value))


def schema(name: bytes) -> bytes:
    return b"\x01" + as_lenenc_bytes(as_lenenc_bytes(name))


def column(sequence: int, name: bytes = b"c") -> bytes:
    parts = b"".join(as_lenenc_bytes(part) for part in (b"def", b"shop", b"t", b"t", name, name))
    return packet(sequence, parts + b"\x0c" + bytes(12))


def row(sequence: int, *values: bytes | None) -> bytes:
    return packet(sequence, b"".join(b"\xfb" if value is None else as_lenenc_bytes(value) for value in values))


def result(*rows: tuple[bytes | None, ...], deprecate_eof: bool = True, status: int = STATUS, start: int = 1) -> bytes:
    """A text result set."""
    width = len(rows[0]) if rows else 1
    parts = [packet(start, bytes((width,)))]
    parts += [column(start + 1 + i) for i in range(width)]
    number = start + 1 + width
    if not deprecate_eof:
        parts.append(eof(number, status))
        number += 1
    for values in rows:
        parts.append(row(number, *values))
        number += 1
    parts.append(ok(number, status, kind=0xFE) if deprecate_eof else eof(number, status))
    return b"".join(parts)


def query(text: str) -> bytes:
    return packet(0, b"\x03" + text.encode())


def command(kind: int, body: bytes = b"") -> bytes:
    return packet(0, bytes((kind,)) + body)


def probed(sql_mode: bytes = b"", charset: bytes = b"utf8mb4", database: bytes = b"shop", names: bytes = b"0") -> bytes:
    """The answer to our own question for the settings, but for its form."""
    return b"\0".join((sql_mode, charset, names, b"10.11.19-MariaDB", database))


def probe_result(deprecate_eof: bool, **values: bytes) -> bytes:
    sql_mode, charset, names, version, database = probed(**values).split(b"\0")
    cells = [v.hex().encode() for v in (sql_mode, charset)], names, [v.hex().encode() for v in (version, database)]
    return result((*cells[0], names.hex().encode(), *cells[2]), deprecate_eof=deprecate_eof)


def let_in(flags: int = CLIENT, limits: Limits | None = None, **values: bytes) -> Playbook:
    """A session whose client may send its first command."""
    return Playbook(lambda: started(flags, limits, **values))


def started(flags: int = CLIENT, limits: Limits | None = None, **values: bytes) -> Session:
    session = MysqlSession(config(limits=limits))
    assert session.commands == [Connect()]
    deprecate_eof = bool(flags & can.DEPRECATE_EOF)
    session.connected()
    session.upstream_data(greeting())
    session.client_data(packet(1, answer(flags).encode()))
    session.upstream_data(ok(2))
    session.upstream_data(ok(1))
    session.upstream_data(probe_result(deprecate_eof, **values))
    assert session.to_upstream[-2:] == [query(TRACK), query(PROBE)]
    assert session.to_client[-1] == packet(2, b"\0\0\0" + AUTOCOMMIT + b"\0\0")
    session.to_client, session.to_upstream, session.commands, session.captured = [], [], [], []
    return session


__all__ = ["Connected", "FromClient", "FromUpstream", "Playbook"]
