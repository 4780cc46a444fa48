"""Net: detectors over what the server sends, values overwritten in place.

It is given messages and knows their framing; a match lies within one value and never reaches over a length field.
Nothing gets longer or shorter, so messages stay where they are. Rules:

1. A slice of whole messages is looked through at once; only where something may be are messages taken apart.
2. A message above `MAX_HELD` is not held: `Stream` takes it as it comes and lags behind by what a match could need.
3. A message that has to be taken apart and is not what its length says is a `PeerError`.

A DataRow's values are its columns, whatever their type and format: text is the same bytes in both, and a number in
binary looks like no match but by chance. A CopyData's value is its body (one row), in binary COPY its columns.
Source: PostgreSQL documentation, "Message Formats", and COPY, "Binary Format".
"""

from __future__ import annotations

from typing import Final

from hostagent.content.detector import Detector, Text
from hostagent.errors import PeerError
from hostagent.protocols.postgres.messages import (
    COPY_DATA,
    DATA_ROW,
    ERROR,
    HEADER_SIZE,
    NOTICE,
    NOTIFICATION,
    length_at,
)

MAX_HELD: Final = 1 << 20  # the greatest length field of a message that is held until it is whole; patterns rely on it
_COPY_SIGNATURE: Final = b"PG"  # of b"PGCOPY\n\xff\r\n\0", where the number of columns stands (at most 1664)
_COPY_HEADER: Final = 13  # the rest of the signature (9) and flags (4); the length of the extension follows
_COUNT: Final = 2  # bytes of a row's number of columns
_NONE: Final = 0xFFFF
_NULL: Final = 0xFFFF_FFFF


class Net:
    """The net of one session. `counts` grow until `taken`, one for each of the detector's names."""

    def __init__(self, detector: Detector) -> None:
        self.detector: Final[Detector] = detector
        self.counts: Final[list[int]] = [0] * len(detector.names)
        self.binary_copy = False

    def copy_out(self, body: bytes) -> None:
        """A CopyOutResponse: its first byte says in which format the data come."""
        self.binary_copy = body[:1] == b"\x01"

    def rows(self, data: bytes, start: int, stop: int) -> bytes | None:
        """What replaces `data[start:stop]`, whole DataRow and CopyData messages up to `MAX_HELD`; None: nothing does.

        Raises PeerError when a message in which something may be is malformed.
        """
        view: bytes | memoryview = data if stop - start == len(data) else memoryview(data)[start:stop]
        hits = self.detector.hits(view)
        if not hits:
            return None
        out: bytearray | None = None
        pos = after = column = start  # a message, where it ends, and where in it the next value is looked for
        at = start + self.detector.seek(hits, view, 0)
        while at < stop:
            while after <= at:
                pos, after = after, after + 1 + length_at(data, after)
                column = pos + HEADER_SIZE + _COUNT
            begin, column = self._value(data, pos, after, column, at)
            value = data[begin:column]
            replacement = self._overwritten(data[pos], value)
            if replacement != value:
                if out is None:
                    out = bytearray(view)
                out[begin - start : column - start] = replacement
            at = start + self.detector.seek(hits, view, column - start)
        return None if out is None else bytes(out)

    def _value(self, data: bytes, pos: int, after: int, column: int, at: int) -> tuple[int, int]:
        """Where the value begins and ends in which, or in whose length field, `at` is: what is found lies within it."""
        if data[pos] == COPY_DATA:
            return pos + HEADER_SIZE, after
        while column < after:
            begin = column + 4
            length = length_at(data, column - 1) if begin <= after else _NULL
            column = begin if length == _NULL else begin + length
            if column > after:
                raise PeerError("a row from the server with a value that is longer than it")
            if column > at:
                return begin, column
        return after, after

    def _overwritten(self, kind: int, value: bytes) -> bytes:
        if kind == COPY_DATA and self.binary_copy:
            return self.stream(kind, len(value) + 4).feed(value)
        return Text(self.detector, self.counts).feed(value, True)

    def message(self, kind: int, body: bytes) -> bytes | None:
        """What replaces the body of a DataRow, CopyData, ErrorResponse, NoticeResponse or NotificationResponse."""
        replacement = self.stream(kind, len(body) + 4).feed(body)
        return None if replacement == body else replacement

    def stream(self, kind: int, length: int) -> Stream:
        """For the body of a message of that kind and length field, in pieces."""
        return Stream(self, kind, length - 4)

    def taken(self) -> dict[str, int]:
        """How often each detector matched since the last call, without those that did not."""
        found = {name: count for name, count in zip(self.detector.names, self.counts, strict=True) if count}
        for index in range(len(self.counts)):
            self.counts[index] = 0
        return found


class Stream:
    """The body of one message, fed in pieces; what comes out in all is as long as what went in.

    `left` are the bytes of the body that were not fed yet.
    """

    def __init__(self, net: Net, kind: int, size: int) -> None:
        self.left = size
        self._net: Final[Net] = net
        self._codes: Final[bool] = kind in (ERROR, NOTICE)  # a byte that says what it is stands before each string
        self._strings: Final[bool] = self._codes or kind == NOTIFICATION
        self._columns = _NONE  # of a row: values that are to come; _NONE: their number comes first
        self._row: Final[bool] = kind == DATA_ROW
        self._copy: Final[bool] = kind == COPY_DATA and self._net.binary_copy
        self._skip = 0  # bytes of framing that pass as they are
        self._value = 0  # bytes of the value that are to come
        self._field = b""  # the beginning of a number that was cut
        self._extension = False  # a binary COPY's header passes; the length of its extension is the next number
        self._text: Text | None = None
        if kind == NOTIFICATION:
            self._skip = 4  # the process id
        elif self._codes:
            self._skip = 1
        elif kind == COPY_DATA and not self._copy:
            self._value = size
        elif kind not in (DATA_ROW, COPY_DATA):
            raise ValueError(f"no values are known in {chr(kind)!r}")

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece of the body. Raises PeerError when it does not fit its length."""
        if len(piece) > self.left:
            raise ValueError("more than the message has")
        self.left -= len(piece)
        out: list[bytes] = []
        pos = 0
        while pos < len(piece):
            if self._skip:
                after = min(pos + self._skip, len(piece))
                self._skip -= after - pos
                out.append(piece[pos:after])
                pos = after
            elif self._strings:
                pos = self._string(piece, pos, out)
            elif self._value:
                pos = self._column(piece, pos, out)
            else:
                pos = self._number(piece, pos, out)
        if self.left == 0:
            self._end(out)
        return b"".join(out)

    def _end(self, out: list[bytes]) -> None:
        if self._strings:
            if self._text is not None:
                out.append(self._text.feed(b"", True))
        elif self._value or self._field or self._columns not in (0, _NONE) or (self._row and self._columns):
            raise PeerError("a row from the server that is not as long as it says")

    def _column(self, piece: bytes, pos: int, out: list[bytes]) -> int:
        after = min(pos + self._value, len(piece))
        self._value -= after - pos
        self._see(piece[pos:after], self._value == 0, out)
        return after

    def _string(self, piece: bytes, pos: int, out: list[bytes]) -> int:
        zero = piece.find(b"\0", pos)
        if zero < 0:
            self._see(piece[pos:], False, out)
            return len(piece)
        self._see(piece[pos:zero], True, out)
        out.append(b"\0")
        self._skip = 1 if self._codes else 0
        return zero + 1

    def _see(self, piece: bytes, last: bool, out: list[bytes]) -> None:
        text = self._text
        if text is None:
            text = Text(self._net.detector, self._net.counts)
        out.append(text.feed(piece, last))
        self._text = None if last else text

    def _number(self, piece: bytes, pos: int, out: list[bytes]) -> int:
        """A 16-bit number of columns, or a 32-bit length."""
        if self._columns == 0 and self._row:
            raise PeerError("a row from the server with more than its columns")
        counts = self._columns in (0, _NONE) and not self._extension
        size = 2 if counts else 4
        field = self._field + piece[pos : pos + size - len(self._field)]
        pos += len(field) - len(self._field)
        if len(field) < size:
            self._field = field
            return pos
        self._field = b""
        out.append(field)
        number = int.from_bytes(field, "big")
        if counts:
            self._counted(field, number)
        elif self._extension:
            self._extension = False
            self._skip = number
        else:
            self._columns -= 1
            self._value = 0 if number == _NULL else number
        if self._value > self.left + len(piece) - pos:
            raise PeerError("a row from the server with a value that is longer than it")
        return pos

    def _counted(self, field: bytes, number: int) -> None:
        if self._copy and field == _COPY_SIGNATURE:
            self._skip = _COPY_HEADER
            self._extension = True
        elif self._row and number == _NONE:
            raise PeerError("a row from the server of an impossible number of columns")
        else:
            self._columns = number
