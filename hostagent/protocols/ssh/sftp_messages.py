"""SFTP version 3 on the wire: packets, their fields, and the constants that name them.

A packet is a length (4 bytes, big-endian), a type (1) and a body; but for INIT and VERSION the body begins with a
request id (4). Here a packet is always all of it, from its length on, so that it can be passed on as it is.
Source: draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL, section 4, for its extensions.
"""

from __future__ import annotations

import struct
from typing import Final

from hostagent.errors import PeerError

VERSION_3: Final = 3
MAX_PACKET: Final = 256 << 10  # of the length field; OpenSSH's SFTP_MAX_MSG_LENGTH, for both sides
MAX_NAME: Final = 4096  # bytes of a path: PATH_MAX of Linux

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR = range(3, 13)
REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(13, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, NO_CONNECTION, CONNECTION_LOST, OP_UNSUPPORTED = range(
    9
)

OPEN_READ, OPEN_WRITE, OPEN_APPEND, OPEN_CREAT, OPEN_TRUNC, OPEN_EXCL = (1 << bit for bit in range(6))
OPEN_KNOWN: Final = 0x3F

ATTR_SIZE, ATTR_IDS, ATTR_MODE, ATTR_TIMES = 1, 2, 4, 8
ATTR_EXTENDED: Final = 0x8000_0000
_ATTR_KNOWN: Final = ATTR_SIZE | ATTR_IDS | ATTR_MODE | ATTR_TIMES | ATTR_EXTENDED

KIND: Final = 4  # where in a packet its type stands
BODY: Final = 9  # and where its fields begin, behind the request id
_UINT32: Final = struct.Struct(">I")
_UINT64: Final = struct.Struct(">Q")
_HEAD: Final = struct.Struct(">IBI")


class Packets:
    """Bytes of one direction → whole packets. Holds no more than was fed and not taken."""

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def feed(self, data: bytes) -> None:
        """More bytes."""
        self._data += data

    def next(self) -> bytes | None:
        """The next packet, None for need more. Raises PeerError when it is none or too long."""
        if len(self._data) < 4:
            return None
        (length,) = _UINT32.unpack_from(self._data)
        if not 1 <= length <= MAX_PACKET:
            raise PeerError(f"an SFTP packet of {length} bytes: at most {MAX_PACKET} are taken")
        if len(self._data) < 4 + length:
            return None
        with memoryview(self._data) as view:
            packet = bytes(view[: 4 + length])
        del self._data[: 4 + length]
        return packet


class Fields:
    """Reads the fields of one packet in their order. Each raises PeerError beyond the packet's end."""

    def __init__(self, packet: bytes, pos: int = BODY) -> None:
        self._packet: Final = packet
        self.pos = pos

    def uint32(self) -> int:
        """Four bytes, unsigned."""
        return int(_UINT32.unpack_from(self._packet, self._advance(4))[0])

    def uint64(self) -> int:
        """Eight bytes, unsigned."""
        return int(_UINT64.unpack_from(self._packet, self._advance(8))[0])

    def string(self) -> bytes:
        """A length and so many bytes."""
        length = self.uint32()
        start = self._advance(length)
        return self._packet[start : start + length]

    def path(self) -> bytes:
        """A file name: not longer than any system takes, and without a zero byte, which ends it for some."""
        name = self.string()
        if len(name) > MAX_NAME:
            raise PeerError(f"a file name of {len(name)} bytes: at most {MAX_NAME} are taken")
        if b"\0" in name:
            raise PeerError("a file name with a zero byte in it")
        return name

    def attributes(self) -> tuple[int, int | None, int | None]:
        """Section 5 of the draft: the flags, and size and mode where they are. What else there is is passed over."""
        flags = self.uint32()
        if flags & ~_ATTR_KNOWN:
            raise PeerError(f"file attributes with unknown flags {flags:#x}")
        size = self.uint64() if flags & ATTR_SIZE else None
        self._advance(8 if flags & ATTR_IDS else 0)
        mode = self.uint32() if flags & ATTR_MODE else None
        self._advance(8 if flags & ATTR_TIMES else 0)
        for _ in range(self.uint32() if flags & ATTR_EXTENDED else 0):
            self.string()
            self.string()
        return flags, size, mode

    def end(self) -> None:
        """Raises PeerError when something is left: what is not read here must not be read elsewhere."""
        if self.pos != len(self._packet):
            raise PeerError("an SFTP packet that is longer than its fields")

    def _advance(self, count: int) -> int:
        start = self.pos
        self.pos += count
        if self.pos > len(self._packet):
            raise PeerError("an SFTP packet that is shorter than its fields")
        return start


def string(value: bytes) -> bytes:
    """A string field."""
    return _UINT32.pack(len(value)) + value


def version(kind: int, *extensions: tuple[bytes, bytes]) -> bytes:
    """An INIT or VERSION packet of version 3, with extensions by name and their data."""
    body = b"".join(string(name) + string(data) for name, data in extensions)
    return _UINT32.pack(5 + len(body)) + bytes((kind,)) + _UINT32.pack(VERSION_3) + body


def id_of(packet: bytes) -> int:
    """The request id of a packet. Raises PeerError when it has none."""
    if len(packet) < BODY:
        raise PeerError("an SFTP packet without a request id")
    return int(_UINT32.unpack_from(packet, 5)[0])


def request(kind: int, request_id: int, *fields: bytes) -> bytes:
    """A whole packet with a request id, from its encoded fields."""
    body = b"".join(fields)
    return _HEAD.pack(5 + len(body), kind, request_id) + body


def status(request_id: int, code: int, message: str) -> bytes:
    """A STATUS packet, the message for the user."""
    return request(STATUS, request_id, _UINT32.pack(code), string(message.encode()), string(b"en"))


def uint32(value: int) -> bytes:
    """A number field of four bytes."""
    return _UINT32.pack(value)


def uint64(value: int) -> bytes:
    """A number field of eight bytes."""
    return _UINT64.pack(value)
