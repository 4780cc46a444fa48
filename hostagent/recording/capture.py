"""SessionRecording: both directions of a session and its decisions, written while it runs. A file of zstd frames.

Decompressed, the frames are records one after another: kind (1 byte), microseconds since the recording's start (8) and
payload length (4), big-endian, then the payload:

    0 header     JSON: version, flow, started_ms, actor, target, destination, facts
    1 client     bytes that the client sent             2 upstream   bytes that the upstream sent
    3 note       JSON with `kind`                       4 truncated  JSON {"leg","bytes"}: so many were left out here

Rules: `capture` only appends to a list; each flush is one whole zstd frame and one write, so a crash costs what was not
flushed and no more. A turn (what one leg sends until the other speaks) is kept up to `TURN_BYTES`.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
from pathlib import Path

import zstandard

from hostagent.recording.encode import Json, now_ms
from hostagent.recording.event import Digest, FlowContext
from hostagent.recording.journal import RecordingError

HEADER, CLIENT, UPSTREAM, NOTE, TRUNCATED = range(5)
RECORD = struct.Struct(">BQI")
FORMAT_VERSION = 1
TURN_BYTES = 256 << 10  # of one leg's turn: a screenful many times over; a bulk copy is not what a replay is for
FLUSH_BYTES = 64 << 10  # pending; the caller flushes by time
DIGEST_BYTES = 1 << 20  # a running digest is due after so much …
DIGEST_SECONDS = 10.0  # … or so long
MAX_BYTES = 256 << 20  # captured in one session; beyond it the session ends
_KINDS = {"client": CLIENT, "upstream": UPSTREAM}
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
        if not keep:
            return
        self._captured += keep
        if self._captured > self._max_bytes:
            raise RecordingError(f"{self._path}: the session has more than {self._max_bytes} bytes", "raise its limit")
        self._put(kind, at_us, data if keep == len(data) else data[:keep])
        if self._pending_bytes >= FLUSH_BYTES:
            self._write()

    def note(self, encoded: bytes) -> None:
        """Put a marker between the bytes, such as a decision: a JSON object with `kind`. At the last capture's time."""
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


_HINT = "free space on its file system, and check its owner and mode"


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
        "destination": str(context.key.destination),
        "facts": context.facts,
    }
