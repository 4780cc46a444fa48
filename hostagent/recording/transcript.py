"""Transcript: what a PostgreSQL session looked like, decoded from its recording. Read-only, never in the data path.

A recording holds what the two sides sent, with turns cut short where they were long; so the decoder skips what it
cannot read, and finds its place again where a leg begins to speak. Steps come in the order of the recording.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from hostagent.errors import PeerError
from hostagent.protocols.postgres import messages as pg
from hostagent.recording.encode import Json
from hostagent.recording.reading import Captured, Entry, Note, Recording, Spoken

_TYPED = frozenset(b"QPBDECFHSpXdcfRvKZENAtTnIsVGW123")


@dataclass(frozen=True, slots=True)
class Statement:
    """The client sent a statement."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of one answer; None is NULL. `left_out` bytes of it were not recorded."""

    at_us: int
    columns: list[str]
    rows: list[list[str | None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `kind` is done (a command tag), error, notice, decision, copy, or gap (bytes not recorded)."""

    at_us: int
    kind: str
    text: str
    facts: Json = field(default_factory=dict)


Step = Statement | Table | Line


def transcript(recording: Recording) -> list[Step]:
    """The steps of a recorded session of a database."""
    if recording.header.get("facts", {}).get("protocol") == "mysql":
        from hostagent.recording.mysql_transcript import MysqlDecoder  # it takes its steps from here

        decoder: MysqlDecoder | _Decoder = MysqlDecoder()
    else:
        decoder = _Decoder()
    for entry in recording.entries:
        decoder.take(entry)
    decoder.end_table()
    if recording.torn:
        at_us = recording.entries[-1].at_us if recording.entries else 0
        decoder.steps.append(Line(at_us, "gap", "the recording ends here: it was cut short by a crash"))
    return decoder.steps


def note_step(note: Note) -> Line:
    """A marker as a line."""
    if note.kind == "truncated":
        leg = str(note.facts.get("leg", "client"))
        return Line(note.at_us, "gap", f"{note.facts['bytes']} more bytes from the {leg}, not recorded")
    if note.kind == "decision":
        text = f"{note.facts['verdict']} by {note.facts['rule'] or 'no rule'}: {note.facts['reason']}"
        return Line(note.at_us, "decision", text.removesuffix(": "), note.facts)
    return Line(note.at_us, note.kind, "", note.facts)


class _Decoder:
    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._table: Table | None = None
        self._buffers = {"client": bytearray(), "upstream": bytearray()}
        self._lost = {"client": False, "upstream": False}
        self._copied = 0
        self._turn = ""

    def take(self, entry: Entry) -> None:
        if isinstance(entry, Note):
            self._note(entry)
            return
        if isinstance(entry, Spoken):
            return  # of a channel: this is no PostgreSQL session
        if entry.leg != self._turn:
            self._turn = entry.leg
            if self._lost[entry.leg]:
                self._lost[entry.leg] = False
                self._buffers[entry.leg].clear()
        if self._lost[entry.leg]:
            return
        buffer = self._buffers[entry.leg]
        buffer += entry.data
        for kind, body in self._messages(entry.leg, buffer):
            try:
                self._message(entry, kind, body)
            except (PeerError, struct.error, IndexError):
                self.steps.append(Line(entry.at_us, "gap", f"a message {chr(kind)!r} that cannot be read"))

    def _messages(self, leg: str, buffer: bytearray) -> Iterator[tuple[int, bytes]]:
        while len(buffer) >= pg.HEADER_SIZE:
            typed = buffer[0] != 0
            if typed and buffer[0] not in _TYPED:
                self._lost[leg] = True
                return
            length = int.from_bytes(buffer[1:5] if typed else buffer[:4], "big") + typed
            if length < pg.HEADER_SIZE or length > pg.MAX_LENGTH:
                self._lost[leg] = True
                return
            if len(buffer) < length:
                return
            body = bytes(buffer[pg.HEADER_SIZE : length]) if typed else b""
            kind = buffer[0]
            del buffer[:length]
            yield kind, body

    def _note(self, note: Note) -> None:
        if note.kind == "truncated":
            self._lost[str(note.facts.get("leg", "client"))] = True
            self.end_table()
        self.steps.append(note_step(note))

    def _message(self, entry: Captured, kind: int, body: bytes) -> None:
        if entry.leg == "client":
            self._from_client(entry.at_us, kind, body)
        else:
            self._from_upstream(entry.at_us, kind, body)

    def _from_client(self, at_us: int, kind: int, body: bytes) -> None:
        if kind == pg.QUERY:
            self.steps.append(Statement(at_us, _text(pg.query_body(body))))
        elif kind == pg.PARSE:
            name, text, _ = pg.parse_body(body)
            self.steps.append(Statement(at_us, _text(text) + (f"  -- prepared as {_text(name)}" if name else "")))
        elif kind == pg.COPY_DATA:
            self._copied += len(body)
        elif kind == pg.COPY_DONE:
            self._copy_ended(at_us)

    def _from_upstream(self, at_us: int, kind: int, body: bytes) -> None:
        if kind == pg.ROW_DESCRIPTION:
            self.end_table()
            self._table = Table(at_us, _columns(body))
        elif kind == pg.DATA_ROW:
            self._row(at_us, body)
        elif kind == pg.COPY_DATA:
            self._copied += len(body)
        elif kind == pg.COPY_DONE:
            self._copy_ended(at_us)
        elif kind == pg.COMMAND_COMPLETE:
            self.end_table()
            self.steps.append(Line(at_us, "done", _text(pg.cstring(body, 0)[0])))
        elif kind in (pg.ERROR, pg.NOTICE):
            self.end_table()
            self.steps.append(_problem(at_us, kind, body))

    def _row(self, at_us: int, body: bytes) -> None:
        values = _values(body)
        if self._table is None or len(self._table.columns) != len(values):
            self.end_table()
            self._table = Table(at_us, [f"column{number}" for number in range(1, len(values) + 1)])
        self._table.rows.append(values)

    def _copy_ended(self, at_us: int) -> None:
        self.steps.append(Line(at_us, "copy", f"COPY data, {self._copied} bytes"))
        self._copied = 0

    def end_table(self) -> None:
        if self._table is not None:
            self.steps.append(self._table)
        self._table = None


def _problem(at_us: int, kind: int, body: bytes) -> Line:
    fields = pg.error_fields(body)
    text = f"{fields.get('S', 'ERROR')}:  {fields.get('M', '')}"
    text += "".join(f"\n{name}:  {fields[code]}" for code, name in (("D", "DETAIL"), ("H", "HINT")) if code in fields)
    return Line(at_us, "error" if kind == pg.ERROR else "notice", text, {"sqlstate": fields.get("C", "")})


def _columns(body: bytes) -> list[str]:
    (count,) = struct.unpack_from(">H", body)
    names, pos = [], 2
    for _ in range(count):
        name, pos = pg.cstring(body, pos)
        names.append(_text(name))
        pos += 18  # table, column, type, size, modifier, format
    return names


def _values(body: bytes) -> list[str | None]:
    (count,) = struct.unpack_from(">H", body)
    values: list[str | None] = []
    pos = 2
    for _ in range(count):
        (length,) = struct.unpack_from(">i", body, pos)
        pos += 4
        values.append(None if length < 0 else _text(body[pos : pos + length]))
        pos += max(length, 0)
    return values


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
