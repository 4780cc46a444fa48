"""First bytes → which protocol, and the name that was asked for. Bounded, and nothing is consumed.

`detect` is called with all bytes so far, and gives None for "need more". It never raises: what is not recognised is
`unknown`, and policy answers that. TLS: RFC 8446 section 4.1.2, server name RFC 6066 section 3, ALPN RFC 7301; a
ClientHello may be spread over several records.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MAX_HELLO = 16_384  # bytes of a ClientHello looked at; with post-quantum key shares they have 2 KB
_POSTGRES_CODES = frozenset({80877102, 80877103, 80877104})  # CancelRequest, SSLRequest, GSSENCRequest
_MAX_STARTUP = 10_000  # as PostgreSQL's MAX_STARTUP_PACKET_LENGTH
_SSH = b"SSH-"
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _ALPN = 0x16, 0x01, 0, 16


class Protocol(StrEnum):
    """What speaks."""

    POSTGRES = "postgres"
    SSH = "ssh"
    TLS = "tls"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Detected:
    """The protocol; for TLS also the server name (lower case, empty when none was sent) and the ALPN names."""

    protocol: Protocol
    server_name: str = ""
    alpn: tuple[str, ...] = ()


UNKNOWN = Detected(Protocol.UNKNOWN)


def detect(first: bytes) -> Detected | None:
    """What these first bytes begin, or None when more are needed to tell."""
    if not first:
        return None
    if first[0] == _HANDSHAKE:
        return _tls(first)
    if first[0] == _SSH[0]:
        return _ssh(first)
    return _postgres(first)


def _ssh(first: bytes) -> Detected | None:
    """RFC 4253 section 4.2: the client's first line begins so; lines before it are the server's privilege."""
    if first.startswith(_SSH):
        return Detected(Protocol.SSH)
    return None if _SSH.startswith(first) else UNKNOWN


def _postgres(first: bytes) -> Detected | None:
    if first[0] != 0 or (len(first) > 1 and first[1] != 0):
        return UNKNOWN
    if len(first) < 8:
        return None
    length, code = int.from_bytes(first[:4], "big"), int.from_bytes(first[4:8], "big")
    if 8 <= length <= _MAX_STARTUP and (code in _POSTGRES_CODES or code >> 16 == 3):
        return Detected(Protocol.POSTGRES)
    return UNKNOWN


def _tls(first: bytes) -> Detected | None:
    try:
        hello = _client_hello(first)
        if hello is None:
            return None
        name, alpn = _extensions(_Reader(hello))
    except _Malformed:
        return UNKNOWN
    return Detected(Protocol.POSTGRES if "postgresql" in alpn else Protocol.TLS, name, alpn)


def _client_hello(first: bytes) -> bytes | None:
    """The ClientHello's body, put together from its records, or None when it is not whole."""
    hello = bytearray()
    pos = 0
    while True:
        if len(hello) >= 4:
            length = int.from_bytes(hello[1:4], "big")
            if hello[0] != _CLIENT_HELLO or length > MAX_HELLO:
                raise _Malformed
            if len(hello) >= 4 + length:
                return bytes(hello[4 : 4 + length])
        record = first[pos : pos + 5]
        if record[:1] not in (b"", b"\x16") or record[1:2] not in (b"", b"\x03"):
            raise _Malformed
        if len(record) < 5:
            return None
        size = int.from_bytes(record[3:5], "big")
        if not 0 < size <= MAX_HELLO:
            raise _Malformed
        hello += first[pos + 5 : pos + 5 + size]
        pos += 5 + size


class _Malformed(Exception):
    pass


class _Reader:
    """Reads length-prefixed parts."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0

    def __bool__(self) -> bool:
        return self._pos < len(self._data)

    def take(self, size: int) -> bytes:
        part = self._data[self._pos : self._pos + size]
        if len(part) != size:
            raise _Malformed
        self._pos += size
        return part

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def part(self, prefix: int) -> bytes:
        return self.take(self.number(prefix))


def _extensions(hello: _Reader) -> tuple[str, tuple[str, ...]]:
    hello.take(2 + 32)  # version, random
    hello.part(1)  # session id
    hello.part(2)  # cipher suites
    hello.part(1)  # compression
    name = ""
    alpn: tuple[str, ...] = ()
    extensions = _Reader(hello.part(2) if hello else b"")
    while extensions:
        kind, body = extensions.number(2), _Reader(extensions.part(2))
        if kind == _SERVER_NAME:
            name = _host_name(_Reader(body.part(2)))
        elif kind == _ALPN:
            alpn = _names(_Reader(body.part(2)))
    return name, alpn


def _host_name(entries: _Reader) -> str:
    while entries:
        kind, value = entries.number(1), entries.part(2)
        if kind == 0:
            if not value.isascii() or not all(c.isalnum() or c in "-._" for c in value.decode()):
                raise _Malformed
            return value.decode().lower().rstrip(".")
    return ""


def _names(entries: _Reader) -> tuple[str, ...]:
    names: list[str] = []
    while entries:
        names.append(entries.part(1).decode("latin-1"))
    return tuple(names)
