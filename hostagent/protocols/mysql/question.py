"""A question of ours to the server: a statement in the client's session, between two commands of the client.

Its answer is read packet by packet and never reaches the client or a recording.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.mysql.packets import EOF, ERR, LOCAL_INFILE, OK, lenenc, packet, text_row
from hostagent.protocols.mysql.results import MORE_RESULTS, read_err, read_ok

QUERY: Final = 0x03
MAX_ANSWER: Final = 16 << 20  # bytes of all rows; a catalog's answer may be large

Answered = Callable[["Question"], None]


class _Part(Enum):
    FIRST = 1
    COLUMNS = 2
    COLUMNS_END = 3
    ROWS = 4


class Question:
    """One question. `row`: the first row of its answer; `error`: what the server said instead, with its SQLSTATE."""

    def __init__(self, text: str, answered: Answered, *, deprecate_eof: bool) -> None:
        """`answered` is called with it once the answer is whole; it may raise Refused or PeerError."""
        self._text = text
        self._answered = answered
        self._deprecate_eof = deprecate_eof
        self._part = _Part.FIRST
        self._columns = 0
        self._size = 0
        self.row: list[bytes | None] | None = None
        self.state = b""
        self.error = ""
        self.sqlstate = ""

    def packet(self) -> bytes:
        """The command."""
        return packet(0, bytes((QUERY,)) + self._text.encode("utf-8"))

    def take(self, payload: bytes) -> bool:
        """Take one packet of the answer; whether it was the last. Raises PeerError."""
        self._size += len(payload)
        if not payload or self._size > MAX_ANSWER:
            raise PeerError("an answer of impossible length from the server")
        if payload[0] == ERR:
            self._failed(payload)
            return True
        if self._part is _Part.FIRST:
            return self._first(payload)
        if self._part is _Part.COLUMNS:
            self._columns -= 1
            if not self._columns:
                self._part = _Part.ROWS if self._deprecate_eof else _Part.COLUMNS_END
        elif self._part is _Part.COLUMNS_END:
            self._part = _Part.ROWS
        elif payload[0] == EOF and len(payload) < (0xFFFFFF if self._deprecate_eof else 9):
            if self._deprecate_eof:
                self.state = read_ok(payload).state
            return True
        elif self.row is None:
            self.row = text_row(payload)
        return False

    def done(self) -> None:
        """The answer is whole: tell whoever asked."""
        self._answered(self)

    def _first(self, payload: bytes) -> bool:
        if payload[0] == OK:
            ok = read_ok(payload)
            if ok.status & MORE_RESULTS:
                raise PeerError("more answers from the server than questions")
            self.state = ok.state
            return True
        if payload[0] == LOCAL_INFILE:
            raise PeerError("a request for a file from the server, which was not asked for one")
        self._columns, pos = lenenc(payload, 0)
        if pos != len(payload) or not self._columns:
            raise PeerError("an answer of another form from the server")
        self._part = _Part.COLUMNS
        return False

    def _failed(self, payload: bytes) -> None:
        number, self.sqlstate = read_err(payload)
        text = payload[9:].decode("utf-8", "replace")[:200] if self.sqlstate else ""
        self.error = f"{text} ({number})"
