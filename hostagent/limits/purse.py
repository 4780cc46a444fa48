"""Purse: a worker's half of counting. What it has borrowed it spends without asking anybody.

    check ──▶ Tally: let through, count on · Hit: used up · pockets: borrow for these, then check again

Rules
1.  Nothing is spent unless every limit that counts a statement lets it through.
2.  A pocket that was refused a loan remembers it for REFUSED_SECONDS: a loop of denied statements asks nobody.
3.  One report about a pocket is on its way at a time; what it tells of is taken out of the pocket when it is sent.
4.  What is left over goes back after IDLE_SECONDS without use, or when the supervisor recalls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hostagent.limits.budgets import Key, Loan, Report
from hostagent.policy.limits import Hit
from hostagent.policy.model import Limit, Measure

REFUSED_SECONDS = 0.25
IDLE_SECONDS = 5.0

Clock = Callable[[], float]  # seconds since the epoch


@dataclass(slots=True)
class Pocket:
    """What a worker holds of one limit for one actor: `lent` to it, and what it `spent` since it last reported."""

    limit: Limit
    key: Key
    used_at: float
    lent: int = 0
    spent: int = 0
    window: int = 0
    ends: float | None = None
    refused_until: float = 0.0
    running: int = 0  # statements that may still bring something

    @property
    def held(self) -> int:
        """What may still be spent; negative when more came than was borrowed for."""
        return self.lent - self.spent

    def over(self, now: float) -> bool:
        """Whether its window has ended."""
        return self.ends is not None and now >= self.ends

    def refused(self, now: float) -> bool:
        """Whether nothing is left, and a loan was refused a moment ago."""
        return self.held <= 0 and now < self.refused_until

    def report(self) -> Report:
        """What is told when a loan is asked for: all that was spent."""
        spent, released = self.spent, min(self.spent, self.lent)
        self.spent, self.lent = 0, self.lent - released
        return Report(spent, released, self.window)

    def borrowed(self, loan: Loan, now: float) -> None:
        """The answer to a report."""
        if loan.window != self.window:
            self.lent, self.spent, self.window, self.ends = 0, 0, loan.window, loan.ends
        self.lent += loan.lent
        if not loan.lent:
            self.refused_until = now + REFUSED_SECONDS

    def emptied(self) -> Report:
        """All goes back."""
        report = Report(self.spent, self.lent, self.window)
        self.spent = self.lent = 0
        return report

    def spend(self, amount: int, now: float) -> None:
        """Take out what happened; what belongs to a window that has ended is counted no more."""
        self.used_at = now
        if not self.over(now):
            self.spent += amount


class Tally:
    """A statement that was let through: it is told what comes of it, and that it has ended, always.

    What comes after its end is counted too: a portal can be run on.
    """

    __slots__ = ("_bytes", "_clock", "_ended", "_pockets", "_rows")

    def __init__(self, pockets: tuple[Pocket, ...], clock: Clock) -> None:
        self._pockets = pockets
        self._clock = clock
        self._rows = self._bytes = 0
        self._ended = False
        for pocket in pockets:
            pocket.running += 1

    def reached(self, rows: int, bytes_: int) -> Hit | list[Pocket] | None:
        """The statement has brought so much by now. A Hit: a limit is used up, cut the result off here. A list: these
        pockets are empty; borrow for them, and ask again before the result goes on."""
        rows, self._rows = rows - self._rows, rows
        bytes_, self._bytes = bytes_ - self._bytes, bytes_
        now = self._clock()
        empty: list[Pocket] = []
        for pocket in self._pockets:
            what = pocket.limit.what
            if not (self._rows if what is Measure.ROWS else self._bytes if what is Measure.BYTES else 0):
                continue
            if amount := rows if what is Measure.ROWS else bytes_:
                pocket.spend(amount, now)
            if pocket.refused(now):
                return Hit(pocket.limit, pocket.ends)
            if amount and pocket.held <= 0:
                empty.append(pocket)
        return empty or None

    def ended(self, error: str) -> None:
        """The statement ended; `error` is the server's SQLSTATE or empty."""
        if self._ended:
            return
        self._ended = True
        for pocket in self._pockets:
            pocket.running -= 1
            if error and pocket.limit.what is Measure.ERRORS:
                pocket.spend(1, self._clock())


class Purse:
    """All pockets of one worker."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pockets: dict[Key, Pocket] = {}

    def __len__(self) -> int:
        return len(self._pockets)

    def check(self, limits: Iterable[tuple[Limit, str]]) -> Tally | Hit | list[Pocket]:
        """Let a statement through that these limits count, each with whom it counts. A list: borrow for these first."""
        now = self._clock()
        pockets = tuple(self._pocket(limit, who, now) for limit, who in limits)
        for pocket in pockets:
            if pocket.refused(now):
                return Hit(pocket.limit, pocket.ends)
        if empty := [pocket for pocket in pockets if pocket.held <= 0]:
            return empty
        for pocket in pockets:
            pocket.spend(1 if pocket.limit.what is Measure.STATEMENTS else 0, now)
        return Tally(pockets, self._clock)

    def recalled(self, key: Key, window: int) -> Report:
        """The supervisor asks for what is left of that window."""
        pocket = self._pockets.get(key)
        return pocket.emptied() if pocket is not None and pocket.window == window else Report(0, 0, window)

    def idle(self) -> list[Pocket]:
        """Pockets that nobody used for a while, taken out; what they hold is to go back."""
        now = self._clock()
        idle = [p for p in self._pockets.values() if not p.running and now - p.used_at > IDLE_SECONDS]
        for pocket in idle:
            del self._pockets[pocket.key]
        return idle

    def clear(self) -> list[Pocket]:
        """Take out all pockets: another policy counts otherwise."""
        pockets, self._pockets = list(self._pockets.values()), {}
        return pockets

    def _pocket(self, limit: Limit, who: str, now: float) -> Pocket:
        key = Key(limit.name, who)
        pocket = self._pockets.get(key)
        if pocket is None:
            pocket = self._pockets[key] = Pocket(limit, key, now)
        elif pocket.over(now):
            pocket.lent = pocket.spent = 0
            pocket.refused_until = 0.0
        return pocket
