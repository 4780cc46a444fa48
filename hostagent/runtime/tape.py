"""Tape: the recording of one flow, begun with the first thing that there is to record, and of how it stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from hostagent.protocols.base import Leg
from hostagent.recording import event
from hostagent.recording.capture import SessionRecording
from hostagent.runtime.standing import Standing

if TYPE_CHECKING:
    from hostagent.runtime.worker import Worker


_clock: Final = time.monotonic_ns


class Tape:
    """What a flow puts into its recording. All methods raise RecordingError; after `end` they do nothing."""

    def __init__(self, worker: Worker, standing: Standing) -> None:
        self._worker = worker
        self._standing = standing
        self._ended = False
        self.started = _clock()
        self.recording: SessionRecording | None = None

    def captured(self, pieces: list[tuple[Leg, bytes]]) -> None:
        """Bytes that the legs sent, in order."""
        recording = self._begun()
        now = (_clock() - self.started) // 1000
        for leg, data in pieces:
            recording.capture(leg, data, now)

    def note(self, encoded: bytes) -> None:
        """A marker, at the time of the last bytes."""
        self._begun().note(encoded)

    def note_now(self, encoded: bytes) -> None:
        """A marker of this moment."""
        if not self._ended:
            self._begun().note(encoded, (_clock() - self.started) // 1000)

    def channel(self, channel: int, stream: int, data: bytes) -> None:
        """Bytes of a channel's stream; see `SessionRecording.capture_channel`."""
        if not self._ended:
            self._begun().capture_channel(channel, stream, data, (_clock() - self.started) // 1000)

    def channel_ended(self, channel: int) -> None:
        """That number is not used again."""
        if not self._ended:
            self._begun().end_channel(channel)

    def flush(self) -> None:
        """Write what is held back, and tell the journal how the file stands where that is due."""
        if self.recording is not None and (digest := self.recording.flush()) is not None:
            words, context = self._standing.words, self._standing.told()
            grew = event.recording_grew if words is None else words.recording_grew
            self._worker.gate.record(grew(context, digest))

    def end(self) -> SessionRecording | None:
        """The flow has ended; the recording, to be closed, if there is one."""
        self._ended = True
        return self.recording

    def _begun(self) -> SessionRecording:
        if self.recording is None:
            self.recording = self._worker.start_recording(self._standing.told())
        return self.recording
