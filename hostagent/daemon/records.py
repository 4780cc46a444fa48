"""What the supervisor does with records: signs them, and removes what retention says. It writes none."""

from __future__ import annotations

import asyncio
import time

from hostagent.daemon import log
from hostagent.daemon.config import Retention
from hostagent.daemon.counts import Counts
from hostagent.errors import HostError
from hostagent.recording.checkpoint import Checkpointer
from hostagent.recording.directory import Directory
from hostagent.recording.journal import Journal
from hostagent.recording.retention import apply_retention

CHECKPOINT_SECONDS = 10.0  # what was written since the last checkpoint is protected by its chain alone
RETENTION_SECONDS = 300.0
_DAY = 86_400.0


class Records:
    """Keeps the records of one instance."""

    def __init__(self, directory: Directory, journal: Journal, retention: Retention, counts: Counts) -> None:
        """`journal` is the host's own open chain. Raises RecordingError, FileError."""
        self._directory = directory
        self._journal = journal
        self._retention = retention
        self._counts = counts
        self._checkpointer = Checkpointer(directory)
        self.checkpointed_at = 0.0  # seconds since the epoch

    async def run(self) -> None:
        """Work until cancelled, with a last checkpoint then."""
        cleaned = 0.0
        try:
            while True:
                self.checkpoint()
                if time.monotonic() - cleaned >= RETENTION_SECONDS:
                    cleaned = time.monotonic()
                    self._clean()
                await asyncio.sleep(CHECKPOINT_SECONDS)
        finally:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Sign what is there now. A failure is told and counted."""
        try:
            self._checkpointer.checkpoint()
        except HostError as error:
            self._failed("checkpoint", error)
        else:
            self.checkpointed_at = time.time()

    def _clean(self) -> None:
        age = self._retention.days * _DAY
        try:
            removed = apply_retention(self._directory, self._journal, age, self._retention.max_bytes, time.time())
        except (HostError, OSError) as error:
            self._failed("retention", error)
        else:
            if removed:
                log.info("retention", removed=removed)

    def _failed(self, kind: str, error: Exception) -> None:
        self._counts.record_failed(kind, f"{kind} failed: {error}")
        log.error(f"{kind}_failed", error=error)
