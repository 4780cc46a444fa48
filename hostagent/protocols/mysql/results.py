"""The small packets of a server's answer, read and rewritten: OK, EOF, ERR, the answer to a prepare.

Source: MySQL "Protocol::OK_Packet", "Protocol::EOF_Packet", "Protocol::ERR_Packet", "COM_STMT_PREPARE Response".
"""

from __future__ import annotations

from typing import Final, NamedTuple

from hostagent.protocols.mysql.packets import ERR, as_lenenc, fixed, lenenc, lenenc_bytes

MORE_RESULTS: Final = 0x0008
CURSOR_EXISTS: Final = 0x0040
STATE_CHANGED: Final = 0x4000


class Ok:
    """An OK packet; `kind` is its first byte, 0xFE behind rows. `state`: what session tracking says, empty for none."""

    __slots__ = ("affected", "info", "insert_id", "kind", "state", "status", "warnings")

    def __init__(
        self, kind: int, affected: int, insert_id: int, status: int, warnings: int, info: bytes, state: bytes
    ) -> None:
        self.kind: Final = kind
        self.affected: Final = affected
        self.insert_id: Final = insert_id
        self.status: Final = status
        self.warnings: Final = warnings
        self.info: Final = info
        self.state: Final = state

    def encode(self) -> bytes:
        """Its payload without session state."""
        return self._encoded(self.warnings, self.info)

    def bare(self) -> bytes:
        """Its payload without words, warnings and session state."""
        return self._encoded(0, b"")

    def _encoded(self, warnings: int, words: bytes) -> bytes:
        fixed_part = (self.status & ~STATE_CHANGED | warnings << 16).to_bytes(4, "little")
        info = as_lenenc(len(words)) + words if words else b""
        return bytes((self.kind,)) + as_lenenc(self.affected) + as_lenenc(self.insert_id) + fixed_part + info


def read_ok(payload: bytes) -> Ok:
    """The OK packet with that payload, of a server that tracks the session. Raises PeerError."""
    affected, pos = lenenc(payload, 1)
    insert_id, pos = lenenc(payload, pos)
    status, pos = fixed(payload, pos, 2)
    warnings, pos = fixed(payload, pos, 2)
    info = state = b""
    if pos < len(payload):
        info, pos = lenenc_bytes(payload, pos)
    if status & STATE_CHANGED:
        state, pos = lenenc_bytes(payload, pos)
    return Ok(payload[0], affected, insert_id, status, warnings, info, state)


def eof_status(payload: bytes) -> int:
    """The status flags of an EOF packet of the old form. Raises PeerError."""
    return fixed(payload, 3, 2)[0]


def read_err(payload: bytes) -> tuple[int, str]:
    """The number and SQLSTATE of an ERR packet; empty where it has none. Raises PeerError."""
    number, pos = fixed(payload, 1, 2)
    if payload[pos : pos + 1] == b"#":
        return number, payload[pos + 1 : pos + 6].decode("ascii", "replace")
    return number, ""


def withheld_err(payload: bytes) -> bytes:
    """The same ERR packet without the server's words: where columns are masked, they may quote a value."""
    number, sqlstate = read_err(payload)
    text = f"error {number}: the server's words are withheld, because columns are masked here"
    return bytes((ERR,)) + number.to_bytes(2, "little") + b"#" + (sqlstate or "HY000").encode() + text.encode()


class Prepared(NamedTuple):
    """The answer to a prepare: the statement's id, how many columns and parameters it has."""

    id: int
    columns: int
    parameters: int


def read_prepared(payload: bytes) -> Prepared:
    """From its first packet. Raises PeerError."""
    number, pos = fixed(payload, 1, 4)
    columns, pos = fixed(payload, pos, 2)
    parameters, _ = fixed(payload, pos, 2)
    return Prepared(number, columns, parameters)


def without_warnings(payload: bytes) -> bytes:
    """The first packet of the answer to a prepare, counting no warnings."""
    return payload[:10] + bytes(len(payload[10:12])) + payload[12:]
