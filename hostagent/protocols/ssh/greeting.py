"""The beginning of an SSH connection, read before any key is exchanged: the client's version and what it can do.

It is looked at so that a client that cannot take a host certificate is told so in words, and a refused client at once.
Source: RFC 4253 sections 4.2 (version), 6 (packet), 7.1 (KEXINIT), 11.1 (DISCONNECT); all in clear at this point.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from hostagent.errors import PeerError

MAX_VERSION = 255  # RFC 4253 section 4.2, with CR and LF
MAX_PACKET = 35_000  # section 6.1
KEXINIT, DISCONNECT = 20, 1
BY_APPLICATION, KEY_EXCHANGE_FAILED = 11, 3  # reason codes, section 11.1
_BLOCK = 8
_COOKIE = 16
_OPENSSH = re.compile(r"-OpenSSH_(\d{1,4})\.(\d{1,4})")
_PATTERNS_SINCE = (10, 3)  # OpenSSH's release notes: an empty list of principals matches nothing, wildcards match
_PREFIXES = (b"SSH-2.0-", b"SSH-1.99-")


@dataclass(frozen=True, slots=True)
class Hello:
    """What a client said first: its version line, and the host key algorithms and ciphers that it takes."""

    version: str
    host_key_algorithms: tuple[str, ...]
    ciphers: tuple[str, ...]  # both ways

    @property
    def wants_pattern(self) -> bool:
        """Whether a host certificate that is good for any host has to say `*`; others take one without names for it."""
        found = _OPENSSH.search(self.version)
        return found is not None and (int(found[1]), int(found[2])) >= _PATTERNS_SINCE


class Greeting:
    """Collects a client's bytes until its first packet is whole."""

    def __init__(self) -> None:
        self.data = b""

    def feed(self, data: bytes) -> Hello | None:
        """What it said, or None for "need more". Raises PeerError for what is no SSH 2."""
        self.data += data
        line, newline, rest = self.data.partition(b"\n")
        if not any(line[: len(prefix)] == prefix[: len(line)] for prefix in _PREFIXES):
            raise PeerError("the client does not speak SSH 2")
        if len(line) > MAX_VERSION:
            raise PeerError("the client's version line is too long")
        if not newline or len(rest) < 5:
            return None
        length, padding = struct.unpack_from(">IB", rest)
        if not 2 <= length <= MAX_PACKET or padding + 1 >= length:
            raise PeerError("the client's first SSH packet has an impossible length")
        if len(rest) < 4 + length:
            return None
        lists = _name_lists(rest[5 : 4 + length - padding])
        ciphers = tuple(name for name in lists[2] if name in lists[3])
        return Hello(line.strip().decode("ascii", "replace"), lists[1], ciphers)


def disconnect(text: str, reason: int = BY_APPLICATION) -> bytes:
    """A packet in clear that ends the connection and says why."""
    words = text.encode()
    payload = struct.pack(">BII", DISCONNECT, reason, len(words)) + words + struct.pack(">I", 0)
    padding = _BLOCK - (5 + len(payload)) % _BLOCK
    padding += _BLOCK if padding < 4 else 0
    return struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)


def _name_lists(payload: bytes) -> list[tuple[str, ...]]:
    """The first four of a KEXINIT: kex_algorithms, server_host_key_algorithms, ciphers to the server and back."""
    if payload[:1] != bytes((KEXINIT,)):
        raise PeerError("the client's first SSH packet is no KEXINIT")
    at = 1 + _COOKIE
    lists = []
    for _ in range(4):
        if len(payload) < at + 4:
            raise PeerError("the client's KEXINIT ends too early")
        (size,) = struct.unpack_from(">I", payload, at)
        if len(payload) < at + 4 + size:
            raise PeerError("the client's KEXINIT ends too early")
        lists.append(tuple(payload[at + 4 : at + 4 + size].decode("ascii", "replace").split(",")))
        at += 4 + size
    return lists
