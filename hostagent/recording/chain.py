"""Chain: each line of a journal hashes the line before it. Bytes in, bytes out; no files.

    line = E  ,"chain":{"writer":"W","seq":N,"prev":"P"  ,"hash":"H"}}  LF
           └──────────────── hashed ───────────────────┘

E is the event's JSON object without its closing brace, N counts from 1, P is the H of the line before (64 zeros for the
first), and H = SHA-256 of the line's bytes up to `,"hash":"`. So P is hashed too, a verifier hashes the bytes as they
lie there, and nothing has to be parsed or written again to check a line.

A torn record tells of a line that a crash left unfinished: `{"torn":{"bytes":n,"sha256":"…"},"chain":…}` names length
and SHA-256 of the unfinished bytes, which stay in the file as the line before it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from hostagent.values.decision import Value

GENESIS: Final = "0" * 64
_sha256: Final = hashlib.sha256
_TAIL: Final = re.compile(
    rb',"chain":\{"writer":"([a-z][a-z0-9_]*)","seq":([1-9]\d{0,18}),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\}'
)
LINK_MOST: Final = 320  # bytes that a link adds to an event: the fields above at their longest
_HASH_TAIL: Final = len(b',"hash":""}}') + 64
_TORN: Final = re.compile(rb'\{"torn":\{"bytes":(\d+),"sha256":"([0-9a-f]{64})"\}')


class Head(Value):
    """The end of a chain: its last record's number and hash."""

    __slots__ = ("hash", "seq")

    def __init__(self, seq: int = 0, hash: str = GENESIS) -> None:
        self.seq: Final = seq
        self.hash: Final = hash

    def parts(self) -> tuple[object, ...]:
        """Number and hash."""
        return self.seq, self.hash


@dataclass(frozen=True, slots=True)
class Link:
    """What a line says of its place in a chain; `sound` is whether the hash fits the line's bytes."""

    writer: str
    seq: int
    prev: str
    hash: str
    sound: bool

    def follows(self, head: Head) -> bool:
        """Whether this is the record after `head`."""
        return self.seq == head.seq + 1 and self.prev == head.hash


def extend(head: Head, writer: bytes, events: list[bytes]) -> tuple[list[bytes], Head]:
    """The lines for these events (JSON objects, one line each) after `head`, and the new head."""
    seq, previous = head.seq, head.hash
    named = b',"chain":{"writer":"%b","seq":' % writer
    lines = []
    for event in events:
        seq += 1
        body = b"".join((event[:-1], named, b'%d,"prev":"%b"' % (seq, previous.encode())))
        previous = _sha256(body).hexdigest()
        lines.append(b'%b,"hash":"%b"}}\n' % (body, previous.encode()))
    return lines, Head(seq, previous)


def read_link(line: bytes) -> Link | None:
    """The link of a line (without its LF), or None when it has none."""
    match = _TAIL.search(line, max(0, len(line) - LINK_MOST))
    if match is None or match.end() != len(line) or line[:1] != b"{":
        return None
    writer, seq, prev, given = match.groups()
    sound = hashlib.sha256(line[:-_HASH_TAIL]).hexdigest().encode() == given
    return Link(writer.decode(), int(seq), prev.decode(), given.decode(), sound)


def torn_event(unfinished: bytes) -> bytes:
    """The event that tells of unfinished bytes before it."""
    return b'{"torn":{"bytes":%d,"sha256":"%b"}}' % (len(unfinished), hashlib.sha256(unfinished).hexdigest().encode())


def tells_of_torn(line: bytes, unfinished: bytes) -> bool:
    """Whether `line` is the torn record of exactly these bytes."""
    match = _TORN.match(line)
    if match is None:
        return False
    return int(match[1]) == len(unfinished) and match[2] == hashlib.sha256(unfinished).hexdigest().encode()


def is_torn_record(line: bytes) -> bool:
    """Whether a line is a torn record, and not an event."""
    return _TORN.match(line) is not None
