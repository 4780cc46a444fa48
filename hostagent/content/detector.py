"""Detector: a choice of patterns over text, and what it finds overwritten in place.

What is found is replaced by as many `*` as it has bytes: nothing of it stays visible and no length changes. A value is
text as it stands on the wire; which values are text is the caller's affair. It is not the control: that is masking
in the statement. Rules:

1. Whether a match begins at a byte is decided by at most `reach` bytes from there on and the two before it, so that
   `Text`, which is fed a value in pieces, finds what a look at the whole value would find.
2. All matches are overwritten, also those that overlap. A match that begins within one of its own kind is not counted.
3. The letter of an escape (`\\n4111…` in JSON and COPY) is not taken for one that the number is glued to.
4. `hits` is one pass of one automaton over everything; only patterns that it names are looked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import re2  # type: ignore[import-untyped]

from hostagent.content.patterns import PATTERNS, Pattern

CONTEXT: Final = 2  # bytes beside a match that decide whether it is one
MAX_MEMORY: Final = 8 << 20  # bytes of each automaton's states, as RE2 has by default; with less it is slower
_DIGITS: Final = b"0123456789"
_STAR: Final = b"*"
_ESCAPES: Final = (b"\\b", b"\\f", b"\\n", b"\\r", b"\\t", b"\\v")  # JSON (RFC 8259, 7) and COPY's text format


def unescaped(data: bytes) -> bytes:
    """As long as the data, with a newline in the place of the letter of each escape."""
    if b"\\" in data:
        for escape in _ESCAPES:
            data = data.replace(escape, b"\\\n")
    return data


def _options() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    return options


class Finder:
    """Finds the matches of one pattern. `overwrites`: else they are only counted."""

    def __init__(self, pattern: Pattern, overwrites: bool) -> None:
        self.name: Final[str] = pattern.name
        self.overwrites: Final[bool] = overwrites
        self._pattern: Final[Pattern] = pattern
        self._regex: Final[Any] = re2.compile(pattern.exact, _options())
        self._tail: Final[Any] = (
            re2.compile(b"[" + re2.escape(pattern.tail) + b"]*", _options()) if pattern.tail else None
        )

    def next(self, data: bytes, pos: int, stop: int) -> tuple[int, int]:
        """The first match that begins in `data[pos:stop]`: where it begins and ends, or `(stop, stop)`."""
        while pos < stop:
            found = self._regex.search(data, pos, len(data))
            if found is None:
                break
            start, end = found.span()
            if start >= stop:
                break
            length = self._pattern.confirm(data[start:end])
            if length and not self._joined(data, start, start + length):
                return start, self.tail(data, start + length)
            pos = start + 1
        return stop, stop

    def sweep(self, data: bytes, pos: int, stop: int, covered: int, spans: list[tuple[int, int]]) -> tuple[int, int]:
        """All matches that begin in `data[pos:stop]`: how far they and earlier ones reach, and how many are new ones.

        Earlier ones reach up to `covered`; what is to be overwritten goes into `spans`.
        """
        found = 0
        while True:
            start, end = self.next(data, pos, stop)
            if start == stop:
                return covered, found
            if start >= covered:
                found += 1
            if self.overwrites:
                spans.append((start, end))
            covered = max(covered, end)
            pos = self.resume(start, end)

    def tail(self, data: bytes, pos: int) -> int:
        """Where the tail that begins at `pos` ends, as far as `data` goes."""
        return pos if self._tail is None else int(self._tail.match(data, pos).end())

    def resume(self, pos: int, end: int) -> int:
        """Where to look on after a match that ended at `end`: all that begins before lies within it."""
        return max(pos + 1, end - self._pattern.reach)

    def _joined(self, data: bytes, start: int, end: int) -> bool:
        joins = self._pattern.joins
        if not joins:
            return False
        before, after = data[max(0, start - CONTEXT) : start], data[end : end + CONTEXT]
        if before[-1:] and before[-1] in joins and (len(before) < CONTEXT or before[0] in _DIGITS):
            return True
        return len(after) == CONTEXT and after[0] in joins and after[1] in _DIGITS


class Spots:
    """Where something may match: one automaton over everything says which patterns, others then where."""

    def __init__(self, patterns: list[bytes]) -> None:
        self._patterns: Final[list[bytes]] = patterns
        self._set: Final[Any] = re2.Set.SearchSet(_options())
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()
        self._seekers: Final[dict[tuple[int, ...], Any]] = {}

    def hits(self, data: bytes | memoryview) -> list[int]:
        """Which patterns match somewhere in the data, by index."""
        found: list[int] | None = self._set.Match(data)
        return found or []

    def seek(self, hits: list[int], data: bytes | memoryview, pos: int) -> int:
        """Where in the data from `pos` on the first match of one of `hits` begins, or its end."""
        key = tuple(sorted(hits))
        seeker = self._seekers.get(key)
        if seeker is None:
            union = b"|".join(b"(?:" + self._patterns[index] + b")" for index in key)
            seeker = self._seekers[key] = re2.compile(union, _options())
        found = seeker.search(data, pos)
        return len(data) if found is None else int(found.start())


class Detector:
    """Detectors by name. Names in `redact` are overwritten; those in `observe` alone are only counted.

    Raises KeyError for a name that is not in `patterns.NAMES`. Making one costs milliseconds: make it once a choice.
    """

    def __init__(self, redact: Iterable[str], observe: Iterable[str] = ()) -> None:
        overwritten = frozenset(redact)
        wanted = overwritten | frozenset(observe)
        if unknown := wanted.difference(pattern.name for pattern in PATTERNS):
            raise KeyError(*sorted(unknown))
        patterns = [pattern for pattern in PATTERNS if pattern.name in wanted]
        self.finders: Final[list[Finder]] = [Finder(pattern, pattern.name in overwritten) for pattern in patterns]
        self.names: Final[tuple[str, ...]] = tuple(pattern.name for pattern in patterns)
        self.reach: Final[int] = max((pattern.reach for pattern in patterns), default=0) + CONTEXT
        self._loose: Final[Spots] = Spots([pattern.loose for pattern in patterns])
        self._bare: Final[list[bytes]] = [pattern.bare for pattern in patterns]
        self._beside: Spots | None = None

    def hits(self, data: bytes | memoryview) -> list[int]:
        """Which patterns may match somewhere in the data, by index; nearly always none."""
        return self._loose.hits(data)

    def seek(self, hits: list[int], data: bytes | memoryview, pos: int) -> int:
        """Where in the data from `pos` on the first thing stands that may be a match of one of `hits`, or its end."""
        return self._loose.seek(hits, data, pos)

    @property
    def bare(self) -> Spots:
        """The same for data in which any byte may stand beside a value, as a length of one byte does."""
        if self._beside is None:
            self._beside = Spots(self._bare)
        return self._beside

    def redact(self, value: bytes) -> tuple[bytes, tuple[str, ...]]:
        """The value with its matches overwritten, and the detector's name for each that was found."""
        counts = [0] * len(self.names)
        redacted = Text(self, counts).feed(value, True)
        return redacted, tuple(name for name, count in zip(self.names, counts, strict=True) for _ in range(count))


class Text:
    """One value, fed in pieces. All pieces that come out are together as long as those that went in.

    `counts` are added to, by the detector's index.
    """

    def __init__(self, detector: Detector, counts: list[int]) -> None:
        self._detector: Final = detector
        self._counts: Final = counts
        self._data = b""  # what was given out last, for context, and what was not given out yet
        self._next = 0  # of `_data`: the first byte that was not given out
        self._ends = [0] * len(detector.names)  # of `_data`: where the last match of each kind ends; may be beyond

    def feed(self, piece: bytes, last: bool) -> bytes:
        """Take a piece; gives what is certain by now, and after the last piece all the rest."""
        known = len(self._data)
        data = self._data + piece if known else piece
        stop = len(data) if last else max(self._next, len(data) - self._detector.reach)
        spans = self._open(data, known) if known else []
        if hits := self._detector.hits(data):
            seen = unescaped(data)
            for index in hits:
                self._find(index, seen, stop, spans)
        given = data[self._next : stop]
        if spans:
            given = self._overwritten(given, spans)
        self._keep(data, stop)
        return given

    def _open(self, data: bytes, known: int) -> list[tuple[int, int]]:
        """What earlier matches still cover; tails that reached the end of what was known go on."""
        spans = []
        for index, end in enumerate(self._ends):
            finder = self._detector.finders[index]
            if end == known:
                self._ends[index] = finder.tail(data, end)
            if finder.overwrites and self._ends[index] > self._next:
                spans.append((self._next, self._ends[index]))
        return spans

    def _find(self, index: int, data: bytes, stop: int, spans: list[tuple[int, int]]) -> None:
        finder = self._detector.finders[index]
        self._ends[index], found = finder.sweep(data, self._next, stop, self._ends[index], spans)
        self._counts[index] += found

    def _overwritten(self, given: bytes, spans: list[tuple[int, int]]) -> bytes:
        out = bytearray(given)
        for start, end in spans:
            first, after = start - self._next, min(end - self._next, len(given))
            if after > first:
                out[first:after] = _STAR * (after - first)
        return bytes(out)

    def _keep(self, data: bytes, stop: int) -> None:
        dropped = max(0, stop - CONTEXT)
        self._data = data[dropped:]
        self._next = stop - dropped
        self._ends = [max(0, end - dropped) for end in self._ends]
