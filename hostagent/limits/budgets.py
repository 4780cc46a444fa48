"""Budgets: the supervisor's half of counting. It lends parts of each limit to the workers, never more than there is.

    worker ── has spent 12 ──▶ Budgets ── lent 60, window 7, until 17:00 ──▶ worker        (no round trip a statement)

Rules
1.  used + lent ≤ max, always: what is asked for before it happens (statements) never goes beyond a limit. What is known
    only afterwards (rows, bytes, errors) goes beyond by what was on its way when the loan ran out.
2.  A window starts with its first loan and ends a fixed span later; within it nothing is forgiven. So at most `max`
    in each window, and at most twice that in any span as long.
3.  What a worker had borrowed when it died counts as spent.
4.  A report for another window than the present one changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from hostagent.policy.model import Limit

MAX_KEYS = 20_000  # actors × limits that are counted at once; beyond it new ones are refused, which denies them
SHARE = 8  # a loan is an eighth of what is left: few round trips while there is much, exact when there is little


class Key(NamedTuple):
    """What is counted together: a limit by its name, and whom."""

    limit: str
    who: str


class Report(NamedTuple):
    """What a worker says of one key: what it `spent` in that window since it last reported, and how much of what it had
    borrowed it `released`."""

    spent: int
    released: int
    window: int


class Loan(NamedTuple):
    """A worker may spend `lent` more in that window. `ends`: seconds since the epoch, None for a run."""

    lent: int
    window: int
    ends: float | None


@dataclass(slots=True)
class _Window:
    limit: Limit
    number: int
    ends: float | None
    used: int = 0
    lent: dict[str, int] = field(default_factory=dict)

    def over(self, now: float) -> bool:
        return self.ends is not None and now >= self.ends

    @property
    def left(self) -> int:
        return self.limit.max - self.used - sum(self.lent.values())

    def settle(self, worker: str, report: Report) -> None:
        if report.window == self.number and report.spent >= 0 and report.released >= 0:
            self.used += report.spent
            self.lent[worker] = max(0, self.lent.get(worker, 0) - report.released)


class Budgets:
    """All windows of one host."""

    def __init__(self, most_keys: int = MAX_KEYS) -> None:
        self._windows: dict[Key, _Window] = {}
        self._most_keys = most_keys
        self._number = 0

    def __len__(self) -> int:
        return len(self._windows)

    def borrow(self, worker: str, limit: Limit, who: str, report: Report, now: float) -> Loan:
        """Hear a worker's report and lend to it. Raises ValueError when too much is counted at once."""
        key = Key(limit.name, who)
        found = self._windows.get(key)
        if found is None or found.over(now) or found.limit != limit:
            found = self._open(key, limit, now)
        found.settle(worker, report)
        lent = 0 if found.left <= 0 else max(1, found.left // SHARE)
        if lent:
            found.lent[worker] = found.lent.get(worker, 0) + lent
        return Loan(lent, found.number, found.ends)

    def give_back(self, worker: str, key: Key, report: Report) -> None:
        """A worker returns what it has not spent."""
        if (found := self._windows.get(key)) is not None:
            found.settle(worker, report)

    def lenders(self, worker: str, key: Key) -> tuple[list[str], int]:
        """The other workers that hold something of a key, and its window."""
        found = self._windows.get(key)
        if found is None:
            return [], 0
        return [name for name, lent in found.lent.items() if name != worker and lent], found.number

    def drop_worker(self, worker: str) -> None:
        """A worker died: nobody can say what it spent, so all that it had borrowed."""
        for window in self._windows.values():
            window.used += window.lent.pop(worker, 0)

    def runs(self) -> list[str]:
        """Whom the windows without an end are about: cgroup paths."""
        return sorted({key.who for key, window in self._windows.items() if window.ends is None})

    def forget_run(self, who: str) -> None:
        """That cgroup is no more: the run has ended."""
        self._windows = {k: w for k, w in self._windows.items() if k.who != who or w.ends is not None}

    def shown(self, now: float) -> Iterator[tuple[Key, int, int, float | None]]:
        """Per key that is counted now: how much is used or lent, the most, and when it starts anew."""
        for key, window in self._windows.items():
            if not window.over(now):
                yield key, window.limit.max - window.left, window.limit.max, window.ends

    def _open(self, key: Key, limit: Limit, now: float) -> _Window:
        if key not in self._windows and len(self._windows) >= self._most_keys:
            self._windows = {k: window for k, window in self._windows.items() if not window.over(now)}
            if len(self._windows) >= self._most_keys:
                raise ValueError(f"more than {self._most_keys} actors and limits are counted at once")
        self._number += 1
        ends = None if limit.window is None else now + limit.window
        opened = self._windows[key] = _Window(limit, self._number, ends)
        return opened
