"""What the supervisor counts, the last thing that went wrong, and what the workers say that they counted."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

MAX_ROWS = 20_000  # of one worker: a thousand targets, each with all there is to count
MAX_TARGET = 128  # characters; a name of a policy is shorter
_NUMBERS = ("accepted", "hits", "misses", "unrecorded", "lost")  # of a worker's stats, without a target
WORDS: dict[str, frozenset[str]] = {
    "openings": frozenset(("opened", "no_target", "no_credential", "unattributed", "unrecorded")),
    "decided": frozenset(("",)),
    "verdicts": frozenset(("deny", "approve", "observe")),
    "denials": frozenset(("rule", "no_rule", "approval", "limit", "not_understood")),
    "bytes": frozenset(("client", "upstream")),
    "upstream_failures": frozenset(("connect", "tls", "lost")),
    "analysis": frozenset(map(str, range(11))),
    "analysis_us": frozenset(("",)),
    "open": frozenset(("",)),
}  # what a worker may count (`runtime.counted`); a row of another kind is dropped

Key = tuple[str, str, str]  # what is counted, target name (empty for none), word


@dataclass(slots=True)
class Counts:
    """Counters since the start; `refused` by form (as the hooks name it), `events` by their stable word."""

    attributed: int = 0
    unattributed: int = 0
    swept: int = 0
    drift: int = 0
    last_drift: str = ""
    refused: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    record_failures: Counter[str] = field(default_factory=Counter)
    child_ends: Counter[str] = field(default_factory=Counter)
    last_error: str = ""

    def failed(self, what: str) -> None:
        """Remember a fault as the last one, with the time of day."""
        self.last_error = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {what}"

    def record_failed(self, kind: str, what: str) -> None:
        """Something about records did not work: `event`, `checkpoint` or `retention`."""
        self.record_failures[kind] += 1
        self.failed(what)


class WorkerCounts:
    """What all workers counted since the daemon's start. Of one that died, what it had said last stays counted."""

    def __init__(self) -> None:
        self._now: dict[str, Counter[Key]] = {}
        self._gone: Counter[Key] = Counter()

    def told(self, worker: str, stats: dict[str, Any]) -> None:
        """A worker's answer to `stats`. What is not of the known form is dropped: workers are trusted with little."""
        counted: Counter[Key] = Counter()
        for name in _NUMBERS:
            if isinstance(number := stats.get(name), int):
                counted[name, "", ""] = number
        for row in list(stats.get("counted", ()))[:MAX_ROWS]:
            match row:
                case [str(what), str(target), str(word), int(number)] if word in WORDS.get(what, ()):
                    counted[what, target[:MAX_TARGET], word] += number
        self._now[worker] = counted

    def ended(self, worker: str) -> None:
        """That worker is gone, and with it what was open."""
        gone = self._now.pop(worker, Counter())
        self._gone.update({key: number for key, number in gone.items() if key[0] != "open"})

    def total(self) -> Counter[Key]:
        """All of it, added up."""
        total = self._gone.copy()
        for counted in self._now.values():
            total.update(counted)
        return total
