"""Reads a session recording back; a file that a crash cut short gives what stands before the cut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import zstandard

from hostagent.errors import FileError, Location
from hostagent.recording.capture import (
    CHANNEL,
    CHANNEL_HEAD,
    CLIENT,
    FORMAT_VERSION,
    HEADER,
    NOTE,
    RECORD,
    UPSTREAM,
)
from hostagent.recording.encode import Json

MAX_PAYLOAD = 64 << 20  # a record is one read of a leg or one note; larger is no recording of ours
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Captured:
    """Bytes of one leg (`client` or `upstream`), at microseconds since the start."""

    at_us: int
    leg: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A marker: a decision, or bytes that were left out (`kind` truncated)."""

    at_us: int
    kind: str
    facts: Json


@dataclass(frozen=True, slots=True)
class Spoken:
    """Bytes of one stream (capture.INPUT, OUTPUT, ERROR) of a channel, at microseconds since the start."""

    at_us: int
    channel: int
    stream: int
    data: bytes


Entry = Captured | Note | Spoken


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording: its header, its entries in order, and whether the file ends in the middle of something."""

    header: Json
    entries: list[Entry]
    torn: bool


def read_recording(path: Path) -> Recording:
    """The recording in a file. Raises FileError when it is none, OSError."""
    entries: list[Entry] = []
    header: Json | None = None
    data, torn = _decompressed(path)
    pos = 0
    while pos + RECORD.size <= len(data):
        kind, at_us, length = RECORD.unpack_from(data, pos)
        if length > MAX_PAYLOAD or kind > CHANNEL or (kind == HEADER) != (header is None):
            raise FileError(Location(str(path)), "this is no session recording")
        end = pos + RECORD.size + length
        if end > len(data):
            break
        payload = data[pos + RECORD.size : end]
        if kind == HEADER:
            header = _header(path, payload)
        else:
            entries.append(_entry(path, kind, at_us, payload))
        pos = end
    if header is None:
        raise FileError(Location(str(path)), "this is no session recording")
    return Recording(header, entries, torn or pos != len(data))


def _header(path: Path, payload: bytes) -> Json:
    header = _json(path, payload)
    if header.get("version") != FORMAT_VERSION:
        raise FileError(Location(str(path)), f"recording format {header.get('version')} is not known here")
    return header


def _entry(path: Path, kind: int, at_us: int, payload: bytes) -> Entry:
    if kind in (CLIENT, UPSTREAM):
        return Captured(at_us, "client" if kind == CLIENT else "upstream", payload)
    if kind == CHANNEL:
        if len(payload) < CHANNEL_HEAD.size:
            raise FileError(Location(str(path)), "a record of this recording is not as it was written")
        channel, stream = CHANNEL_HEAD.unpack_from(payload)
        return Spoken(at_us, channel, stream, payload[CHANNEL_HEAD.size :])
    facts = _json(path, payload)
    return Note(at_us, str(facts.pop("kind", "")) if kind == NOTE else "truncated", facts)


def _json(path: Path, payload: bytes) -> Json:
    try:
        value = json.loads(payload)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise FileError(Location(str(path)), "a record of this recording is not as it was written")
    return value


def _decompressed(path: Path) -> tuple[bytes, bool]:
    """All that can be decompressed, and whether the last frame is not whole."""
    pieces: list[bytes] = []
    with path.open("rb") as file:
        try:
            pieces.extend(_frames(file.read()))
        except zstandard.ZstdError:
            return b"".join(pieces), True
    return b"".join(pieces), False


def _frames(data: bytes) -> Iterator[bytes]:
    while data:
        frame = zstandard.ZstdDecompressor().decompressobj()
        yield frame.decompress(data)
        if not frame.eof:
            raise zstandard.ZstdError("the frame is not whole")
        data = frame.unused_data
