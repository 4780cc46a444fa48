"""The server's direction after the login: its answers are read as far as is needed to know where they end.

Nothing is rebuilt but OK and ERR packets, where the client must not see all of them. Headers are scanned; a chunk in
which all passes goes out as that chunk. Rows stream through in slices whatever their size, unless something in them is
looked at (`rows.py`); of other packets each is looked at when it is whole. What the awaited answer does not have is a
`PeerError`.
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.mysql import results
from hostagent.protocols.mysql.change_user import Relogin
from hostagent.protocols.mysql.conversation import Conversation
from hostagent.protocols.mysql.denial import DENIED, Refused
from hostagent.protocols.mysql.packets import (
    EOF,
    ERR,
    HEADER_SIZE,
    LOCAL_INFILE,
    MAX_PAYLOAD,
    OK,
    lenenc,
    length_at,
    packet,
)
from hostagent.protocols.mysql.row_reader import OLD_EOF, RowReader
from hostagent.protocols.mysql.rows import Rows
from hostagent.protocols.mysql.statements import Awaited, Expected
from hostagent.protocols.mysql.upload import Upload

_FIRST: Final = 0  # of an answer, or of a further result of it
_COLUMNS: Final = 1  # column definitions, `_count` of them
_COLUMNS_END: Final = 2  # the EOF behind them, where EOF is not deprecated
_ROWS: Final = 3
_PARAMETERS: Final = 4  # of a prepared statement
_PARAMETERS_END: Final = 5
_PREPARED_COLUMNS: Final = 6
_PREPARED_COLUMNS_END: Final = 7
_FIELDS: Final = 8
_ENDS: Final = frozenset({_COLUMNS_END, _PARAMETERS_END, _PREPARED_COLUMNS_END})
ERR_HEAD: Final = 9  # bytes of an ERR before its text: number, SQLSTATE


class Backend(RowReader):
    """Reads the server's bytes; `feed` may be called with any chunks. `sequence`: of the last packet that was seen."""

    def __init__(self, conversation: Conversation) -> None:
        super().__init__(conversation)
        self._part = _FIRST
        self._count = 0  # definitions that are still to come
        self._columns = 0  # of a prepared statement, while its parameters are told
        self._types: list[int] = []  # of the columns of a result, where its rows are looked at

    def began(self) -> None:
        """An answer to the client is awaited from here on."""
        self.sequence = 0
        expected = self._conversation.expected
        self._part = _ROWS if expected is not None and expected.awaited == Awaited.ROWS else _FIRST
        if expected is not None and expected.awaited == Awaited.FIELDS:
            self._part = _FIELDS

    def feed(self, chunk: bytes) -> None:
        """Take a chunk: pass on what may pass. Raises PeerError, or `Refused` when the session must end."""
        inbox = self._inbox
        inbox.feed(chunk)
        if self._cut is not None:
            self._finish_row(self._cut)
            return
        if not inbox.ready():
            return
        self._start = inbox.pos
        if self._left:
            self._go_on()
        try:
            if not self._left:
                self._scan(inbox.data, inbox.pos, len(inbox.data))
        finally:
            self._pass(inbox.data, inbox.pos)
        if self._left:
            inbox.need = 1

    # --- scanning ---------------------------------------------------------------------------------------------

    def _scan(self, data: bytes, pos: int, end: int) -> None:
        """Go through the packets in `data[pos:end]`; leaves `inbox.pos` behind the last one that was read."""
        inbox = self._inbox
        while True:
            expected = self._conversation.expected
            question = expected is not None and expected.question is not None
            inbox.need = HEADER_SIZE
            if self._part == _ROWS and not question:
                if expected is None or expected.run is None:
                    raise PeerError("a row from the server that nothing asked for")
                inbox.pos = pos = self._rows(expected.run, data, pos, end)
                inbox.need = self._needs
            if self._left or end - pos < inbox.need:
                return
            length = length_at(data, pos)
            if not 0 < length <= (MAX_PAYLOAD - 1 if question else self._conversation.limits.server_packet):
                raise PeerError("a packet of impossible length from the server")
            after = pos + HEADER_SIZE + length
            if after > end:
                inbox.need = after - pos
                return
            sequence = data[pos + 3]
            self._whole(expected, data, pos, after)
            self.sequence = sequence
            inbox.pos = pos = after

    def _whole(self, expected: Expected | None, data: bytes, pos: int, after: int) -> None:
        """Take the packet in `data[pos:after]`."""
        plain = expected is not None and expected.question is None and not self._looks
        if plain and self._part == _COLUMNS and data[pos + HEADER_SIZE] != ERR:
            self._defined()
            return
        payload = data[pos + HEADER_SIZE : after]
        if expected is None:
            if payload[0] != ERR:
                raise PeerError("a packet from the server that nothing asked for")
        elif expected.question is not None:
            self._pass(data, pos)
            self._start = after
            if expected.question.take(payload):
                self._conversation.expected = None
                self._state(expected.question.state, True)
                expected.question.done()
        elif expected.login is not None:
            self._pass(data, pos)
            self._start = after
            self._logging_in(expected, expected.login, data[pos + 3], payload)
        else:
            replacement = self._packet(expected, payload)
            if replacement is not None:
                self._pass(data, pos)
                self._put(packet(data[pos + 3], replacement))
                self._start = after

    def _logging_in(self, expected: Expected, login: Relogin, sequence: int, payload: bytes) -> None:
        answer = login.take(sequence, payload)
        if answer is not None:
            self._session.to_upstream.append(answer)
            return
        expected.login = None
        if payload[0] == OK:
            ok = results.read_ok(payload)
            payload = ok.bare()
            self._state(ok.state, True)
            self._done(expected)
        else:
            payload = self._failed(expected, payload) or payload
        self._put(login.told(payload))

    # --- what the packets say ---------------------------------------------------------------------------------

    def _packet(self, expected: Expected, payload: bytes) -> bytes | None:
        """One packet of an answer to the client: what replaces it, or None to pass it on."""
        first, part = payload[0], self._part
        if first == ERR and (expected.awaited != Awaited.LINE or len(payload) >= 3):
            return self._failed(expected, payload)
        if part == _FIRST:
            return self._begun(expected, payload)
        if part == _COLUMNS:
            self._column(expected, payload)
            self._defined()
            if self._part != _COLUMNS:
                self._all_defined(expected)
        elif part == _ROWS:
            return self._rows_end(expected, payload)
        elif part == _FIELDS:
            if (first == EOF and len(payload) < OLD_EOF) or (first == EOF and self._conversation.deprecate_eof):
                self._done(expected)
        elif part in _ENDS:
            if first != EOF or len(payload) >= OLD_EOF:
                raise PeerError("definitions from the server that do not end")
            self._definitions_end(expected, payload)
            return _no_warnings(payload) if self._session.sealed else None
        else:
            if part == _PREPARED_COLUMNS:
                self._column(expected, payload)
            self._prepared_defined(expected)
        return None

    def _begun(self, expected: Expected, payload: bytes) -> bytes | None:
        """The first packet of an answer, or of a further result."""
        awaited, first = expected.awaited, payload[0]
        if awaited == Awaited.LINE:
            self._done(expected)
            return None
        if awaited == Awaited.PREPARED:
            if first != OK:
                raise PeerError("an unexpected answer to a prepare from the server")
            self._prepared(expected, payload)
            return results.without_warnings(payload) if self._session.sealed else None
        if first == OK:
            return self._ok(expected, payload)
        if awaited == Awaited.STATUS:
            if first != EOF:
                raise PeerError("an unexpected packet from the server")
            self._done(expected)
            return None
        if first == LOCAL_INFILE:
            self._file_asked(expected, payload)
            return None
        self._count, pos = lenenc(payload, 0)
        if pos != len(payload) or not self._count:
            raise PeerError("a result of another form from the server")
        self._part = _COLUMNS
        self._begin_columns(expected)
        return None

    def _file_asked(self, expected: Expected, payload: bytes) -> None:
        name = None if expected.run is None else expected.run.file
        if name is None or payload[1:] != name.encode(self._conversation.settings.codec, "replace"):
            raise Refused(DENIED, "the server asked for a file of the client that no statement names")
        assert expected.run is not None
        expected.run.file = None
        self._conversation.upload = Upload(name)

    def _begin_columns(self, expected: Expected) -> None:
        self._types = []
        if expected.promise is not None:
            expected.promise.begin(self._count)

    def _column(self, expected: Expected, payload: bytes) -> None:
        """A column's definition, where rows are looked at or masks are in force."""
        session = self._session
        definition = self._conversation.definitions.read(payload, session.masks)
        self._types.append(definition.type)
        if expected.promise is not None:
            expected.promise.column(definition)

    def _all_defined(self, expected: Expected) -> None:
        run, promise, net = expected.run, expected.promise, self._conversation.net
        constants = () if promise is None else promise.constants()
        if run is not None:
            run.looked = Rows(self._types, constants, run.binary, net) if constants or net is not None else None

    def _defined(self) -> None:
        self._count -= 1
        if not self._count:
            self._part = _ROWS if self._conversation.deprecate_eof else _COLUMNS_END

    def _ok(self, expected: Expected, payload: bytes) -> bytes | None:
        """An OK packet, which ends a result."""
        ok = results.read_ok(payload)
        if ok.state:
            self._state(ok.state, expected.run is None or expected.run.lexical)
        self._result_ended(expected, ok.status)
        if self._session.sealed:
            return ok.bare()
        net = self._conversation.net
        if net is not None and ok.info and (info := net.text(ok.info)) != ok.info:
            return payload.replace(ok.info, info, 1)
        return ok.encode() if ok.status & results.STATE_CHANGED and not self._conversation.tracks else None

    def _rows_end(self, expected: Expected, payload: bytes) -> bytes | None:
        if self._conversation.deprecate_eof:
            return self._ok(expected, payload)
        self._result_ended(expected, results.eof_status(payload))
        return _no_warnings(payload) if self._session.sealed else None

    def _result_ended(self, expected: Expected, status: int) -> None:
        if status & results.MORE_RESULTS and expected.awaited == Awaited.RESULTS:
            self._part = _FIRST
            if expected.promise is not None:
                expected.promise.ended()
        else:
            self._done(expected)

    def _definitions_end(self, expected: Expected, payload: bytes) -> None:
        """The EOF behind column definitions; with a cursor no rows follow it."""
        if self._part == _COLUMNS_END:
            status = results.eof_status(payload)
            if status & results.CURSOR_EXISTS:
                self._result_ended(expected, status)
            else:
                self._part = _ROWS
        elif self._part == _PARAMETERS_END and self._columns:
            self._count, self._part = self._columns, _PREPARED_COLUMNS
        else:
            self._done(expected)

    def _prepared(self, expected: Expected, payload: bytes) -> None:
        prepared = results.read_prepared(payload)
        statement = expected.statement
        assert statement is not None
        statement.id, statement.parameters = prepared.id, prepared.parameters
        self._columns = prepared.columns
        self._types = []
        if expected.promise is not None and prepared.columns:
            expected.promise.begin(prepared.columns)
        if prepared.parameters:
            self._count, self._part = prepared.parameters, _PARAMETERS
        elif prepared.columns:
            self._count, self._part = prepared.columns, _PREPARED_COLUMNS
        else:
            self._done(expected)

    def _prepared_defined(self, expected: Expected) -> None:
        self._count -= 1
        if self._count:
            return
        if not self._conversation.deprecate_eof:
            self._part += 1  # its end
        elif self._part == _PARAMETERS and self._columns:
            self._count, self._part = self._columns, _PREPARED_COLUMNS
        else:
            self._done(expected)

    def _failed(self, expected: Expected, payload: bytes) -> bytes | None:
        number, sqlstate = results.read_err(payload)
        if expected.run is not None:
            expected.run.error = sqlstate or str(number)
        if expected.awaited == Awaited.PREPARED:
            self._conversation.statements.last = None
            expected.statement = None
        if expected.run is not None and expected.run.lexical:
            expected.asks_again = True  # an error says nothing of settings
        self._done(expected)
        if self._session.sealed:
            return results.withheld_err(payload)
        net = self._conversation.net
        return None if net is None else payload[:ERR_HEAD] + net.text(payload[ERR_HEAD:])

    def _done(self, expected: Expected) -> None:
        """The answer is whole."""
        conversation = self._conversation
        conversation.expected = None
        self._part = _FIRST
        if expected.awaited == Awaited.PREPARED and expected.statement is not None:
            conversation.statements.add(expected.statement)
        run = expected.run
        if run is not None:
            conversation.finish(run)
        if expected.asks_again or (run is not None and run.tracking):
            conversation.ask_settings()

    @property
    def _looks(self) -> bool:
        """Whether more is looked at than where answers end."""
        return self._session.sealed or self._conversation.net is not None

    def _state(self, state: bytes, expected: bool) -> None:
        if state:
            self._conversation.settings.tracked(state, expected)


def _no_warnings(payload: bytes) -> bytes:
    return payload[:1] + b"\0\0" + payload[3:]
