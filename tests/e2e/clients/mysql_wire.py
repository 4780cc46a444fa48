"""One connection that does what it is told, and tells every packet of the answers; PyMySQL logs in, nothing else.

Reads `{"address", "port", "database", "sql_mode"}` on a line, then `[how, text]` on each; prints a line with the
packets of each answer (latin-1), `(gone)` where the session ended: the next one is asked on a new connection.
How: `query`, `prepared` (executed with a binary result), `cursor` (fetched two rows at a time), or `command`, whose
text is the command and its body in hex.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pymysql
from pymysql.constants import CLIENT

QUERY, PREPARE, EXECUTE, CLOSE, FETCH = 0x03, 0x16, 0x17, 0x19, 0x1C
MORE_RESULTS, LAST_ROW_SENT, CURSOR_EXISTS = 0x08, 0x80, 0x40
JOB: dict[str, Any] = json.loads(sys.stdin.readline())


class Wire:
    """A session, read packet by packet."""

    def __init__(self) -> None:
        self._connection = pymysql.connect(
            host=JOB["address"], port=JOB["port"], user="anybody", password="", database=JOB["database"],
            charset="utf8mb4", client_flag=CLIENT.MULTI_STATEMENTS, ssl_disabled=True, autocommit=False,
            read_timeout=30,
        )  # fmt: skip
        with self._connection.cursor() as cursor:
            cursor.execute("SET sql_mode = %s", (JOB["sql_mode"],))
        self._socket = self._connection._sock
        self._file = self._connection._rfile
        self.seen: list[bytes] = []

    def ask(self, how: str, text: str) -> None:
        """Ask; what is answered is in `seen`."""
        self.seen = []
        if how == "query":
            self._send(bytes((QUERY,)) + text.encode())
            self._results()
        elif how == "command":
            self._send(bytes.fromhex(text))
            self._results()
        else:
            self._prepared(text.encode(), cursor=how == "cursor")

    def _prepared(self, text: bytes, *, cursor: bool) -> None:
        self._send(bytes((PREPARE,)) + text)
        told = self._read()
        if told[0]:
            return
        number, self.seen[-1] = told[1:5], told[:1] + told[5:]  # it counts all sessions of the server
        for size in (int.from_bytes(told[7:9], "little"), int.from_bytes(told[5:7], "little")):
            for _ in range(size + 1 if size else 0):
                self._read()
        self._send(bytes((EXECUTE,)) + number + bytes((1 if cursor else 0,)) + (1).to_bytes(4, "little"))
        status = self._results()
        while status & CURSOR_EXISTS and not status & LAST_ROW_SENT:
            self._send(bytes((FETCH,)) + number + (2).to_bytes(4, "little"))
            status = self._rows()
        self._send(bytes((CLOSE,)) + number)

    def _results(self) -> int:
        while True:
            status = self._result()
            if not status & MORE_RESULTS:
                return status

    def _result(self) -> int:
        first = self._read()
        if first[0] == 0xFF:
            return 0
        if first[0] == 0x00:
            return _status_of_ok(first)
        status = self._rows()
        return status if status & CURSOR_EXISTS or self.seen[-1][0] == 0xFF else self._rows()

    def _rows(self) -> int:
        """Packets until an EOF or an error: column definitions, or rows."""
        while True:
            found = self._read()
            if found[0] == 0xFF:
                return 0
            if found[0] == 0xFE and len(found) < 9:
                return int.from_bytes(found[3:5], "little")

    def _send(self, payload: bytes) -> None:
        self._socket.sendall(len(payload).to_bytes(3, "little") + b"\0" + payload)

    def _read(self) -> bytes:
        head = self._exactly(4)
        payload = self._exactly(int.from_bytes(head[:3], "little"))
        self.seen.append(payload)
        return payload

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError
        return data


def _status_of_ok(packet: bytes) -> int:
    """Behind two numbers of any length, protocol page OK_Packet."""
    at = 1
    for _ in range(2):
        at += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(packet[at], 1)
    return int.from_bytes(packet[at : at + 2], "little")


def main() -> None:
    """Ask what is to be asked."""
    wire = Wire()
    for line in sys.stdin:
        try:
            wire.ask(*json.loads(line))
            ended = []
        except OSError:
            ended = ["(gone)"]
        print(json.dumps([packet.decode("latin-1") for packet in wire.seen] + ended), flush=True)
        wire = Wire() if ended else wire


main()
