"""Packets and the values in them, read and written. No state.

A packet is a length (3 bytes, little-endian), a sequence number and that many bytes; a payload of 0xFFFFFF bytes goes
on in the next packet. Source: MySQL internals, "MySQL Packets", "Protocol::LengthEncodedInteger"; MariaDB "0 - Packet".
"""

from __future__ import annotations

from typing import Final

from hostagent.errors import PeerError

HEADER_SIZE: Final = 4
MAX_PAYLOAD: Final = 0xFFFFFF  # of one packet; one that is full is continued

OK: Final = 0x00
MORE_DATA: Final = 0x01  # during a login
LOCAL_INFILE: Final = 0xFB
EOF: Final = 0xFE  # also OK behind rows, and a switch of the login's plugin
ERR: Final = 0xFF


def packet(sequence: int, payload: bytes) -> bytes:
    """A payload as one packet, or as many as it takes."""
    size = len(payload)
    if size < MAX_PAYLOAD:
        return (size | (sequence & 0xFF) << 24).to_bytes(4, "little") + payload
    parts: list[bytes] = []
    pos = 0
    while True:
        part = payload[pos : pos + MAX_PAYLOAD]
        parts += (len(part).to_bytes(3, "little"), bytes((sequence & 0xFF,)), part)
        if len(part) < MAX_PAYLOAD:
            return b"".join(parts)
        pos += MAX_PAYLOAD
        sequence += 1


def length_at(data: bytes, pos: int) -> int:
    """The payload length that the header at `pos` announces; three bytes must be there."""
    return data[pos] | data[pos + 1] << 8 | data[pos + 2] << 16


def fixed(data: bytes, pos: int, size: int) -> tuple[int, int]:
    """A little-endian number of `size` bytes, and where the next value begins. Raises PeerError."""
    if pos + size > len(data):
        raise PeerError("a packet that ends too early")
    return int.from_bytes(data[pos : pos + size], "little"), pos + size


def lenenc(data: bytes, pos: int) -> tuple[int, int]:
    """A length-encoded number, and where the next value begins. Raises PeerError."""
    if pos >= len(data):
        raise PeerError("a packet that ends too early")
    first = data[pos]
    if first < 0xFB:
        return first, pos + 1
    if first == 0xFC:
        return fixed(data, pos + 1, 2)
    if first == 0xFD:
        return fixed(data, pos + 1, 3)
    if first == 0xFE:
        return fixed(data, pos + 1, 8)
    raise PeerError("a packet with an impossible length in it")


def lenenc_bytes(data: bytes, pos: int) -> tuple[bytes, int]:
    """A length-encoded string, and where the next value begins. Raises PeerError."""
    size, pos = lenenc(data, pos)
    if pos + size > len(data):
        raise PeerError("a packet that ends too early")
    return data[pos : pos + size], pos + size


def nul_bytes(data: bytes, pos: int) -> tuple[bytes, int]:
    """A string that ends with NUL, and where the next value begins. Raises PeerError."""
    stop = data.find(b"\0", pos)
    if stop < 0:
        raise PeerError("a packet with a string that does not end")
    return data[pos:stop], stop + 1


def text_row(payload: bytes) -> list[bytes | None]:
    """The values of a row of the text protocol. Raises PeerError."""
    values: list[bytes | None] = []
    pos = 0
    while pos < len(payload):
        if payload[pos] == 0xFB:
            values.append(None)
            pos += 1
        else:
            value, pos = lenenc_bytes(payload, pos)
            values.append(value)
    return values


def as_lenenc(number: int) -> bytes:
    """A number, length-encoded."""
    if number < 0xFB:
        return bytes((number,))
    if number < 1 << 16:
        return b"\xfc" + number.to_bytes(2, "little")
    if number < 1 << 24:
        return b"\xfd" + number.to_bytes(3, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def as_lenenc_bytes(value: bytes) -> bytes:
    """A string, length-encoded."""
    return as_lenenc(len(value)) + value
