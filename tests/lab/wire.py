"""A PostgreSQL client that hides nothing: it sends a statement in a mode of the protocol and keeps all that answers.

It is no driver: it logs in by trust, knows no types, and is done at ReadyForQuery. Also a program (`wire.py DSN`, with
the standard library only, so that it can run governed): jobs on its standard input, answers on its standard output, a
JSON line each.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import sys
from dataclasses import dataclass
from enum import StrEnum

PATIENCE = 30.0  # seconds for one answer


class Mode(StrEnum):
    """How a statement is sent."""

    SIMPLE = "simple"  # Query
    TEXT = "extended text"  # Parse, Describe, Bind, Execute: results as text
    BINARY = "extended binary"  # the same, results in binary
    BLIND = "no describe"  # Parse, Bind, Execute: no row description at all
    CURSOR = "cursor"  # DECLARE in a transaction, FETCH in two parts
    COPY = "copy"  # COPY (statement) TO STDOUT, as text
    COPY_BINARY = "copy binary"
    PREPARED = "prepared"  # PREPARE and EXECUTE in SQL


EXTENDED = (Mode.TEXT, Mode.BINARY, Mode.BLIND)


@dataclass(frozen=True)
class Message:
    """One message of the server: its type and its body."""

    kind: str
    body: bytes


@dataclass(frozen=True)
class Server:
    """Where to connect; a `host` that begins with / is the folder of a unix socket."""

    host: str
    port: int
    user: str
    database: str


class Wire:
    """One connection. Raises ConnectionError when the server ends it or does not let us in."""

    def __init__(self, server: Server) -> None:
        self._socket = _connect(server)
        startup = {"user": server.user, "database": server.database, "client_encoding": "UTF8"}
        words = b"".join(f"{key}\0{value}\0".encode() for key, value in startup.items()) + b"\0"
        self._socket.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
        self._left = b""
        self.greeting = self._answer()
        if self.greeting[-1].kind != "Z":
            raise ConnectionError(self.greeting[-1].body.decode(errors="replace"))
        self.status = "I"

    def ask(self, text: str, mode: Mode = Mode.SIMPLE, parameters: tuple[str | None, ...] = ()) -> list[Message]:
        """All that answers a statement. Parameters go with the extended modes, as text."""
        if mode in EXTENDED:
            return self.extended(text, mode, parameters)
        return [got for step in steps(text, mode) for got in self.query(step)]

    def query(self, text: str) -> list[Message]:
        """All that answers a Query."""
        return self.send(message("Q", encoded(text) + b"\0"))

    def extended(self, text: str, mode: Mode, parameters: tuple[str | None, ...]) -> list[Message]:
        """All that answers Parse to Sync."""
        return self.send(extended(text, mode, parameters))

    def send(self, raw: bytes) -> list[Message]:
        """All that answers some messages, of which one asks for ReadyForQuery."""
        self._socket.sendall(raw)
        answer = self._answer()
        self.status = answer[-1].body.decode()
        return answer

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._socket.sendall(message("X", b""))
        self._socket.close()

    def _answer(self) -> list[Message]:
        got: list[Message] = []
        while True:
            found = self._next()
            got.append(found)
            if found.kind == "Z":
                return got
            if found.kind == "E" and not hasattr(self, "status"):
                return got  # not let in
            if found.kind == "G":  # the server waits for the rows of a COPY: there are none
                self._socket.sendall(message("f", b"no rows\0"))

    def _next(self) -> Message:
        head = self._take(5)
        return Message(chr(head[0]), self._take(struct.unpack_from("!i", head, 1)[0] - 4))

    def _take(self, size: int) -> bytes:
        while len(self._left) < size:
            more = self._socket.recv(1 << 16)
            if not more:
                raise ConnectionError("the server ended the connection")
            self._left += more
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def steps(text: str, mode: Mode) -> tuple[str, ...]:
    """The statements that send `text` in a mode of the simple protocol."""
    bare = text.rstrip().rstrip(";")
    return {
        Mode.SIMPLE: (text,),
        Mode.CURSOR: ("BEGIN", f"DECLARE cur CURSOR FOR {bare}", "FETCH 2 FROM cur", "FETCH ALL FROM cur", "ROLLBACK"),
        Mode.COPY: (f"COPY ({bare}) TO STDOUT",),
        Mode.COPY_BINARY: (f"COPY ({bare}) TO STDOUT (FORMAT binary)",),
        Mode.PREPARED: (f"PREPARE prep AS {bare}", "EXECUTE prep", "DEALLOCATE ALL"),
    }[mode]


def extended(text: str, mode: Mode, parameters: tuple[str | None, ...]) -> bytes:
    """Parse to Sync of one statement, unnamed."""
    values = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value.encode())) + value.encode()
        for value in parameters
    )
    formats = struct.pack("!hh", 1, 1) if mode is Mode.BINARY else struct.pack("!h", 0)
    return b"".join((
        message("P", b"\0" + encoded(text) + b"\0" + struct.pack("!h", 0)),
        b"" if mode is Mode.BLIND else message("D", b"S\0"),
        message("B", b"\0\0" + struct.pack("!hh", 0, len(parameters)) + values + formats),
        message("E", b"\0" + struct.pack("!i", 0)),
        message("S", b""),
    ))  # fmt: skip


def encoded(text: str) -> bytes:
    """The bytes of a text; lone surrogates stand for bytes that are no UTF-8."""
    return text.encode(errors="surrogateescape")


def message(kind: str, body: bytes) -> bytes:
    """A message as it goes over the wire."""
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def _connect(server: Server) -> socket.socket:
    if server.host.startswith("/"):
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(PATIENCE)
        connected.connect(f"{server.host}/.s.PGSQL.{server.port}")
        return connected
    return socket.create_connection((server.host, server.port), PATIENCE)


def main() -> None:
    """Jobs `{"text", "mode", "parameters"}` in, `[[kind, base64 of the body], …]` out.

    A job with "raw", messages in base64, sends these. `{"end": why}` comes instead where the server ended the
    connection. `{"new": true}` and an end make the next job's connection a new one.
    """
    host, port, user, database = sys.argv[1:]
    server = Server(host, int(port), user, database)
    wire: Wire | None = None
    for line in sys.stdin:
        job = json.loads(line)
        if "new" in job and wire is not None:
            wire.close()
            wire = None
        if "text" not in job:
            continue
        try:
            wire = wire or Wire(server)
            if "raw" in job:
                got = wire.send(base64.b64decode(job["raw"]))
            else:
                got = wire.ask(job["text"], Mode(job["mode"]), tuple(job["parameters"]))
            answer: object = [[m.kind, base64.b64encode(m.body).decode()] for m in got]
        except OSError as e:
            answer, wire = {"end": str(e)}, None
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
