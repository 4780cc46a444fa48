"""Rows of a result, taken apart: values that must be constants are compared, text is shown to the detectors.

A row of the text protocol is its values one after the other, each with its length before it; one of the binary protocol
begins with a byte 0 and a bit for each NULL, and a number or date has the length of its type. Rules:

1. A row up to `MAX_HELD` is looked at when it is whole; `RowStream` takes a longer one as it comes.
2. Nothing gets longer or shorter.
3. A value that is not the constant it must be ends the session (`Refused`) before a byte of it has left.

Source: MySQL "Protocol::ResultsetRow", "Binary Protocol Resultset Row". Binary numbers are not shown to the detectors.
"""

from __future__ import annotations

from typing import Final

from hostagent.content.detector import Text
from hostagent.errors import PeerError
from hostagent.protocols.mysql.denial import DENIED, Refused
from hostagent.protocols.mysql.net import Net
from hostagent.protocols.mysql.packets import HEADER_SIZE, fixed, lenenc, length_at
from hostagent.protocols.mysql.sealed import MASKED

MAX_HELD: Final = 1 << 20  # bytes of a row that is held until it is whole
_NULL: Final = 0xFB
_NUMBERS: Final = {0x01: 1, 0x02: 2, 0x03: 4, 0x04: 4, 0x05: 8, 0x08: 8, 0x09: 4, 0x0D: 2}
_DATES: Final = frozenset({0x07, 0x0A, 0x0B, 0x0C})
_LENGTHS: Final = {0xFC: 2, 0xFD: 3, 0xFE: 8}  # bytes behind the first of a length


class Rows:
    """How the rows of one result are made, and what is looked for in them. `constants` are of the first columns."""

    __slots__ = ("_constants", "_last", "_wanted", "binary", "net", "types")

    def __init__(self, types: list[int], constants: tuple[bytes | None, ...], binary: bool, net: Net | None) -> None:
        self.types: Final[list[int]] = types
        self.binary: Final[bool] = binary
        self.net: Final[Net | None] = net
        self._constants: Final[tuple[bytes | None, ...]] = constants
        last = 0
        for i, constant in enumerate(constants):
            if constant is not None:
                last = i + 1
        self._last: Final[int] = last
        self._wanted: Final[list[bytes | None]] = list(constants[:last])

    def constant(self, column: int) -> bytes | None:
        """What a column must show in this protocol, or None."""
        wanted = self._constants[column] if column < self._last else None
        if wanted is None or not self.binary:
            return wanted
        kind = self.types[column]
        if kind in _NUMBERS:
            return int(wanted).to_bytes(_NUMBERS[kind], "little") if wanted.isdigit() else None
        return None if kind in _DATES else wanted

    def check(self, data: bytes, pos: int, end: int) -> None:
        """Raises Refused unless the row in `data[pos:end]` shows the constants; PeerError where it is none."""
        if self._last and self.binary:
            self._check_binary(data, pos, end)
        elif self._last:
            self._check_text(data, pos, end)

    def _check_text(self, data: bytes, pos: int, end: int) -> None:
        for wanted in self._wanted:
            if pos >= end:
                raise PeerError("a row from the server that ends too early")
            size = data[pos]
            if size == _NULL:
                pos += 1
                continue
            if size < _NULL:
                pos += 1
            else:
                size, pos = lenenc(data, pos)
            after = pos + size
            if wanted is not None and data[pos:after] != wanted:
                raise Refused(DENIED, MASKED)
            pos = after
        if pos > end:
            raise PeerError("a row from the server with a value that is longer than it")

    def _check_binary(self, data: bytes, pos: int, end: int) -> None:
        nulls = pos + 1
        pos = self.values_at(pos)
        for column in range(self._last):
            if self.is_null(data, pos, nulls, column):
                continue
            size, pos = self.size_at(data, pos, column)
            wanted = self.constant(column)
            if wanted is not None and (size != len(wanted) or data[pos : pos + size] != wanted):
                raise Refused(DENIED, MASKED)
            pos += size
            if pos > end:
                raise PeerError("a row from the server with a value that is longer than it")

    def netted(self, data: bytes, start: int, stop: int) -> bytes | None:
        """What replaces `data[start:stop]`, packets of whole rows; None: nothing does. Raises PeerError."""
        net = self.net
        if net is None or start == stop:
            return None
        view: bytes | memoryview = data if stop - start == len(data) else memoryview(data)[start:stop]
        spots = net.detector.bare
        hits = spots.hits(view)
        if not hits:
            return None
        out: bytearray | None = None
        at, pos = start + spots.seek(hits, view, 0), start
        while at < stop:
            after = pos + HEADER_SIZE + length_at(data, pos)
            if after > at:
                for begin, size in self._texts(data, pos + HEADER_SIZE, after):
                    if begin + size <= at:
                        continue
                    value = data[begin : begin + size]
                    replacement = net.text(value)
                    if replacement != value:
                        if out is None:
                            out = bytearray(view)
                        out[begin - start : begin - start + size] = replacement
                    at = start + spots.seek(hits, view, begin + size - start)
                at = max(at, after)
            pos = after
        return None if out is None else bytes(out)

    def _texts(self, data: bytes, pos: int, end: int) -> list[tuple[int, int]]:
        """Where the values of a row that detectors look at begin, and their sizes."""
        found: list[tuple[int, int]] = []
        nulls = pos + 1 if self.binary else 0
        pos = self.values_at(pos)
        for column in range(len(self.types)):
            if self.is_null(data, pos, nulls, column):
                pos += 0 if self.binary else 1
                continue
            size, pos = self.size_at(data, pos, column)
            if pos + size > end:
                raise PeerError("a row from the server with a value that is longer than it")
            if self.is_text(column):
                found.append((pos, size))
            pos += size
        return found

    def values_at(self, pos: int) -> int:
        """Where the first value of a row that begins at `pos` stands."""
        return pos + 1 + (len(self.types) + 9) // 8 if self.binary else pos

    def is_text(self, column: int) -> bool:
        """Whether its values have a length before them."""
        return not self.binary or not (self.types[column] in _NUMBERS or self.types[column] in _DATES)

    def is_null(self, data: bytes, pos: int, nulls: int, column: int) -> bool:
        """Whether the value at `pos` is NULL; `nulls` is where the bits of a binary row stand. Raises PeerError."""
        at = nulls + (column + 2) // 8 if self.binary else pos
        if at >= len(data):
            raise PeerError("a row from the server that ends too early")
        return bool(data[at] >> (column + 2) % 8 & 1) if self.binary else data[at] == _NULL

    def size_at(self, data: bytes, pos: int, column: int) -> tuple[int, int]:
        """The size of the value at `pos`, and where it begins. Raises PeerError."""
        if self.is_text(column):
            return lenenc(data, pos)
        number = _NUMBERS.get(self.types[column])
        return fixed(data, pos, 1) if number is None else (number, pos)


class RowStream:
    """One long row, fed in pieces: what comes out after `flush` is as long as what went in."""

    def __init__(self, rows: Rows) -> None:
        self._rows: Final[Rows] = rows
        self._head = b""  # of a binary row; then a length that is not whole; it has left
        self._begun = not rows.binary
        self._nulls = b""
        self._column = 0
        self._left = 0  # bytes of a value that are to come
        self._wanted: bytes | None = None  # of these, where they must be certain ones
        self._text: Text | None = None

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece of the row. Raises Refused or PeerError."""
        out: list[bytes] = []
        pos = 0
        while pos < len(piece):
            if self._left:
                after = min(pos + self._left, len(piece))
                self._left -= after - pos
                out.append(self._value(piece[pos:after]))
            else:
                after = self._length(piece, pos)
                out.append(piece[pos:after])
            pos = after
        return b"".join(out)

    def flush(self) -> bytes:
        """A packet of the row has ended: gives what was held."""
        text, self._text = self._text, None
        return b"" if text is None else text.feed(b"", True)

    def end(self) -> None:
        """The row has ended. Raises PeerError unless it is whole."""
        self._skip_nulls()
        if self._left or self._head or self._column != len(self._rows.types):
            raise PeerError("a row from the server that is not as long as it says")

    def _value(self, part: bytes) -> bytes:
        if self._wanted is not None:
            if not self._wanted.startswith(part):
                raise Refused(DENIED, MASKED)
            self._wanted = self._wanted[len(part) :]
        net = self._rows.net
        if net is None or not self._rows.is_text(self._column - 1):
            return part
        if self._text is None:
            self._text = Text(net.detector, net.counts)
        given = self._text.feed(part, not self._left)
        if not self._left:
            self._text = None
        return given

    def _length(self, piece: bytes, pos: int) -> int:
        """Take what stands before a value from `pos` on; gives where reading goes on."""
        rows = self._rows
        if not self._begun:
            return self._begin(piece, pos)
        self._skip_nulls()
        if self._column >= len(rows.types):
            raise PeerError("a row from the server with more than its columns")
        number = None if rows.is_text(self._column) else _NUMBERS.get(rows.types[self._column])
        if number is not None:
            self._value_begins(number)
            return pos
        first = self._head[0] if self._head else piece[pos]
        if rows.is_text(self._column) and first == _NULL:
            if rows.binary:
                raise PeerError("a row from the server with an impossible length in it")
            self._column += 1
            return pos + 1
        size = 1 + (_LENGTHS.get(first, 0) if rows.is_text(self._column) else 0)
        after = min(pos + size - len(self._head), len(piece))
        self._head += piece[pos:after]
        if len(self._head) == size:
            head, self._head = self._head, b""
            self._value_begins(lenenc(head, 0)[0] if rows.is_text(self._column) else head[0])
        return after

    def _value_begins(self, size: int) -> None:
        self._wanted = self._rows.constant(self._column)
        if self._wanted is not None and len(self._wanted) != size:
            raise Refused(DENIED, MASKED)
        self._left = size
        self._column += 1

    def _begin(self, piece: bytes, pos: int) -> int:
        size = self._rows.values_at(0)
        after = min(pos + size - len(self._head), len(piece))
        self._head += piece[pos:after]
        if len(self._head) == size:
            self._nulls, self._head, self._begun = self._head, b"", True
        return after

    def _skip_nulls(self) -> None:
        """Values of a binary row that are NULL stand nowhere."""
        rows = self._rows
        while rows.binary and self._begun and self._column < len(rows.types):
            if not rows.is_null(self._nulls, 0, 1, self._column):
                return
            self._column += 1
