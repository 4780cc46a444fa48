"""SessionRecording: both directions of a session and its decisions, written while it runs. A file of zstd frames.

Decompressed, the frames are records one after another: kind (1 byte), microseconds since the recording's start (8) and
payload length (4), big-endian, then the payload:

    0 header     JSON: version, flow, started_ms, actor, target, destination, facts
    1 client     bytes that the client sent             2 upstream   bytes that the upstream sent
    3 note       JSON with `kind`                       4 truncated  JSON {"leg","bytes"}: so many were left out here
    5 channel    channel (4 bytes) and stream (1), then bytes of that stream of one channel of a multiplexed session

Rules: `capture` only appends to a list; each flush is one whole zstd frame and one write, so a crash costs what was not
flushed and no more. A turn (what one leg sends until the other speaks) is kept up to `TURN_BYTES`; what one stream of a
channel says until another of it does, up to `CHANNEL_TURN_BYTES`; its truncation names channel and stream.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
from pathlib import Path
from typing import Final

import zstandard

from hostagent.recording.encode import Json, now_ms
from hostagent.recording.event import Digest, FlowContext
from hostagent.recording.journal import RecordingError

HEADER: Final = 0
CLIENT: Final = 1
UPSTREAM: Final = 2
NOTE: Final = 3
TRUNCATED: Final = 4
CHANNEL: Final = 5
INPUT: Final = 0  # the streams of a channel: what the client says …
OUTPUT: Final = 1  # … and what the upstream answers
ERROR: Final = 2
RECORD: Final = struct.Struct(">BQI")
CHANNEL_HEAD: Final = struct.Struct(">IB")
FORMAT_VERSION: Final = 1
TURN_BYTES: Final = 256 << 10  # of one leg's turn: a screenful many times over; a bulk copy is not what a replay is for
CHANNEL_TURN_BYTES: Final = 8 << 20  # of a channel's turn: all that anybody would read; an archive on stdout is cut
FLUSH_BYTES: Final = 64 << 10  # pending; the caller flushes by time
DIGEST_BYTES: Final = 1 << 20  # a running digest is due after so much …
DIGEST_SECONDS: Final = 10.0  # … or so long
MAX_BYTES: Final = 256 << 20  # captured in one session; beyond it the session ends
_KINDS: Final = {"client": CLIENT, "upstream": UPSTREAM}
_compressor = zstandard.ZstdCompressor(level=1)  # one for the process: a frame at a time, sessions hold no state of it


class SessionRecording:
    """One recording being written. Its file is made at the first flush."""

    def __init__(self, directory: Path, context: FlowContext, max_bytes: int = MAX_BYTES) -> None:
        """`directory` is the sessions directory; the file goes into a directory of today's date (UTC)."""
        self.name = f"{time.strftime('%Y-%m-%d', time.gmtime())}/{context.flow_id}.rec"
        self._path = directory / self.name
        self._max_bytes = max_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._captured = 0
        self._last_us = 0
        self._turn = -1
        self._turn_bytes = 0
        self._left_out = 0
        self._channels: dict[int, tuple[int, int, int]] = {}  # by channel: stream, bytes of its turn, of them left out
        self._fd = -1
        self._hash = hashlib.sha256()
        self._written = 0
        self._told_bytes = 0
        self._told_at = time.monotonic() - DIGEST_SECONDS  # the first flush tells: a missing file is noticed
        self._put(HEADER, 0, json.dumps(_header(context)).encode())

    def capture(self, leg: str, data: bytes, at_us: int) -> None:
        """Keep bytes that a leg (`client` or `upstream`) sent. Raises RecordingError."""
        kind = _KINDS[leg]
        self._last_us = at_us
        if kind != self._turn:
            self._end_turn()
            self._turn = kind
        keep = min(len(data), TURN_BYTES - self._turn_bytes)
        self._turn_bytes += keep
        self._left_out += len(data) - keep
        if keep:
            self._keep(kind, at_us, data if keep == len(data) else data[:keep])

    def capture_channel(self, channel: int, stream: int, data: bytes, at_us: int) -> None:
        """Keep bytes of a channel's stream: INPUT, OUTPUT or ERROR. Raises RecordingError."""
        self._last_us = at_us
        speaking, taken, _ = self._channels.get(channel, (-1, 0, 0))
        if speaking != stream:
            self._end_channel_turn(channel)
            taken = 0
        keep = min(len(data), max(0, CHANNEL_TURN_BYTES - taken))
        taken += len(data)
        self._channels[channel] = (stream, taken, max(0, taken - CHANNEL_TURN_BYTES))
        if keep:
            self._keep(CHANNEL, at_us, CHANNEL_HEAD.pack(channel, stream) + data[:keep])

    def end_channel(self, channel: int) -> None:
        """The channel has ended: its number is not used again."""
        self._end_channel_turn(channel)
        self._channels.pop(channel, None)

    def _keep(self, kind: int, at_us: int, payload: bytes) -> None:
        self._captured += len(payload)
        if self._captured > self._max_bytes:
            raise RecordingError(f"{self._path}: the session has more than {self._max_bytes} bytes", "raise its limit")
        self._put(kind, at_us, payload)
        if self._pending_bytes >= FLUSH_BYTES:
            self._write()

    def note(self, encoded: bytes, at_us: int = -1) -> None:
        """Put a marker between the bytes, such as a decision: JSON with `kind`. -1: at the last capture's time."""
        if at_us >= 0:
            self._last_us = at_us
        self._put(NOTE, self._last_us, encoded)

    def flush(self) -> Digest | None:
        """Write what is pending. The running digest when one is due, for the journal. Raises RecordingError."""
        self._write()
        now = time.monotonic()
        grown = self._written - self._told_bytes
        if not grown or (grown < DIGEST_BYTES and now - self._told_at < DIGEST_SECONDS):
            return None
        self._told_bytes, self._told_at = self._written, now
        return self._digest()

    def close(self) -> Digest:
        """Write the rest and close; the digest of what stands in the file. Does not raise."""
        self._end_turn()
        for channel in self._channels:
            self._end_channel_turn(channel)
        try:
            self._write()
        except RecordingError:
            pass  # the digest says how far it came; the file is readable up to there
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        return self._digest()

    def _digest(self) -> Digest:
        return Digest(self.name, self._hash.hexdigest(), self._written)

    def _put(self, kind: int, at_us: int, payload: bytes) -> None:
        self._pending.append(RECORD.pack(kind, at_us, len(payload)))
        self._pending.append(payload)
        self._pending_bytes += RECORD.size + len(payload)

    def _end_turn(self) -> None:
        if self._left_out:
            leg = "client" if self._turn == CLIENT else "upstream"
            self._put(TRUNCATED, self._last_us, json.dumps({"leg": leg, "bytes": self._left_out}).encode())
        self._turn_bytes = self._left_out = 0

    def _end_channel_turn(self, channel: int) -> None:
        stream, _, left_out = self._channels.get(channel, (-1, 0, 0))
        if left_out:
            note = {"channel": channel, "stream": stream, "bytes": left_out}
            self._put(TRUNCATED, self._last_us, json.dumps(note).encode())
            self._channels[channel] = (stream, CHANNEL_TURN_BYTES, 0)

    def _write(self) -> None:
        if not self._pending:
            return
        frame = _compressor.compress(b"".join(self._pending))
        try:
            if self._fd < 0:
                self._fd = _create(self._path)
            written = os.write(self._fd, frame)
            if written != len(frame):
                os.ftruncate(self._fd, self._written)
                raise RecordingError(f"{self._path}: only {written} of {len(frame)} bytes were written", _HINT)
        except OSError as error:
            raise RecordingError(f"{self._path}: {error.strerror}", _HINT) from None
        self._pending.clear()
        self._pending_bytes = 0
        self._written += len(frame)
        self._hash.update(frame)


_HINT: Final = "free space on its file system, and check its owner and mode"


def _create(path: Path) -> int:
    path.parent.mkdir(mode=0o750, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)


def _header(context: FlowContext) -> Json:
    return {
        "version": FORMAT_VERSION,
        "flow": context.flow_id,
        "started_ms": now_ms(),
        "actor": context.actor.to_json() if context.actor else None,
        "target": context.target.name if context.target else "",
        "source": str(context.key.source),
        "destination": str(context.key.destination),
        "facts": context.facts,
    }
