"""The server's direction after the login: its answers are read as far as is needed to know where they end.

Nothing is rebuilt but OK and ERR packets, where the client must not see all of them. Headers are scanned; a chunk in
which all passes goes out as that chunk. Rows stream through in slices whatever their size; of other packets each is
looked at when it is whole. What the awaited answer does not have is a `PeerError`.
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.base import Leg
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql import results
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
from hostagent.protocols.mysql.statements import Awaited, Expected

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
_OLD_EOF: Final = 9  # bytes that an EOF packet has less than


class Backend:
    """Reads the server's bytes; `feed` may be called with any chunks. `sequence`: of the last packet that was seen."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._session = conversation.session
        self._inbox = Inbox()
        self._part = _FIRST
        self._count = 0  # definitions that are still to come
        self._columns = 0  # of a prepared statement, while its parameters are told
        self._start = 0  # of what passes and was not put out yet
        self._left = 0  # bytes of a row whose header was read and which streams through
        self._continued = False  # the next packet goes on with a row
        self._cut: Refused | None = None
        self.sequence = 0

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

    def cut_off(self, refused: Refused) -> None:
        """End the session with this error as soon as the row that is on its way is whole. Raises it then."""
        self._cut = refused
        self._finish_row(refused)

    def _finish_row(self, refused: Refused) -> None:
        inbox = self._inbox
        inbox.need = 1
        if inbox.ready():
            self._start = inbox.pos
            while (self._left or self._continued) and inbox.pos < len(inbox.data):
                if self._left:
                    self._go_on()
                elif len(inbox.data) - inbox.pos >= HEADER_SIZE:
                    length = length_at(inbox.data, inbox.pos)
                    self.sequence = inbox.data[inbox.pos + 3]
                    self._continued = length == MAX_PAYLOAD
                    inbox.pos += HEADER_SIZE
                    self._left = length
                else:
                    inbox.need = HEADER_SIZE
                    break
            self._pass(inbox.data, inbox.pos)
        if not self._left and not self._continued:
            raise refused

    def _go_on(self) -> None:
        inbox = self._inbox
        step = min(self._left, len(inbox.data) - inbox.pos)
        self._left -= step
        inbox.pos += step

    # --- scanning ---------------------------------------------------------------------------------------------

    def _scan(self, data: bytes, pos: int, end: int) -> None:
        """Go through the packets in `data[pos:end]`; leaves `inbox.pos` behind the last one that was read."""
        inbox = self._inbox
        while True:
            expected = self._conversation.expected
            question = expected is not None and expected.question is not None
            inbox.need = HEADER_SIZE
            if self._part == _ROWS and not question:
                inbox.pos = pos = self._rows(data, pos, end)
                inbox.need = HEADER_SIZE if self._continued else HEADER_SIZE + 1
            if self._left or end - pos < inbox.need:
                return
            length = length_at(data, pos)
            if not 0 < length <= (MAX_PAYLOAD - 1 if question else self._conversation.limits.server_packet):
                raise PeerError("a packet of impossible length from the server")
            after = pos + HEADER_SIZE + length
            if after > end:
                inbox.need = after - pos
                return
            self.sequence = data[pos + 3]
            self._whole(expected, data, pos, after)
            inbox.pos = pos = after

    def _rows(self, data: bytes, pos: int, end: int) -> int:
        """Count the rows from `pos` on; gives the position after the last that is there."""
        expected = self._conversation.expected
        if expected is None or expected.run is None:
            raise PeerError("a row from the server that nothing asked for")
        ends_below = MAX_PAYLOAD if self._conversation.deprecate_eof else _OLD_EOF
        rows = total = 0
        continued = self._continued
        while end - pos > HEADER_SIZE or (continued and end - pos == HEADER_SIZE):
            length = length_at(data, pos)
            if not continued:
                first = data[pos + HEADER_SIZE]
                if first == ERR or (first == EOF and length < ends_below):
                    break
                if not length:
                    raise PeerError("a row of impossible length from the server")
                rows += 1
            self.sequence = data[pos + 3]
            total += length
            continued = length == MAX_PAYLOAD
            pos += HEADER_SIZE + length
        self._continued = continued
        if pos > end:
            self._left, pos = pos - end, end
        expected.run.rows += rows
        expected.run.bytes += total
        return pos

    def _whole(self, expected: Expected | None, data: bytes, pos: int, after: int) -> None:
        """Take the packet in `data[pos:after]`."""
        plain = expected is not None and expected.question is None and not self._session.sealed
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
        else:
            replacement = self._packet(expected, payload)
            if replacement is not None:
                self._pass(data, pos)
                self._put(packet(data[pos + 3], replacement))
                self._start = after

    # --- what the packets say ---------------------------------------------------------------------------------

    def _packet(self, expected: Expected, payload: bytes) -> bytes | None:
        """One packet of an answer to the client: what replaces it, or None to pass it on."""
        first, part = payload[0], self._part
        if first == ERR and (expected.awaited != Awaited.LINE or len(payload) >= 3):
            return self._failed(expected, payload)
        if part == _FIRST:
            return self._begun(expected, payload)
        if part == _COLUMNS:
            self._defined()
        elif part == _ROWS:
            return self._rows_end(expected, payload)
        elif part == _FIELDS:
            if (first == EOF and len(payload) < _OLD_EOF) or (first == EOF and self._conversation.deprecate_eof):
                self._done(expected)
        elif part in _ENDS:
            if first != EOF or len(payload) >= _OLD_EOF:
                raise PeerError("definitions from the server that do not end")
            self._definitions_end(expected, payload)
            return _no_warnings(payload) if self._session.sealed else None
        else:
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
            raise Refused(DENIED, "the server asked for a file of the client, which was not offered")
        self._count, pos = lenenc(payload, 0)
        if pos != len(payload) or not self._count:
            raise PeerError("a result of another form from the server")
        self._part = _COLUMNS
        return None

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
            return ok._replace(warnings=0, info=b"").encode()
        return ok.encode() if ok.status & results.STATE_CHANGED and not self._conversation.tracks else None

    def _rows_end(self, expected: Expected, payload: bytes) -> bytes | None:
        if self._conversation.deprecate_eof:
            return self._ok(expected, payload)
        self._result_ended(expected, results.eof_status(payload))
        return _no_warnings(payload) if self._session.sealed else None

    def _result_ended(self, expected: Expected, status: int) -> None:
        if status & results.MORE_RESULTS and expected.awaited == Awaited.RESULTS:
            self._part = _FIRST
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
        return results.withheld_err(payload) if self._session.sealed else None

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

    def _state(self, state: bytes, expected: bool) -> None:
        if state:
            self._conversation.settings.tracked(state, expected)

    # --- passing on -------------------------------------------------------------------------------------------

    def _pass(self, data: bytes, stop: int) -> None:
        """Hand over `data[_start:stop]`."""
        start, self._start = self._start, stop
        if stop > start:
            self._put(data if start == 0 and stop == len(data) else data[start:stop])

    def _put(self, piece: bytes) -> None:
        self._session.to_client.append(piece)
        self._session.captured.append((Leg.UPSTREAM, piece))


def _no_warnings(payload: bytes) -> bytes:
    return payload[:1] + b"\0\0" + payload[3:]
