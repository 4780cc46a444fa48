"""Transcript of a MySQL session, decoded from its recording. Read-only, never in the data path.

There is no pipelining, so a turn of the server answers the command before it; where a turn was cut short, the rest of
it is skipped. Nothing says which capabilities were agreed on: an EOF of the old form is told by its length.
"""

from __future__ import annotations

from hostagent.errors import PeerError
from hostagent.protocols.mysql import commands
from hostagent.protocols.mysql.approval import UNSIGNED, binary_value
from hostagent.protocols.mysql.packets import (
    EOF,
    ERR,
    HEADER_SIZE,
    LOCAL_INFILE,
    MAX_PAYLOAD,
    OK,
    fixed,
    lenenc,
    lenenc_bytes,
    text_row,
)
from hostagent.protocols.mysql.results import MORE_RESULTS, eof_status, read_err, read_ok, read_prepared
from hostagent.recording.reading import Captured, Entry, Note
from hostagent.recording.transcript import Line, Statement, Step, Table, note_step

_OLD_EOF = 5  # bytes of its payload
_ANSWERED_BY_ROWS = frozenset({commands.QUERY, commands.STMT_EXECUTE, commands.PROCESS_INFO})
_SHOWN = frozenset({commands.INIT_DB, commands.FIELD_LIST, commands.PROCESS_INFO, commands.PROCESS_KILL})


class MysqlDecoder:
    """Makes steps of the entries of a recorded MySQL session."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._buffers = {"client": bytearray(), "upstream": bytearray()}
        self._lost = {"client": False, "upstream": False}
        self._turn = ""
        self._command = 0
        self._text = ""  # of the statement that is being prepared
        self._prepared: dict[int, str] = {}
        self._columns = 0  # definitions that are still to come
        self._names: list[str] = []
        self._types: list[int] = []
        self._table: Table | None = None
        self._first = True  # the next packet of the server begins a result
        self._quiet = False  # what follows of the answer is not shown

    def take(self, entry: Entry) -> None:
        if isinstance(entry, Note):
            if entry.kind == "truncated":
                self._lost[str(entry.facts.get("leg", "client"))] = True
                self.end_table()
            self.steps.append(note_step(entry))
            return
        if not isinstance(entry, Captured):
            return
        if entry.leg != self._turn:
            self._turn = entry.leg
            if self._lost[entry.leg]:
                self._lost[entry.leg] = False
                self._buffers[entry.leg].clear()
        if self._lost[entry.leg]:
            return
        self._buffers[entry.leg] += entry.data
        self._read(entry, self._buffers[entry.leg])

    def _read(self, entry: Captured, buffer: bytearray) -> None:
        while len(buffer) >= HEADER_SIZE:
            end = HEADER_SIZE + int.from_bytes(buffer[:3], "little")
            if len(buffer) < end:
                return
            payload = bytes(buffer[HEADER_SIZE:end])
            del buffer[:end]
            try:
                if entry.leg == "client":
                    self._from_client(entry.at_us, payload)
                else:
                    self._from_upstream(entry.at_us, payload)
            except (PeerError, IndexError):
                self._quiet = True
                self.steps.append(Line(entry.at_us, "gap", "a packet that cannot be read"))

    def _from_client(self, at_us: int, payload: bytes) -> None:
        kind, body = payload[0], payload[1:]
        self._command, self._first, self._quiet = kind, True, False
        self._columns = 0
        if kind in (commands.QUERY, commands.STMT_PREPARE):
            self._text = _text(body)
            self.steps.append(Statement(at_us, self._text + ("  -- prepared" if kind != commands.QUERY else "")))
        elif kind == commands.STMT_EXECUTE:
            text = self._prepared.get(fixed(body, 0, 4)[0], "a prepared statement")
            self.steps.append(Statement(at_us, f"{text}  -- executed"))
        elif kind in _SHOWN:
            self.steps.append(Statement(at_us, commands.as_text(kind, body, "latin-1")))

    def _from_upstream(self, at_us: int, payload: bytes) -> None:
        if self._quiet:
            return
        if payload[0] == ERR:
            self._problem(at_us, payload)
        elif self._columns:
            self._define(payload)
        elif not self._first:
            self._row(at_us, payload)
        elif self._command == commands.STMT_PREPARE:
            self._prepared[read_prepared(payload).id] = self._text
            self._quiet = True
        elif payload[0] == OK:
            self._done(at_us, payload)
        elif payload[0] == LOCAL_INFILE and self._command == commands.QUERY:
            self.steps.append(Line(at_us, "notice", f"the server asks for the client's file {_text(payload[1:])}"))
        elif self._command in _ANSWERED_BY_ROWS:
            self._columns, _ = lenenc(payload, 0)
            self._names, self._types = [], []
            self._first = False
        else:
            self._quiet = True

    def _define(self, payload: bytes) -> None:
        parts: list[bytes] = []
        pos = 0
        for _ in range(6):
            part, pos = lenenc_bytes(payload, pos)
            parts.append(part)
        kind, flags = payload[pos + 7], fixed(payload, pos + 8, 2)[0]
        self._names.append(_text(parts[4]))
        self._types.append(kind | (UNSIGNED if flags & 0x20 else 0))
        self._columns -= 1

    def _row(self, at_us: int, payload: bytes) -> None:
        if self._table is None:
            self._table = Table(at_us, self._names)
            if payload[0] == EOF and len(payload) == _OLD_EOF:
                return  # behind the definitions
        if payload[0] == EOF and len(payload) < MAX_PAYLOAD:
            self.end_table()
            status = eof_status(payload) if len(payload) == _OLD_EOF else read_ok(payload).status
            self._first = bool(status & MORE_RESULTS)
            self._quiet = not self._first
        elif self._command == commands.STMT_EXECUTE:
            self._table.rows.append(self._binary(payload))
        else:
            self._table.rows.append([None if value is None else _text(value) for value in text_row(payload)])

    def _binary(self, payload: bytes) -> list[str | None]:
        size = (len(self._types) + 9) // 8
        nulls, pos = payload[1 : 1 + size], 1 + size
        values: list[str | None] = []
        for i, kind in enumerate(self._types, 2):
            if nulls[i // 8] >> i % 8 & 1:
                values.append(None)
            else:
                bound, pos = binary_value(payload, pos, kind, "utf-8")
                values.append(bound.value)
        return values

    def _done(self, at_us: int, payload: bytes) -> None:
        self.end_table()
        ok = read_ok(payload)
        info = f", {_text(ok.info)}" if ok.info else ""
        self.steps.append(Line(at_us, "done", f"OK, rows affected: {ok.affected}{info}"))
        self._quiet = not ok.status & MORE_RESULTS

    def _problem(self, at_us: int, payload: bytes) -> None:
        self.end_table()
        number, sqlstate = read_err(payload)
        text = _text(payload[9 if sqlstate else 3 :])
        self.steps.append(Line(at_us, "error", f"ERROR {number} ({sqlstate}):  {text}", {"sqlstate": sqlstate}))
        self._quiet = True

    def end_table(self) -> None:
        if self._table is not None:
            self.steps.append(self._table)
        self._table = None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
