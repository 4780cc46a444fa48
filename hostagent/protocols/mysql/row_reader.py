"""Rows of the server's answers: counted and passed on in slices, or looked at where something in them is to be found.

It holds what a row needs that is not whole: how much of it is to come, whether a packet goes on with it, and the stream
that looks at a long one. `Backend` reads all that is no row.
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.base import Leg
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql.conversation import Conversation
from hostagent.protocols.mysql.denial import Refused
from hostagent.protocols.mysql.packets import EOF, ERR, HEADER_SIZE, MAX_PAYLOAD, length_at
from hostagent.protocols.mysql.rows import MAX_HELD, Rows, RowStream
from hostagent.protocols.mysql.statements import Run

OLD_EOF: Final = 9  # bytes that an EOF packet has less than


class RowReader:
    """The rows of one session. `sequence`: of the last packet that was seen."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._session = conversation.session
        self._inbox = Inbox()
        self._start = 0  # of what passes and was not put out yet
        self._left = 0  # bytes of a row whose header was read and which streams through
        self._continued = False  # the next packet goes on with a row
        self._stream: RowStream | None = None  # … which is looked at as it comes
        self._needs = HEADER_SIZE + 1  # bytes from which the next row can be read
        self._cut: Refused | None = None
        self.sequence = 0

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
        """With a row that streams: what of it is there passes."""
        inbox = self._inbox
        begin = inbox.pos
        step = min(self._left, len(inbox.data) - begin)
        self._left -= step
        inbox.pos += step
        stream = self._stream
        if stream is None:
            return
        self._pass(inbox.data, begin)
        self._start = inbox.pos  # nothing of it leaves where the stream raises
        self._put(stream.feed(inbox.data[begin : inbox.pos]))
        if not self._left:
            self._put(stream.flush())
            if not self._continued:
                stream.end()
                self._stream = None

    def _rows(self, run: Run, data: bytes, pos: int, end: int) -> int:
        """Count the rows from `pos` on; gives the position after the last that is there."""
        if run.looked is not None:
            return self._looked(run, run.looked, data, pos, end)
        ends_below = MAX_PAYLOAD if self._conversation.deprecate_eof else OLD_EOF
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
        self._needs = HEADER_SIZE if continued else HEADER_SIZE + 1
        if pos > end:
            self._left, pos = pos - end, end
        run.rows += rows
        run.bytes += total
        return pos

    def _looked(self, run: Run, looked: Rows, data: bytes, pos: int, end: int) -> int:
        """The same where rows are looked at."""
        while True:
            first, pos = pos, self._whole_rows(run, looked, data, pos, end)
            replacement = looked.netted(data, first, pos)
            if replacement is not None:
                self._pass(data, first)
                self._put(replacement)
                self._start = pos
            if end - pos < self._needs or not (self._continued or length_at(data, pos) > MAX_HELD):
                return pos
            pos = self._long_row(run, looked, data, pos)
            if self._left:
                return pos

    def _whole_rows(self, run: Run, looked: Rows, data: bytes, pos: int, end: int) -> int:
        """Look at the rows from `pos` on that are whole, up to one that is too long to be held."""
        self._needs = HEADER_SIZE if self._continued else HEADER_SIZE + 1
        ends_below = MAX_PAYLOAD if self._conversation.deprecate_eof else OLD_EOF
        rows, total, sequence = 0, 0, self.sequence
        while end - pos > HEADER_SIZE and not self._continued:
            length, first = length_at(data, pos), data[pos + HEADER_SIZE]
            if length > MAX_HELD or first == ERR or (first == EOF and length < ends_below):
                break
            if not length:
                raise PeerError("a row of impossible length from the server")
            after = pos + HEADER_SIZE + length
            if after > end:
                self._needs = HEADER_SIZE + length
                break
            looked.check(data, pos + HEADER_SIZE, after)
            sequence = data[pos + 3]
            rows += 1
            total += length
            pos = after
        self.sequence = sequence  # not before: where a row ends the session, none of its slice has left
        run.rows += rows
        run.bytes += total
        return pos

    def _long_row(self, run: Run, looked: Rows, data: bytes, pos: int) -> int:
        """Begin, or go on with, a row that is looked at as it comes. Gives where reading goes on."""
        length = length_at(data, pos)
        if self._stream is None:
            self._stream = RowStream(looked)
            run.rows += 1
        run.bytes += length
        self.sequence = data[pos + 3]
        self._continued = length == MAX_PAYLOAD
        self._needs = HEADER_SIZE if self._continued else HEADER_SIZE + 1
        self._inbox.pos = pos + HEADER_SIZE
        self._left = length
        self._go_on()
        return self._inbox.pos

    # --- passing on -------------------------------------------------------------------------------------------

    def _pass(self, data: bytes, stop: int) -> None:
        """Hand over `data[_start:stop]`."""
        start, self._start = self._start, stop
        if stop > start:
            self._put(data if start == 0 and stop == len(data) else data[start:stop])

    def _put(self, piece: bytes) -> None:
        self._session.to_client.append(piece)
        self._session.captured.append((Leg.UPSTREAM, piece))
