"""Events of the host itself (drift, refusals, restarts, policy changes): logged, counted and journalled.

The kernel can refuse faster than a disk can write: refusals of one kind within a second become one event that carries
their count. None is dropped silently.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Hashable, Sequence

from hostagent.approvals.values import Fact
from hostagent.daemon import log
from hostagent.daemon.counts import Counts
from hostagent.recording import event
from hostagent.recording.journal import Journal, RecordingError

ORDINARY = frozenset({"ready", "stopped", "policy", "run", "canary"})  # nobody needs to look at these
INTERVAL = 1.0  # seconds over which equal things are counted together
MAX_KINDS = 1000  # different things within one interval; beyond it they are counted together without detail


class HostEvents:
    """Writes host events to the supervisor's own journal."""

    def __init__(self, journal: Journal, counts: Counts) -> None:
        self._journal = journal
        self._counts = counts
        self._repeated: Counter[tuple[str, str, tuple[tuple[str, str], ...]]] = Counter()

    def tell(self, kind: str, text: str, /, **facts: object) -> None:
        """Write one event now; `kind` is its stable word."""
        self._counts.events[kind] += 1
        (log.info if kind in ORDINARY else log.warning)(kind, text=text, **facts)
        try:
            self._journal.append(event.host_event(kind, text, facts))
        except RecordingError as error:
            self._counts.record_failed("event", f"an event was not written: {error.what}")
            log.error("event_not_written", kind=kind, error=error.what)

    def insist(self, facts: Sequence[Fact]) -> None:
        """Write these events now, all or none. Raises RecordingError: what they tell of must not happen then."""
        try:
            self._journal.append_many([event.host_event(fact.kind, fact.text, fact.details) for fact in facts])
        except RecordingError as error:
            self._counts.record_failed("event", f"an event was not written: {error.what}")
            raise
        for fact in facts:
            self._counts.events[fact.kind] += 1
            log.info(fact.kind, text=fact.text, **fact.details)

    def count(self, kind: str, text: str, /, **facts: Hashable) -> None:
        """Count something that may come in floods; it is written within a second, with how often it came."""
        details = tuple((key, str(value)) for key, value in facts.items())
        if len(self._repeated) >= MAX_KINDS and (kind, text, details) not in self._repeated:
            details = (("details", f"more than {MAX_KINDS} kinds at once"),)
        self._repeated[kind, text, details] += 1

    def flush(self) -> None:
        """Write what was counted."""
        repeated, self._repeated = self._repeated, Counter()
        for (kind, text, details), times in repeated.items():
            self.tell(kind, text, **dict(details), times=times)

    async def run(self) -> None:
        """Write what was counted, every second, and at the end."""
        try:
            while True:
                await asyncio.sleep(INTERVAL)
                self.flush()
        finally:
            self.flush()
