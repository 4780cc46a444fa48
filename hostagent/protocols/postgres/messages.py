"""Wire messages of protocol 3: type bytes, framing, and the few encoders and decoders that the session needs.

Source: PostgreSQL documentation, chapter "Frontend/Backend Protocol", section "Message Formats". A message is a
type byte, a big-endian length that counts itself (4) and the body. Decoders return a value or raise `PeerError`;
they are given whole bodies, so "need more" is the framing's business alone.
"""

from __future__ import annotations

import struct
from typing import Final

from hostagent.errors import PeerError

HEADER: Final = struct.Struct(">BI")  # type byte, length
HEADER_SIZE: Final = 5
MAX_LENGTH: Final = 0x3FFF_FFFF + 4  # PostgreSQL's own bound on a message (PQ_LARGE_MESSAGE_LIMIT, 1 GB - 1)

# from the client; each is a constant of its own, so that compiled code compares with the number itself
QUERY: Final = 0x51  # Q
PARSE: Final = 0x50  # P
BIND: Final = 0x42  # B
DESCRIBE: Final = 0x44  # D
EXECUTE: Final = 0x45  # E
CLOSE: Final = 0x43  # C
FLUSH: Final = 0x48  # H
SYNC: Final = 0x53  # S
FUNCTION_CALL: Final = 0x46  # F
PASSWORD: Final = 0x70  # p
TERMINATE: Final = 0x58  # X
COPY_DATA: Final = 0x64  # d, from both sides
COPY_DONE: Final = 0x63  # c, from both sides
COPY_FAIL: Final = 0x66  # f

# from the server
AUTHENTICATION: Final = 0x52  # R
NEGOTIATE_VERSION: Final = 0x76  # v
KEY_DATA: Final = 0x4B  # K
PARAMETER_STATUS: Final = 0x53  # S
READY: Final = 0x5A  # Z
ERROR: Final = 0x45  # E
NOTICE: Final = 0x4E  # N
NOTIFICATION: Final = 0x41  # A
PARSE_COMPLETE: Final = 0x31  # 1
BIND_COMPLETE: Final = 0x32  # 2
CLOSE_COMPLETE: Final = 0x33  # 3
PARAMETER_DESCRIPTION: Final = 0x74  # t
ROW_DESCRIPTION: Final = 0x54  # T
NO_DATA: Final = 0x6E  # n
DATA_ROW: Final = 0x44  # D
COMMAND_COMPLETE: Final = 0x43  # C
EMPTY_QUERY: Final = 0x49  # I
PORTAL_SUSPENDED: Final = 0x73  # s
CALL_RESULT: Final = 0x56  # V
COPY_IN: Final = 0x47  # G
COPY_OUT: Final = 0x48  # H
COPY_BOTH: Final = 0x57  # W

AUTH_OK, AUTH_CLEARTEXT, AUTH_MD5, AUTH_SASL, AUTH_SASL_CONTINUE, AUTH_SASL_FINAL = 0, 3, 5, 10, 11, 12

_INT: Final = struct.Struct(">I")
_PARAMETERS: Final = struct.Struct(">H")


def length_at(data: bytes, pos: int) -> int:
    """The length field of the message whose type byte stands at `pos`."""
    return data[pos + 1] << 24 | data[pos + 2] << 16 | data[pos + 3] << 8 | data[pos + 4]


def message(kind: int, body: bytes) -> bytes:
    """One framed message."""
    return HEADER.pack(kind, len(body) + 4) + body


def untyped(code: int, body: bytes = b"") -> bytes:
    """A message without type byte, as they come before authentication: length, code, body."""
    return _INT.pack(len(body) + 8) + _INT.pack(code) + body


def authentication(code: int, body: bytes = b"") -> bytes:
    """An Authentication message: request code and its data."""
    return message(AUTHENTICATION, _INT.pack(code) + body)


def query(text: bytes) -> bytes:
    """A Query message."""
    return message(QUERY, text + b"\0")


def parse(name: bytes, text: bytes, types: bytes = b"\0\0") -> bytes:
    """A Parse message; `types` is its tail: a 16-bit count and that many type OIDs."""
    return message(PARSE, name + b"\0" + text + b"\0" + types)


def error_response(
    severity: str, sqlstate: str, text: str, detail: str = "", hint: str = "", position: int = 0
) -> bytes:
    """An ErrorResponse in UTF-8; `position` is a character of the statement, from 1. NUL is left out of fields."""
    fields = (
        ("S", severity), ("V", severity), ("C", sqlstate), ("M", text), ("D", detail), ("H", hint),
        ("P", str(position) if position else ""),
    )  # fmt: skip
    body = b"".join(
        f"{code}{value}".replace("\0", "").encode("utf-8", "replace") + b"\0" for code, value in fields if value
    )
    return message(ERROR, body + b"\0")


def notice(text: str) -> bytes:
    """A NoticeResponse of our own."""
    return report(NOTICE, {"S": "NOTICE", "V": "NOTICE", "C": "00000", "M": text})


def report(kind: int, fields: dict[str, str]) -> bytes:
    """An ErrorResponse or NoticeResponse of these fields, in the order of the server."""
    order = [code for code in "SVCMDHPpqWstcdnFLR" if code in fields]
    body = b"".join(f"{code}{fields[code]}".replace("\0", "").encode("utf-8", "replace") + b"\0" for code in order)
    return message(kind, body + b"\0")


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse or NoticeResponse by their one-letter code; bytes outside UTF-8 are replaced."""
    fields: dict[str, str] = {}
    pos = 0
    while pos < len(body) and body[pos]:
        value, after = cstring(body, pos + 1)
        fields[chr(body[pos])] = value.decode("utf-8", "replace")
        pos = after
    if pos != len(body) - 1:
        raise PeerError("an error message that does not end where it should")
    return fields


def cstring(data: bytes, pos: int, end: int | None = None) -> tuple[bytes, int]:
    """The NUL-terminated string at `pos` and the position after it. Raises PeerError when it does not end."""
    stop = data.find(b"\0", pos, len(data) if end is None else end)
    if stop < 0:
        raise PeerError("a string without its end")
    return data[pos:stop], stop + 1


def parse_body(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Statement name, text, and the tail (count and type OIDs) of a Parse message."""
    name, pos = cstring(body, 0)
    text, pos = cstring(body, pos)
    tail = body[pos:]
    if len(tail) < 2 or len(tail) != 2 + 4 * _PARAMETERS.unpack_from(tail)[0]:
        raise PeerError("a Parse message of the wrong length")
    return name, text, tail


def query_body(body: bytes) -> bytes:
    """The text of a Query message: one string, which ends with the message."""
    if body.find(b"\0") != len(body) - 1 or not body:
        raise PeerError("a Query message that does not end with its text")
    return body[:-1]


def name_body(body: bytes) -> tuple[int, bytes]:
    """What (`S` or `P`) and which name a Describe or Close message is about."""
    if not body or body[0] not in b"SP":
        raise PeerError("a Describe or Close message of unknown kind")
    name, pos = cstring(body, 1)
    if pos != len(body):
        raise PeerError("a Describe or Close message of the wrong length")
    return body[0], name


def execute_body(body: bytes) -> bytes:
    """The portal name of an Execute message."""
    name, pos = cstring(body, 0)
    if len(body) != pos + 4:
        raise PeerError("an Execute message of the wrong length")
    return name


def parameter_status(body: bytes) -> tuple[str, str]:
    """Name and value of a ParameterStatus message."""
    name, pos = cstring(body, 0)
    value, pos = cstring(body, pos)
    if pos != len(body):
        raise PeerError("a ParameterStatus message of the wrong length")
    return name.decode("utf-8", "replace"), value.decode("utf-8", "replace")


def authentication_body(body: bytes) -> tuple[int, bytes]:
    """Request code and data of an Authentication message."""
    if len(body) < 4:
        raise PeerError("an Authentication message without its code")
    return _INT.unpack_from(body)[0], body[4:]


def mechanisms(data: bytes) -> list[str]:
    """The SASL mechanisms that an AuthenticationSASL message offers."""
    names: list[str] = []
    pos = 0
    while pos < len(data) and data[pos]:
        name, pos = cstring(data, pos)
        names.append(name.decode("ascii", "replace"))
    if pos != len(data) - 1:
        raise PeerError("an AuthenticationSASL message that does not end where it should")
    return names


def affected_rows(tag: bytes) -> int:
    """The row count at the end of a CommandComplete tag, 0 where there is none (`INSERT 0 5` → 5)."""
    last = tag.rpartition(b" ")[2]
    return int(last) if last.isdigit() and len(last) <= 20 else 0


def column_names(body: bytes) -> list[bytes]:
    """The name of each column of a RowDescription, in the session's encoding. `origins` says whether it is whole."""
    names: list[bytes] = []
    pos = 2
    for _ in range(_PARAMETERS.unpack_from(body)[0]):
        name, pos = cstring(body, pos)
        names.append(name)
        pos += 18
    return names


def origins(body: bytes) -> list[tuple[int, int]]:
    """Table OID and attribute number of each column of a RowDescription; (0, 0) for what is no plain column."""
    if len(body) < 2:
        raise PeerError("a RowDescription without its count")
    found: list[tuple[int, int]] = []
    pos = 2
    for _ in range(_PARAMETERS.unpack_from(body)[0]):
        _, pos = cstring(body, pos)
        if pos + 18 > len(body):
            raise PeerError("a RowDescription of the wrong length")
        found.append((_INT.unpack_from(body, pos)[0], _PARAMETERS.unpack_from(body, pos + 4)[0]))
        pos += 18
    return found


def first_column(body: bytes) -> bytes | None:
    """The first value of a DataRow, None when it is NULL."""
    if len(body) < 6 or body[:2] == b"\0\0":
        raise PeerError("a DataRow without columns")
    length = int.from_bytes(body[2:6], "big", signed=True)
    if length < 0:
        return None
    if len(body) < 6 + length:
        raise PeerError("a DataRow of the wrong length")
    return body[6 : 6 + length]
