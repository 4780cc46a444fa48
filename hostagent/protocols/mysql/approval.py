"""What a MySQL session needs while a human is asked: the values of a COM_STMT_EXECUTE.

Source: MySQL "COM_STMT_EXECUTE", "Binary Protocol Value".
"""

from __future__ import annotations

import struct
from typing import Final

from hostagent.approvals.values import Bound
from hostagent.errors import PeerError
from hostagent.protocols.mysql.packets import fixed, lenenc_bytes
from hostagent.protocols.mysql.statements import Statement

UNSIGNED: Final = 0x8000
_INTEGERS: Final = {0x01: 1, 0x02: 2, 0x03: 4, 0x08: 8, 0x09: 4, 0x0D: 2}  # TINY SHORT LONG LONGLONG INT24 YEAR
_FLOAT, _DOUBLE, _NULL = 0x04, 0x05, 0x06
_DATES: Final = frozenset({0x07, 0x0A, 0x0C})  # TIMESTAMP DATE DATETIME
_TIME = 0x0B
_HEAD: Final = 9  # statement id, flags, iteration count


def bound_values(body: bytes, statement: Statement, codec: str) -> tuple[Bound, ...]:
    """The values of a whole COM_STMT_EXECUTE, without its first byte. Raises PeerError."""
    count = statement.parameters
    if not count:
        return ()
    nulls = body[_HEAD : _HEAD + (count + 7) // 8]
    told, pos = fixed(body, _HEAD + len(nulls), 1)
    if told == 1:
        types: list[int] = []
        for _ in range(count):
            kind, pos = fixed(body, pos, 2)
            types.append(kind)
        statement.types = tuple(types)
    if len(statement.types) != count:
        raise PeerError("a COM_STMT_EXECUTE without the types of its parameters from the client")
    values: list[Bound] = []
    for i, kind in enumerate(statement.types):
        if nulls[i // 8] >> i % 8 & 1 or kind & 0xFF == _NULL:
            values.append(Bound("null"))
        else:
            value, pos = binary_value(body, pos, kind, codec)
            values.append(value)
    if pos != len(body):
        raise PeerError("a COM_STMT_EXECUTE of the wrong length from the client")
    return tuple(values)


def binary_value(body: bytes, pos: int, kind: int, codec: str) -> tuple[Bound, int]:
    """A value of the binary protocol at `pos`, by its type (0x8000: unsigned), and where the next begins."""
    base = kind & 0xFF
    if (size := _INTEGERS.get(base)) is not None:
        number, pos = fixed(body, pos, size)
        if not kind & UNSIGNED and number >> (8 * size - 1):
            number -= 1 << 8 * size
        return Bound("text", str(number)), pos
    if base in (_FLOAT, _DOUBLE):
        size = 4 if base == _FLOAT else 8
        raw = fixed(body, pos, size)[0].to_bytes(size, "little")
        return Bound("text", repr(struct.unpack("<f" if size == 4 else "<d", raw)[0])), pos + size
    if base in _DATES or base == _TIME:
        size, pos = fixed(body, pos, 1)
        raw = fixed(body, pos, size)[0].to_bytes(size, "little")
        return (_date(raw) if base in _DATES else _time(raw)), pos + size
    raw, pos = lenenc_bytes(body, pos)
    try:
        return Bound("text", raw.decode(codec)), pos
    except UnicodeDecodeError:
        return Bound("hex", raw.hex()), pos


def _date(raw: bytes) -> Bound:
    if len(raw) not in (0, 4, 7, 11):
        raise PeerError("a date of impossible length from the client")
    year, month, day, hour, minute, second, micro = struct.unpack("<HBBBBBI", raw.ljust(11, b"\0"))
    text = f"{year:04}-{month:02}-{day:02}"
    if len(raw) > 4:
        text += f" {hour:02}:{minute:02}:{second:02}"
    return Bound("text", text + (f".{micro:06}" if len(raw) > 7 else ""))


def _time(raw: bytes) -> Bound:
    if len(raw) not in (0, 8, 12):
        raise PeerError("a time of impossible length from the client")
    negative, days, hour, minute, second, micro = struct.unpack("<BIBBBI", raw.ljust(12, b"\0"))
    text = f"{'-' if negative else ''}{days * 24 + hour:02}:{minute:02}:{second:02}"
    return Bound("text", text + (f".{micro:06}" if len(raw) > 8 else ""))
